//! From bytes to frames and back. Allocates nothing that a header merely claims: it waits until a frame is there.

use std::io;

use bytes::{Buf, Bytes, BytesMut};
use tokio_util::codec::{Decoder, Encoder};

use super::{CONTINUED, Code, Frame, HEAD_BYTES, Head, Kind, MORE, Malformed, PREFIX_BYTES};
use crate::limits::{
    COPY_BYTES_MAX, FRAME_BYTES_MAX, FRAME_HEAD_BYTES_MAX, FRAME_PAYLOAD_BYTES_MAX, REQUEST_HEADER_BYTES_MAX,
};

/// Flags that must be understood.
const CRITICAL_FLAGS: u8 = 0b0000_1111;

/// What ends the reading of frames.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// The socket failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The peer broke the protocol.
    #[error(transparent)]
    Malformed(#[from] Malformed),
}

/// Reads and writes the frames of one connection.
#[derive(Debug, Clone, Copy)]
pub struct FrameCodec {
    version: u8,
}

impl FrameCodec {
    /// Of a connection on which both sides agreed on `version`.
    pub fn new(version: u8) -> Self {
        FrameCodec { version }
    }

    /// The next frame of `source`, taken out of it; frames that may be skipped are. `None` if it is not complete.
    ///
    /// # Errors
    /// How the bytes break the protocol. Then nothing behind them means anything.
    pub fn next(&self, source: &mut BytesMut) -> Result<Option<Frame>, Malformed> {
        loop {
            let Some(prefix) = source.first_chunk::<PREFIX_BYTES>() else { return Ok(None) };
            let length = usize::try_from(u32::from_le_bytes(*prefix)).unwrap_or(usize::MAX);
            if length < HEAD_BYTES {
                return Err(Malformed::FrameTooShort { bytes: length });
            }
            if length > FRAME_BYTES_MAX {
                return Err(Malformed::FrameTooLong { bytes: length, limit: FRAME_BYTES_MAX });
            }
            // What the header says is looked at as soon as it is there: a bad frame is refused before its payload comes.
            let Some(mut head) = source.get(PREFIX_BYTES..PREFIX_BYTES + HEAD_BYTES) else { return Ok(None) };
            let version = head.get_u8();
            if version != self.version {
                return Err(Malformed::Version { found: version, agreed: self.version });
            }
            let head_bytes = usize::from(head.get_u8());
            if head_bytes < HEAD_BYTES || head_bytes > length {
                return Err(Malformed::FrameTooShort { bytes: length });
            }
            let payload = length - head_bytes;
            if payload > FRAME_PAYLOAD_BYTES_MAX {
                let limit = FRAME_HEAD_BYTES_MAX.min(head_bytes) + FRAME_PAYLOAD_BYTES_MAX;
                return Err(Malformed::FrameTooLong { bytes: length, limit });
            }
            let kind = Kind::from_number(head.get_u8())?;
            let parsed = match kind {
                Some(kind) => Some(parse(kind, head, payload)?),
                None => None,
            };
            if source.len() - PREFIX_BYTES < length {
                return Ok(None);
            }
            source.advance(PREFIX_BYTES + head_bytes);
            match parsed {
                Some(head) => return Ok(Some(Frame { head, payload: split(source, payload) })),
                None => source.advance(payload),
            }
        }
    }
}

/// Takes a payload out. A small one is copied: then one that lives long does not keep the whole buffer alive.
fn split(source: &mut BytesMut, bytes: usize) -> Bytes {
    match source.get(..bytes) {
        Some(payload) if bytes <= COPY_BYTES_MAX => {
            let payload = Bytes::copy_from_slice(payload);
            source.advance(bytes);
            payload
        }
        _ => source.split_to(bytes).freeze(),
    }
}

/// The header behind the kind.
fn parse(kind: Kind, mut rest: &[u8], payload: usize) -> Result<Head, Malformed> {
    let flags = rest.get_u8();
    let allowed = if kind.is_message() { MORE | CONTINUED } else { 0 };
    if flags & CRITICAL_FLAGS & !allowed != 0 {
        return Err(Malformed::Flags { kind: kind.number(), flags });
    }
    let id = rest.get_u64_le();
    let stream = rest.get_u64_le();
    let within = rest.get_u32_le();
    let request_header = rest.get_u16_le();
    let bytes = usize::from(request_header);
    let may_have_one = matches!(kind, Kind::Request | Kind::Cast) && flags & CONTINUED == 0;
    let allowed = if may_have_one { REQUEST_HEADER_BYTES_MAX.min(payload) } else { 0 };
    if bytes > allowed {
        return Err(Malformed::RequestHeader { bytes });
    }
    let code = Code(rest.get_u16_le());
    Ok(Head { kind, flags: flags & CRITICAL_FLAGS, id, stream, within, request_header, code })
}

impl Decoder for FrameCodec {
    type Item = Frame;
    type Error = WireError;

    fn decode(&mut self, source: &mut BytesMut) -> Result<Option<Frame>, WireError> {
        Ok(self.next(source)?)
    }
}

impl Encoder<Frame> for FrameCodec {
    type Error = WireError;

    fn encode(&mut self, frame: Frame, into: &mut BytesMut) -> Result<(), WireError> {
        if frame.payload.len() > FRAME_PAYLOAD_BYTES_MAX {
            let bytes = HEAD_BYTES.saturating_add(frame.payload.len());
            let limit = HEAD_BYTES + FRAME_PAYLOAD_BYTES_MAX;
            return Err(Malformed::FrameTooLong { bytes, limit }.into());
        }
        frame.head.write(self.version, frame.payload.len(), into);
        into.extend_from_slice(&frame.payload);
        Ok(())
    }
}
