//! What can be wrong with the bytes of a peer.

/// How a peer broke the protocol. The connection ends with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Malformed {
    /// A frame is shorter than its header.
    #[error("a frame of {bytes} bytes is shorter than its header")]
    FrameTooShort {
        /// Its length, in bytes.
        bytes: usize,
    },
    /// A frame is longer than allowed.
    #[error("a frame of {bytes} bytes is longer than {limit}")]
    FrameTooLong {
        /// Its length, in bytes, as it claims.
        bytes: usize,
        /// What is allowed.
        limit: usize,
    },
    /// A frame is of another version than the handshake agreed on.
    #[error("a frame of version {found} on a connection of version {agreed}")]
    Version {
        /// Its version.
        found: u8,
        /// That of the connection.
        agreed: u8,
    },
    /// A frame is of a kind that is not known and must not be skipped.
    #[error("a frame of the unknown kind {0}")]
    Kind(u8),
    /// A frame is of a kind that its sender does not send on this connection.
    #[error("a frame of the kind {0} from the wrong side")]
    Side(u8),
    /// A frame has flags that are not known and must not be ignored, or that its kind does not have.
    #[error("a frame of the kind {kind} with the flags {flags:#04x}")]
    Flags {
        /// Its kind.
        kind: u8,
        /// Its flags.
        flags: u8,
    },
    /// The header of a request is longer than allowed, or than what is there.
    #[error("a request with a header of {bytes} bytes, which do not fit")]
    RequestHeader {
        /// Its length, in bytes.
        bytes: usize,
    },
    /// A message is longer than allowed.
    #[error("a message of more than {limit} bytes")]
    MessageTooLong {
        /// What is allowed.
        limit: usize,
    },
    /// A frame goes on with a message that has not begun.
    #[error("a frame that continues message {0}, which has not begun")]
    NotBegun(u64),
    /// A message begins with the id of one that is not complete, or not answered.
    #[error("a second message {0}")]
    Twice(u64),
    /// A frame says of how many replies it is, and that cannot be.
    #[error("a frame for {0} empty replies")]
    EmptyReplies(u32),
    /// Too many messages are incomplete at a time.
    #[error("more than {0} incomplete messages")]
    TooManyIncomplete(usize),
}
