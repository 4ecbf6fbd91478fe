//! Why the writes of a message cannot be committed.

use serde::{Deserialize, Serialize};

use crate::outcome::Outcome;

/// A write that can never be committed. Found before the message ends: it rolls the message back and is its error, and
/// no other message is touched by it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[non_exhaustive]
pub enum WriteError {
    /// A key is longer than [`KEY_BYTES_MAX`](crate::limits::KEY_BYTES_MAX).
    #[error(
        "a key of module `{module}` has {bytes} bytes, at most {max} are allowed; use a shorter key, such as a hash"
    )]
    KeyTooLarge {
        /// The module that was written to.
        module: String,
        /// The key's length in bytes.
        bytes: usize,
        /// The limit in bytes.
        max: usize,
    },
    /// A value is larger than [`VALUE_BYTES_MAX`](crate::limits::VALUE_BYTES_MAX).
    #[error("a value of module `{module}` has {bytes} bytes, at most {max} are allowed; split it over several keys")]
    ValueTooLarge {
        /// The module that was written to.
        module: String,
        /// The encoded value's length in bytes.
        bytes: usize,
        /// The limit in bytes.
        max: usize,
    },
    /// All writes of the message together exceed
    /// [`MESSAGE_WRITE_BYTES_MAX`](crate::limits::MESSAGE_WRITE_BYTES_MAX).
    #[error(
        "the message writes {bytes} bytes or more, at most {max} are allowed; write less a message, over several messages"
    )]
    MessageTooLarge {
        /// What had been written when the limit was passed, in bytes.
        bytes: usize,
        /// The limit in bytes.
        max: usize,
    },
    /// A key or value could not be serialized.
    #[error("a key or value of module `{module}` cannot be serialized: {reason}")]
    Serialize {
        /// The module that was written to.
        module: String,
        /// What its `Serialize` reported.
        reason: String,
    },
}

impl WriteError {
    /// Always `NotApplied`: it rolls its message back.
    pub fn outcome(&self) -> Outcome {
        Outcome::NotApplied
    }

    /// Always `false`: the same write will never be taken.
    pub fn is_retryable(&self) -> bool {
        false
    }
}
