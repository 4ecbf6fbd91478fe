//! Who takes part in a round on a CQL server.

use crate::row::Row;

/// DNA, and what it is held against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Contender {
    Ours,
    /// The same puts without a fence: plain batches, one an actor.
    Driver,
    /// The same puts as groups that were made beforehand.
    Protocol,
    /// One conditional update after the other.
    Condition,
}

pub(super) const DRIVER: &str = "(a) raw driver, unfenced batches";
pub(super) const PROTOCOL: &str = "(b) journal and rows without the engine";
pub(super) const CONDITION: &str = "one bare conditional UPDATE";

impl Contender {
    /// Adds a value where it belongs.
    pub(super) fn add(self, row: &mut Row, value: f64) {
        match self {
            Contender::Ours => row.ours.push(value),
            Contender::Driver => row.reference(DRIVER, value),
            Contender::Protocol => row.reference(PROTOCOL, value),
            Contender::Condition => row.reference(CONDITION, value),
        }
    }
}
