//! Why a storage module could not do what it was asked. A write that cannot be committed is another matter:
//! [`WriteError`](dna_core::WriteError).

use std::fmt;

use dna_core::{Error, ErrorKind, Outcome, ReadError};

use super::{key_error::KeyError, value_codec::ValueDecodeError};

/// Why a storage module could not answer. It converts into [`dna_core::Error`], of kind
/// [`Storage`](ErrorKind::Storage).
///
/// A read that failed has no effect, whatever the reason.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ModuleError {
    /// The store could not be read. See [`ReadError`] for which are worth another try.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A stored key is not of the module's key type: the module was written with another one. Open it with that type,
    /// or give the new type a module name of its own.
    #[error(
        "the key `{key}` of module `{module}` is not a `{expected}`: {reason}; open the module with the key type that \
         it was written with, or open one under another name"
    )]
    Key {
        /// The module that was read.
        module: String,
        /// The stored key.
        key: KeyText,
        /// The type that it was read as.
        expected: &'static str,
        /// What is wrong with it.
        reason: KeyError,
    },
    /// A stored value is not of the module's value type: it was written with another one, or that type has changed
    /// in a way that its `Deserialize` does not accept. Open the module with that type, or make the change compatible.
    #[error(
        "the value under `{key}` of module `{module}` is not a `{expected}`: {reason}; read it with the type that it \
         was written with, or let the type accept both (`#[serde(default)]` on new fields)"
    )]
    Value {
        /// The module that was read.
        module: String,
        /// The value's key.
        key: KeyText,
        /// The type that it was read as.
        expected: &'static str,
        /// What is wrong with it.
        reason: ValueDecodeError,
    },
    /// The options of a list do not make sense.
    #[error("the list of module `{module}` cannot be read: {reason}")]
    List {
        /// The module that was to be read.
        module: String,
        /// What is wrong with the options.
        reason: ListError,
    },
}

/// Why the options of a list do not make sense. A mistake in the program: correct the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ListError {
    /// Both `start` and `start_after` are given.
    #[error("`start` and `start_after` are both given; give the one that the list is to begin with")]
    StartAndStartAfter,
    /// `limit` is zero.
    #[error("`limit` is 0; give at least 1, or no limit for all rows")]
    LimitZero,
}

impl ModuleError {
    /// Always `NotApplied`: a read has no effect.
    pub fn outcome(&self) -> Outcome {
        Outcome::NotApplied
    }

    /// Whether the same read may well succeed later.
    pub fn is_retryable(&self) -> bool {
        matches!(self, ModuleError::Read(error) if error.is_retryable())
    }
}

impl From<ModuleError> for Error {
    fn from(error: ModuleError) -> Self {
        Error::with_kind(ErrorKind::Storage, &error).with_retryable(error.is_retryable())
    }
}

/// A stored key as a person can read it: as text where it is text, with escapes elsewhere, shortened where it is long.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyText(String);

/// How much of a key a message shows, in bytes.
const KEY_TEXT_BYTES_MAX: usize = 64;

impl KeyText {
    /// The text of a key.
    pub fn new(key: &[u8]) -> Self {
        if key.is_empty() {
            return KeyText("(the empty key)".to_owned());
        }
        let shown = key.get(..KEY_TEXT_BYTES_MAX).unwrap_or(key);
        let mut text = String::new();
        for chunk in shown.utf8_chunks() {
            for char in chunk.valid().chars() {
                if char.is_control() { text.extend(char.escape_default()) } else { text.push(char) }
            }
            text.push_str(&chunk.invalid().escape_ascii().to_string());
        }
        if shown.len() < key.len() {
            text.push('…');
        }
        KeyText(text)
    }
}

impl fmt::Display for KeyText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for KeyText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_value_is_reported_with_its_module_key_type_and_remedy() {
        let error = ModuleError::Value {
            module: "lines".into(),
            key: KeyText::new(b"apple"),
            expected: "u32",
            reason: ValueDecodeError::Trailing,
        };
        let error = Error::from(error);
        assert_eq!(error.kind(), ErrorKind::Storage);
        assert!(!error.is_retryable());
        for part in ["`lines`", "`apple`", "`u32`", "something follows", "read it with the type"] {
            assert!(error.to_string().contains(part), "{part}: {error}");
        }
    }

    #[test]
    fn contradictory_options_are_named() {
        let error = ModuleError::List { module: "lines".into(), reason: ListError::StartAndStartAfter };
        for part in ["`lines`", "`start`", "`start_after`"] {
            assert!(error.to_string().contains(part), "{part}: {error}");
        }
    }

    #[test]
    fn only_a_read_that_may_succeed_later_is_worth_a_retry() {
        assert!(Error::from(ModuleError::Read(ReadError::Unavailable)).is_retryable());
        assert!(!Error::from(ModuleError::Read(ReadError::Corrupt)).is_retryable());
        let list = ModuleError::List { module: "lines".into(), reason: ListError::LimitZero };
        assert!(!Error::from(list).is_retryable());
    }

    #[test]
    fn a_key_is_shown_as_text_where_it_is_text() {
        assert_eq!(KeyText::new("Äpfel".as_bytes()).to_string(), "Äpfel");
        assert_eq!(KeyText::new(b"alice\x00\x01\xff\n").to_string(), r"alice\u{0}\u{1}\xff\n");
        assert_eq!(KeyText::new(b"").to_string(), "(the empty key)");
    }

    #[test]
    fn a_long_key_is_shortened_and_one_at_the_limit_is_not() {
        let key = [b'k'; KEY_TEXT_BYTES_MAX + 1];
        assert_eq!(KeyText::new(&key[1..]).to_string(), "k".repeat(KEY_TEXT_BYTES_MAX));
        assert_eq!(KeyText::new(&key).to_string(), "k".repeat(KEY_TEXT_BYTES_MAX) + "…");
    }
}
