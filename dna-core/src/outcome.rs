//! What a failed operation says of its effect.

use serde::{Deserialize, Serialize};

/// What is known of the effect of something that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Outcome {
    /// It had no effect and never will have: it never started, or was rolled back. Safe to send again.
    NotApplied,
    /// It may have had its effect, or may still have it. Read before sending it again.
    Unknown,
}

impl Outcome {
    /// `Unknown` if either is.
    #[must_use]
    pub fn and(self, other: Outcome) -> Outcome {
        match (self, other) {
            (Outcome::NotApplied, Outcome::NotApplied) => Outcome::NotApplied,
            _ => Outcome::Unknown,
        }
    }
}
