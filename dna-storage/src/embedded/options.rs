//! What of an embedded store can be set.

use std::path::Path;

use super::{error::EmbeddedError, store::Embedded};
use crate::journaled::JournaledOptions;

/// What an `Ok` of an embedded store promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// What was committed outlives a power failure: every group is synced before its commit is answered.
    #[default]
    Fsync,
    /// What was committed outlives the process, killed or not, but a power failure may take the last groups, whole
    /// groups from the end. A group is handed to the operating system before its commit is answered, and synced later.
    Buffered,
}

/// Settings of an embedded store. Made by [`Embedded::options`].
#[derive(Debug, Clone, Copy, Default)]
pub struct EmbeddedOptions {
    pub(super) durability: Durability,
    pub(super) journaled: JournaledOptions,
}

impl EmbeddedOptions {
    /// What an `Ok` promises; [`Durability::Fsync`] unless it is set.
    #[must_use]
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
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
