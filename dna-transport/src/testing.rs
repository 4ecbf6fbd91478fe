//! The decoders, for fuzz targets and the replay of their corpus. None of them may panic, or keep more than it was given.

use bytes::BytesMut;

pub use crate::seam::Spawner;

use crate::{
    handshake,
    wire::{Assembly, FrameCodec, VERSION_HIGHEST},
};

/// Reads bytes as frames. How many there were, until the bytes ended or broke the protocol.
pub fn frames(bytes: &[u8]) -> usize {
    let codec = FrameCodec::new(VERSION_HIGHEST);
    let mut source = BytesMut::from(bytes);
    let mut count = 0;
    while let Ok(Some(_)) = codec.next(&mut source) {
        count += 1;
    }
    count
}

/// Reads bytes as a message of the handshake. Whether they are one.
pub fn handshake(bytes: &[u8]) -> bool {
    handshake::decode_any(bytes)
}

/// Reads bytes as frames of messages, of at most 1 MiB each. How many messages were complete, or
/// `None` if the bytes break the protocol.
///
/// # Panics
/// If more were kept than has come.
pub fn messages(bytes: &[u8]) -> Option<usize> {
    let codec = FrameCodec::new(VERSION_HIGHEST);
    let mut assembly = Assembly::new(1024 * 1024);
    let mut source = BytesMut::from(bytes);
    let mut count = 0;
    while let Some(frame) = codec.next(&mut source).ok()? {
        if frame.head.kind.is_message() && assembly.add(frame).ok()?.is_some() {
            count += 1;
        }
        assert!(assembly.bytes() <= bytes.len(), "more is kept than has come");
    }
    Some(count)
}
