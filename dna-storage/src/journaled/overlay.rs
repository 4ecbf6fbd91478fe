//! The groups that are committed and not yet stored as rows, in order.
//!
//! A read looks here first and at the rows second. A group leaves only when its rows are stored, so that a row on its
//! way from here to there is always seen in one of the two places.

use std::{collections::VecDeque, sync::Arc};

use bytes::Bytes;
use parking_lot::RwLock;

use super::{row_key::RowRange, run::Run};

#[derive(Debug, Default)]
pub(super) struct Overlay {
    waiting: RwLock<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    runs: VecDeque<Arc<Run>>,
    bytes: usize,
    operations: usize,
}

/// How much waits to be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lag {
    pub(super) entries: usize,
    pub(super) bytes: usize,
    /// Puts, deletes and range deletes.
    pub(super) operations: usize,
    /// The stamp of the oldest group.
    pub(super) oldest: Option<u64>,
}

impl Overlay {
    /// Adds the group that was just committed.
    pub(super) fn push(&self, run: Arc<Run>) {
        let mut waiting = self.waiting.write();
        waiting.bytes += run.bytes();
        waiting.operations += run.operations();
        waiting.runs.push_back(run);
    }

    /// Takes the oldest groups out: their rows are stored.
    pub(super) fn remove_through(&self, number: u64) {
        let mut waiting = self.waiting.write();
        let mut removed = Vec::new();
        while let Some(run) = waiting.runs.pop_front_if(|run| run.number <= number) {
            waiting.bytes -= run.bytes();
            waiting.operations -= run.operations();
            removed.push(run);
        }
        drop(waiting);
        // What the runs hold is given back here, outside the lock.
        drop(removed);
    }

    /// What the newest group that touched a row did to it: `None` if none did, `Some(None)` if it removed it.
    pub(super) fn get(&self, address: &[u8]) -> Option<Option<Bytes>> {
        self.waiting.read().runs.iter().rev().find_map(|run| run.get(address))
    }

    /// The groups that did anything within a range, oldest first.
    pub(super) fn touching(&self, range: &RowRange) -> Vec<Arc<Run>> {
        self.waiting.read().runs.iter().filter(|run| run.touches(range)).cloned().collect()
    }

    /// The oldest groups, at least one if there is any, and no more than `bytes` together unless the first is alone.
    pub(super) fn oldest(&self, bytes: usize) -> Vec<Arc<Run>> {
        let waiting = self.waiting.read();
        let mut total = 0_usize;
        let fits = |run: &&Arc<Run>| {
            let first = total == 0;
            total = total.saturating_add(run.bytes().max(1));
            first || total <= bytes
        };
        waiting.runs.iter().take_while(fits).cloned().collect()
    }

    /// Whether a group with this number or a lower one waits to be stored.
    pub(super) fn holds_any_through(&self, number: u64) -> bool {
        self.waiting.read().runs.front().is_some_and(|run| run.number <= number)
    }

    pub(super) fn lag(&self) -> Lag {
        let waiting = self.waiting.read();
        Lag {
            entries: waiting.runs.len(),
            bytes: waiting.bytes,
            operations: waiting.operations,
            oldest: waiting.runs.front().map(|run| run.stamp),
        }
    }
}
