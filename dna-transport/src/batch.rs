//! The bytes of one write: small pieces copied together, large ones as they are.

use std::{collections::VecDeque, io::IoSlice};

use bytes::{Buf, Bytes, BytesMut};

use crate::{
    limits::COPY_BYTES_MAX,
    schedule::Piece,
    seam::Millis,
    wire::{HEAD_BYTES, Head, NO_DEADLINE, PREFIX_BYTES},
};

/// Bytes that are to be written, in order.
#[derive(Debug)]
pub(crate) struct Batch {
    version: u8,
    segments: VecDeque<Bytes>,
    /// What comes behind the segments.
    tail: BytesMut,
}

impl Batch {
    pub(crate) fn new(version: u8) -> Self {
        Batch { version, segments: VecDeque::new(), tail: BytesMut::new() }
    }

    /// Appends a frame. `now` turns its deadline into the time that is left.
    pub(crate) fn push(&mut self, piece: Piece, now: Millis) {
        let Piece { mut head, header, body, deadline } = piece;
        head.within = match deadline {
            Some(deadline) => u32::try_from(deadline.saturating_sub(now)).unwrap_or(NO_DEADLINE),
            None => NO_DEADLINE,
        };
        let copied = if body.len() <= COPY_BYTES_MAX { body.len() } else { 0 };
        self.tail.reserve(PREFIX_BYTES + HEAD_BYTES + header.len() + copied);
        head.write(self.version, header.len() + body.len(), &mut self.tail);
        self.tail.extend_from_slice(&header);
        if body.len() <= COPY_BYTES_MAX {
            self.tail.extend_from_slice(&body);
        } else {
            self.segments.push_back(self.tail.split().freeze());
            self.segments.push_back(body);
        }
    }

    /// Appends a frame without deadline.
    pub(crate) fn push_control(&mut self, head: Head, payload: &[u8]) {
        head.write(self.version, payload.len(), &mut self.tail);
        self.tail.extend_from_slice(payload);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.segments.is_empty() && self.tail.is_empty()
    }
}

impl Buf for Batch {
    fn remaining(&self) -> usize {
        self.segments.iter().map(Bytes::len).sum::<usize>().saturating_add(self.tail.len())
    }

    fn chunk(&self) -> &[u8] {
        match self.segments.front() {
            Some(segment) => segment,
            None => &self.tail,
        }
    }

    fn chunks_vectored<'a>(&'a self, into: &mut [IoSlice<'a>]) -> usize {
        let mut filled = 0;
        let tail = Some(&self.tail[..]).filter(|tail| !tail.is_empty());
        for (slot, bytes) in into.iter_mut().zip(self.segments.iter().map(|segment| &segment[..]).chain(tail)) {
            *slot = IoSlice::new(bytes);
            filled += 1;
        }
        filled
    }

    fn advance(&mut self, mut count: usize) {
        while let Some(segment) = self.segments.front_mut() {
            if count < segment.len() {
                segment.advance(count);
                return;
            }
            count -= segment.len();
            self.segments.pop_front();
        }
        self.tail.advance(count);
    }
}
