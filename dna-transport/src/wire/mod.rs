//! The wire behind the handshake: frames, and messages that are cut into frames. Knows bytes, not connections.
//!
//! # Frame
//!
//! All numbers are little-endian.
//!
//! | at | bytes | field | |
//! |---:|---:|---|---|
//! | 0 | 4 | length | of what follows, header and payload: 28 to [`FRAME_BYTES_MAX`](crate::limits::FRAME_BYTES_MAX) |
//! | 4 | 1 | version | that of the handshake, the same in every frame of a connection |
//! | 5 | 1 | header length | from offset 4 to the payload; 28 in this version, more in a later one |
//! | 6 | 1 | kind | below |
//! | 7 | 1 | flags | below |
//! | 8 | 8 | id | of the message, given by who sends the request; a reply carries that of its request |
//! | 16 | 8 | stream | of requests and casts; 0 is none |
//! | 24 | 4 | within | milliseconds left of the deadline when the frame was written, rounded up; `u32::MAX` is none |
//! | 28 | 2 | request header | how many of the message's first bytes are its header; 0 but in a message's first frame |
//! | 30 | 2 | code | of errors and of ends of a connection, below |
//! | 32 | | payload | at most [`FRAME_PAYLOAD_BYTES_MAX`](crate::limits::FRAME_PAYLOAD_BYTES_MAX) |
//!
//! # Kinds
//!
//! | kind | name | from | payload |
//! |---:|---|---|---|
//! | 1 | request | who connected | the message |
//! | 2 | cast | who connected | the message |
//! | 3 | reply | who accepted | the message |
//! | 4 | error | who accepted | none; the code says why there is no reply |
//! | 5 | cancel | who connected | none; nobody waits for this reply. Ends a request that is not complete |
//! | 6 | ping | both | none |
//! | 7 | pong | both | none |
//! | 8 | go away | both | none; the sender takes no new requests (who accepted), or sends none (who connected) |
//! | 9 | close | both | the reason as UTF-8; the last frame, the code says what kind of reason |
//! | 10 | empty | who accepted | a count, 4 bytes: so many requests, their ids in a row from this frame's on, have empty replies |
//!
//! # Flags
//!
//! | bit | name | |
//! |---:|---|---|
//! | 0 | more | the message goes on in another frame with its id |
//! | 1 | continued | the message began in an earlier frame with its id |
//!
//! A message of several frames has the first without `continued`, the last without `more`. Frames of other messages may
//! stand between them. Of one stream, the next message begins when the one before is complete. At most
//! [`LARGE_MESSAGES_MAX`](crate::limits::LARGE_MESSAGES_MAX) messages of one direction are incomplete at a time.
//!
//! # Evolution
//!
//! Two nodes speak the highest version that both know. What a version may be extended by, so that nodes without the
//! extension still understand the rest:
//!
//! - a longer header: who does not know the further bytes skips them;
//! - kinds from 128 on: who does not know one skips the frame;
//! - flags in bits 4 to 7: who does not know one ignores it.
//!
//! A reply without a body may come as such a frame of its own, or as an `empty` for one or more.
//!
//! Kinds below 128 and flags in bits 0 to 3 that are not known end the connection: they need a new version.

mod assembly;
mod codec;
mod frame;
mod malformed;
#[cfg(test)]
mod tests;

pub use assembly::{Assembly, Message};
pub use codec::{FrameCodec, WireError};
pub use frame::{CONTINUED, Code, Frame, HEAD_BYTES, Head, Kind, MORE, NO_DEADLINE, PREFIX_BYTES};
pub use malformed::Malformed;

/// The lowest version of the protocol that this crate speaks.
pub const VERSION_LOWEST: u8 = 1;

/// The highest version of the protocol that this crate speaks.
pub const VERSION_HIGHEST: u8 = 1;
