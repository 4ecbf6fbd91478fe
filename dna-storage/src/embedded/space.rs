//! Whether the disk has room for another group: asked before a byte of it is written, since a journal that runs out of
//! room in the midst of a write can take nothing any more.

use std::path::{Path, PathBuf};

use dna_core::Refusal;

#[cfg(feature = "testing")]
use super::faults::EmbeddedFaults;

/// How many bytes of its file system a store leaves free, unless it is set: room for the rows of what is committed, which
/// are written later, and for merging them.
pub const FREE_BYTES_MIN: u64 = 256 * 1024 * 1024;

/// The file system that a store lies on.
pub(super) struct Space {
    path: PathBuf,
    free_bytes_min: u64,
    #[cfg(feature = "testing")]
    faults: EmbeddedFaults,
}

impl Space {
    pub(super) fn new(path: &Path, free_bytes_min: u64, #[cfg(feature = "testing")] faults: EmbeddedFaults) -> Self {
        Space {
            path: path.to_owned(),
            free_bytes_min,
            #[cfg(feature = "testing")]
            faults,
        }
    }

    /// Whether there is room for `bytes` more.
    pub(super) fn check(&self, bytes: usize) -> Result<(), Refusal> {
        let needed = self.free_bytes_min.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
        match self.free_bytes() {
            Some(free) if free < needed => {
                tracing::warn!(path = %self.path.display(), free, needed, "too little room, a group is refused");
                Err(Refusal::Full)
            }
            // A file system that cannot say has to be tried.
            _ => Ok(()),
        }
    }

    fn free_bytes(&self) -> Option<u64> {
        #[cfg(feature = "testing")]
        if let Some(free) = self.faults.free_bytes() {
            return Some(free);
        }
        fs4::available_space(&self.path).ok()
    }
}
