//! What of an embedded store can be set.

use std::path::Path;

use super::{error::EmbeddedError, space::FREE_BYTES_MIN, store::Embedded};
use crate::journaled::JournaledOptions;

/// What an `Ok` of an embedded store promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// What was committed outlives a power failure: every group is synced before its commit is answered.
    #[default]
    Fsync,
    /// What was committed outlives the process, killed or not, but a power failure may take the last groups, whole
    /// groups from the end. A group is handed to the operating system before its commit is answered, and synced later.
    /// A store that lost power is opened with this again: [`Fsync`](Durability::Fsync) may take what it finds for damage.
    Buffered,
}

/// Settings of an embedded store. Made by [`Embedded::options`].
#[derive(Debug, Clone, Copy)]
pub struct EmbeddedOptions {
    pub(super) durability: Durability,
    pub(super) free_bytes_min: u64,
    pub(super) journaled: JournaledOptions,
}

impl Default for EmbeddedOptions {
    fn default() -> Self {
        EmbeddedOptions {
            durability: Durability::default(),
            free_bytes_min: FREE_BYTES_MIN,
            journaled: JournaledOptions::default(),
        }
    }
}

impl EmbeddedOptions {
    /// What an `Ok` promises; [`Durability::Fsync`] unless it is set.
    #[must_use]
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// How many bytes of its file system the store leaves free; [`FREE_BYTES_MIN`] unless it is set. With less, commits
    /// are refused ([`Refusal::Full`](dna_core::Refusal::Full)) until there is room again, and nothing is lost.
    #[must_use]
    pub fn free_bytes_min(mut self, bytes: u64) -> Self {
        self.free_bytes_min = bytes;
        self
    }

    /// How much may wait to be stored as rows, and how long a commit waits for that.
    #[must_use]
    pub fn journaled(mut self, options: JournaledOptions) -> Self {
        self.journaled = options;
        self
    }

    /// Opens the store in a directory, which is created if it is not there.
    ///
    /// Blocks until what the journal holds is read; needs no async runtime.
    ///
    /// # Errors
    /// [`EmbeddedError`]
    pub fn open(self, path: impl AsRef<Path>) -> Result<Embedded, EmbeddedError> {
        Embedded::open_with(path.as_ref(), self)
    }
}
