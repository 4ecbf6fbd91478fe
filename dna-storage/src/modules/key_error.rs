//! Why bytes are not a key.

/// Why bytes are not a key of the type that they were read as: they were written with another type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The bytes end within the key.
    #[error("the key ends too early")]
    Truncated,
    /// Something follows the key.
    #[error("what follows the key does not belong there (length in bytes: {bytes})")]
    Trailing {
        /// How much follows, in bytes.
        bytes: usize,
    },
    /// A component of variable length is not escaped as it must be.
    #[error("a component of the key is not terminated")]
    Escape,
    /// The bytes are of the right length, but no value of the type has them.
    #[error("a component of the key is not {expected}")]
    Invalid {
        /// What the bytes should have been, such as `UTF-8`.
        expected: &'static str,
    },
}
