//! The timestamps that order what the nodes of a cluster write, one after the other.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A moment of a hybrid clock, in microseconds since 1970: near the wall time, and above every earlier one.
///
/// Rows carry them, and of two writes of a row the one with the higher timestamp stands. Each entry of a journal takes
/// two: its range deletes carry the first, its puts and deletes the second.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(u64);

impl Timestamp {
    /// Below every timestamp that a write carries.
    pub const ZERO: Timestamp = Timestamp(0);

    /// The timestamp of so many microseconds since 1970.
    pub const fn from_micros(micros: u64) -> Self {
        Timestamp(micros)
    }

    /// Microseconds since 1970.
    pub const fn as_micros(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} µs since 1970", self.0)
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}
