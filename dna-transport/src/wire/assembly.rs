//! From frames to messages. What is kept of a message grows with what has arrived of it.

use std::collections::HashMap;

use bytes::{Bytes, BytesMut};

use super::{CONTINUED, Frame, Head, Kind, MORE, Malformed};
use crate::{limits::LARGE_MESSAGES_MAX, seam::RandomState};

/// A complete message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Request, cast or reply.
    pub kind: Kind,
    /// Its id.
    pub id: u64,
    /// Its stream.
    pub stream: u64,
    /// Milliseconds that were left when its last frame was written, or [`NO_DEADLINE`](super::NO_DEADLINE).
    pub within: u32,
    /// Its header.
    pub header: Bytes,
    /// Its body.
    pub body: Bytes,
}

impl Message {
    /// Bytes of header and body.
    pub fn bytes(&self) -> usize {
        self.header.len().saturating_add(self.body.len())
    }
}

/// The incomplete messages of one direction of a connection.
#[derive(Debug)]
pub struct Assembly {
    partial: HashMap<u64, Partial, RandomState>,
    message_bytes_max: usize,
}

#[derive(Debug)]
struct Partial {
    first: Head,
    bytes: BytesMut,
}

impl Assembly {
    /// With the longest message that is taken, in bytes.
    pub fn new(message_bytes_max: usize) -> Self {
        Assembly { partial: HashMap::default(), message_bytes_max }
    }

    /// Adds a frame of a message. The message, if it is complete with it.
    ///
    /// # Errors
    /// How the frame breaks the protocol.
    pub fn add(&mut self, frame: Frame) -> Result<Option<Message>, Malformed> {
        let Frame { head, payload } = frame;
        let limit = self.message_bytes_max;
        if head.flags & CONTINUED == 0 {
            if payload.len() > limit {
                return Err(Malformed::MessageTooLong { limit });
            }
            if !self.partial.is_empty() && self.partial.contains_key(&head.id) {
                return Err(Malformed::Twice(head.id));
            }
            if head.flags & MORE == 0 {
                return Ok(Some(complete(head, head.within, payload)));
            }
            if self.partial.len() >= LARGE_MESSAGES_MAX {
                return Err(Malformed::TooManyIncomplete(LARGE_MESSAGES_MAX));
            }
            let bytes = BytesMut::from(&payload[..]);
            self.partial.insert(head.id, Partial { first: head, bytes });
            return Ok(None);
        }
        let Some(partial) = self.partial.get_mut(&head.id) else { return Err(Malformed::NotBegun(head.id)) };
        if partial.first.kind != head.kind {
            return Err(Malformed::Twice(head.id));
        }
        if payload.len() > limit.saturating_sub(partial.bytes.len()) {
            return Err(Malformed::MessageTooLong { limit });
        }
        partial.bytes.extend_from_slice(&payload);
        if head.flags & MORE != 0 {
            return Ok(None);
        }
        let whole = self.partial.remove(&head.id);
        Ok(whole.map(|partial| complete(partial.first, head.within, partial.bytes.freeze())))
    }

    /// Drops what is there of a message. Whether something was.
    pub fn drop_message(&mut self, id: u64) -> bool {
        self.partial.remove(&id).is_some()
    }

    /// Bytes that are kept.
    pub fn bytes(&self) -> usize {
        self.partial.values().map(|partial| partial.bytes.len()).sum()
    }
}

fn complete(head: Head, within: u32, mut payload: Bytes) -> Message {
    let header = match usize::from(head.request_header) {
        0 => Bytes::new(),
        bytes => payload.split_to(bytes.min(payload.len())),
    };
    Message { kind: head.kind, id: head.id, stream: head.stream, within, header, body: payload }
}
