//! A frame: its header as a value, and how that is written.

use bytes::{BufMut, Bytes, BytesMut};

use super::Malformed;

/// Bytes of the length in front of a frame.
pub const PREFIX_BYTES: usize = 4;

/// Bytes of the header of this version, without the length in front of it.
pub const HEAD_BYTES: usize = 28;

/// The message goes on in another frame.
pub const MORE: u8 = 0b0000_0001;

/// The message began in an earlier frame.
pub const CONTINUED: u8 = 0b0000_0010;

/// No deadline.
pub const NO_DEADLINE: u32 = u32::MAX;

/// What a frame is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// A message that is answered.
    Request,
    /// A message that is not answered.
    Cast,
    /// The answer to a request.
    Reply,
    /// Why there is no answer.
    Error,
    /// The answers to several messages, all of them empty.
    Empty,
    /// Nobody waits for the answer.
    Cancel,
    /// Asks for a pong.
    Ping,
    /// Answers a ping.
    Pong,
    /// No new requests.
    GoAway,
    /// The last frame.
    Close,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 10] = [
        Kind::Request,
        Kind::Cast,
        Kind::Reply,
        Kind::Error,
        Kind::Cancel,
        Kind::Ping,
        Kind::Pong,
        Kind::GoAway,
        Kind::Close,
        Kind::Empty,
    ];

    /// Its number on the wire.
    pub fn number(self) -> u8 {
        match self {
            Kind::Request => 1,
            Kind::Cast => 2,
            Kind::Reply => 3,
            Kind::Error => 4,
            Kind::Cancel => 5,
            Kind::Ping => 6,
            Kind::Pong => 7,
            Kind::GoAway => 8,
            Kind::Close => 9,
            Kind::Empty => 10,
        }
    }

    /// The kind with a number; `None` for one that may be skipped.
    ///
    /// # Errors
    /// [`Malformed::Kind`] for one that may not.
    pub fn from_number(number: u8) -> Result<Option<Self>, Malformed> {
        Ok(Some(match number {
            1 => Kind::Request,
            2 => Kind::Cast,
            3 => Kind::Reply,
            4 => Kind::Error,
            5 => Kind::Cancel,
            6 => Kind::Ping,
            7 => Kind::Pong,
            8 => Kind::GoAway,
            9 => Kind::Close,
            10 => Kind::Empty,
            128.. => return Ok(None),
            _ => return Err(Malformed::Kind(number)),
        }))
    }

    /// Whether it carries a part of a message.
    pub fn is_message(self) -> bool {
        matches!(self, Kind::Request | Kind::Cast | Kind::Reply)
    }
}

/// Why there is no reply, or why a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Code(pub u16);

impl Code {
    /// None.
    pub const NONE: Code = Code(0);
    /// Error: too many requests of this peer are in flight; the handler was not called.
    pub const REQUESTS_PER_PEER: Code = Code(1);
    /// Error: too many requests of all peers are in flight; the handler was not called.
    pub const REQUESTS_PER_NODE: Code = Code(2);
    /// Error: the requests of this peer in flight have too many bytes; the handler was not called.
    pub const HANDLED_BYTES: Code = Code(3);
    /// Error: the node is closing; the handler was not called.
    pub const CLOSING: Code = Code(4);
    /// Error: the request was late; the handler was not called.
    pub const EXPIRED: Code = Code(5);
    /// Error: the handler panicked.
    pub const PANICKED: Code = Code(6);
    /// Error: the reply is longer than the caller takes.
    pub const REPLY_TOO_LONG: Code = Code(7);
    /// Error: the request was cancelled while its reply was being sent.
    pub const CANCELLED: Code = Code(8);
    /// Close: all is done.
    pub const DONE: Code = Code(32);
    /// Close: a newer connection of this peer has come in.
    pub const REPLACED: Code = Code(33);
    /// Close: the other side broke the protocol.
    pub const MALFORMED: Code = Code(34);
    /// Close: nothing was heard for too long.
    pub const SILENT: Code = Code(35);
    /// Close: the node ends without waiting for replies.
    pub const ABORTED: Code = Code(36);
}

/// The header of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// What the frame is for.
    pub kind: Kind,
    /// [`MORE`] and [`CONTINUED`].
    pub flags: u8,
    /// Of the message.
    pub id: u64,
    /// Of requests and casts.
    pub stream: u64,
    /// Milliseconds left, or [`NO_DEADLINE`].
    pub within: u32,
    /// How many of the message's first bytes are its header.
    pub request_header: u16,
    /// Of errors and ends.
    pub code: Code,
}

impl Head {
    /// A header with nothing but a kind and an id.
    pub fn new(kind: Kind, id: u64) -> Self {
        Head { kind, flags: 0, id, stream: 0, within: NO_DEADLINE, request_header: 0, code: Code::NONE }
    }

    /// Writes length and header of a frame with `payload` bytes, at most
    /// [`FRAME_PAYLOAD_BYTES_MAX`](crate::limits::FRAME_PAYLOAD_BYTES_MAX).
    pub fn write(&self, version: u8, payload: usize, into: &mut BytesMut) {
        let length = u32::try_from(HEAD_BYTES.saturating_add(payload)).unwrap_or(u32::MAX);
        let mut head = [0; PREFIX_BYTES + HEAD_BYTES];
        let mut out = &mut head[..];
        out.put_u32_le(length);
        out.put_u8(version);
        #[expect(clippy::cast_possible_truncation, reason = "a constant, 28")]
        out.put_u8(HEAD_BYTES as u8);
        out.put_u8(self.kind.number());
        out.put_u8(self.flags);
        out.put_u64_le(self.id);
        out.put_u64_le(self.stream);
        out.put_u32_le(self.within);
        out.put_u16_le(self.request_header);
        out.put_u16_le(self.code.0);
        into.extend_from_slice(&head);
    }
}

/// A frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Its header.
    pub head: Head,
    /// What it carries.
    pub payload: Bytes,
}
