//! The handle through which a test makes a [`Memory`](super::Memory) store fail, and watches it.

use std::{fmt, sync::Arc, time::Duration};

use super::Inner;
use crate::store::{ReadError, Refusal};

/// What can be made to go wrong with a [`Memory`](super::Memory) store, and what has been counted.
///
/// Every setting concerns the commits (or reads) that come to their turn after it. Commits have their turn in the
/// order in which they were received; a resent group that is in already is answered `Ok` and uses no fault up.
#[derive(Clone)]
pub struct MemoryFaults(Arc<Inner>);

/// What a memory store has counted since it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryStats {
    /// Calls of `commit`.
    pub commits_received: u64,
    /// Groups that were applied.
    pub groups_committed: u64,
    /// Calls of `get` and `scan`.
    pub reads: u64,
}

impl MemoryFaults {
    pub(super) fn new(inner: Arc<Inner>) -> Self {
        MemoryFaults(inner)
    }

    /// From now on commits are received, but neither applied nor answered.
    pub fn hold_commits(&self) {
        self.0.change(|state| state.plan.hold_commits = true);
    }

    /// Ends the hold: what waits is applied and answered, in order.
    pub fn release_commits(&self) {
        self.0.change(|state| {
            state.plan.hold_commits = false;
            state.plan.permits = 0;
        });
    }

    /// Lets the next `count` commits through the hold, those that wait already first.
    pub fn release_next_commits(&self, count: usize) {
        self.0.change(|state| state.plan.permits += count);
    }

    /// Refuses the next `count` new groups: `NotApplied(refusal)`.
    pub fn refuse_next(&self, count: usize, refusal: Refusal) {
        self.0.change(|state| state.plan.refuse.extend(std::iter::repeat_n(refusal, count)));
    }

    /// Applies the next `count` new groups, but answers `Unknown`.
    pub fn lose_next_answers(&self, count: usize) {
        self.0.change(|state| state.plan.lose_answers += count);
    }

    /// Answers `Unknown` to the next `count` new groups without applying them; sent again, they are applied.
    pub fn lose_next_requests(&self, count: usize) {
        self.0.change(|state| state.plan.lose_requests += count);
    }

    /// Every commit from now on takes this long, by tokio's clock. Needs a tokio runtime.
    pub fn delay_commits(&self, delay: Duration) {
        self.0.change(|state| state.plan.commit_delay = (!delay.is_zero()).then_some(delay));
    }

    /// Every read from now on takes this long, by tokio's clock. Needs a tokio runtime.
    pub fn delay_reads(&self, delay: Duration) {
        self.0.change(|state| state.plan.read_delay = (!delay.is_zero()).then_some(delay));
    }

    /// Another node has taken over: every commit from now on is `Fenced`, also those that wait, and so is every claim,
    /// until [`reopen`](MemoryFaults::reopen).
    pub fn fence(&self) {
        self.0.change(|state| state.ledger.fence());
    }

    /// The next new group meets a failing disk: it is applied or not, as `applied` says, and answered `Poisoned`.
    /// Everything behind it is `Closed`.
    pub fn poison_next(&self, applied: bool) {
        self.0.change(|state| state.plan.poison_next = Some(applied));
    }

    /// A write fails that belongs to no group, as one of a row writer: every new group from now on is `Closed`.
    pub fn poison(&self) {
        self.0.change(|state| state.ledger.poison_between_groups());
    }

    /// The next `count` reads fail.
    pub fn fail_next_reads(&self, count: usize, error: ReadError) {
        self.0.change(|state| state.plan.fail_reads.extend(std::iter::repeat_n(error, count)));
    }

    /// From now on reads wait.
    pub fn hold_reads(&self) {
        self.0.reads_held.send_replace(true);
    }

    /// Ends the hold of the reads.
    pub fn release_reads(&self) {
        self.0.reads_held.send_replace(false);
    }

    /// What a restart of the process makes of a store: the claim, a fence and a poisoning are gone, what was received
    /// but not applied never will be (it is answered `Unknown`), the rows stay. Faults that are still to come stay, too.
    pub fn reopen(&self) {
        self.0.change(|state| {
            state.queue.clear();
            state.claimed = false;
            state.ledger.reopen();
        });
    }

    /// Waits until at least `count` commits wait for their turn or for their release.
    ///
    /// # Cancel safety
    /// Safe: waiting changes nothing.
    pub async fn commits_waiting(&self, count: usize) {
        // The sender lives as long as this handle.
        let _ = self.0.commits_waiting.subscribe().wait_for(|waiting| *waiting >= count).await;
    }

    /// Waits until at least `count` reads are held.
    ///
    /// # Cancel safety
    /// Safe: waiting changes nothing.
    pub async fn reads_waiting(&self, count: usize) {
        // The sender lives as long as this handle.
        let _ = self.0.reads_waiting.subscribe().wait_for(|waiting| *waiting >= count).await;
    }

    /// What has been counted so far.
    pub fn stats(&self) -> MemoryStats {
        let state = self.0.state.lock();
        MemoryStats {
            commits_received: state.plan.commits_received,
            groups_committed: state.plan.groups_committed,
            reads: state.plan.reads,
        }
    }
}

impl fmt::Debug for MemoryFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryFaults").field("stats", &self.stats()).finish_non_exhaustive()
    }
}
