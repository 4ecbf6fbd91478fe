//! The handle through which a test makes a connection to a [`MemoryCluster`](crate::MemoryCluster) fail.

use std::fmt;

use super::{
    database::JournalId,
    link::Link,
    plan::{Fate, FaultPlan, RequestKind},
};
use crate::cluster::{EntryProblem, NodeId};

/// What can be made to go wrong with one connection to a [`MemoryCluster`](crate::MemoryCluster), and with what stands
/// in the database.
#[derive(Clone)]
pub struct ClusterFaults(Link);

impl ClusterFaults {
    pub(super) fn new(link: Link) -> Self {
        ClusterFaults(link)
    }

    /// From now on requests meet the fates of this plan.
    pub fn follow(&self, plan: FaultPlan) {
        self.0.with_plan(|current| *current = plan);
    }

    /// The next `count` requests of this kind meet this fate, beside what the plan says.
    pub fn next(&self, count: usize, kind: RequestKind, fate: Fate) {
        self.0.with_plan(|plan| *plan = std::mem::take(plan).next(count, kind, fate));
    }

    /// All requests of this kind meet this fate from now on, beside what the plan says.
    pub fn always(&self, kind: RequestKind, fate: Fate) {
        self.0.with_plan(|plan| *plan = std::mem::take(plan).always(kind, fate));
    }

    /// The database is away for this connection: nothing is sent, until [`follow`](ClusterFaults::follow) is given
    /// another plan.
    pub fn cut(&self) {
        let cut = RequestKind::ALL.iter().fold(FaultPlan::calm(), |plan, &kind| plan.always(kind, Fate::Refuse));
        self.follow(cut);
    }

    /// From now on requests of these kinds are under way: neither applied nor answered.
    pub fn hold(&self, kinds: impl IntoIterator<Item = RequestKind>) {
        self.0.hold(kinds);
    }

    /// Ends the hold of these kinds: what is under way of them is applied, in order, and answered.
    pub fn release(&self, kinds: impl IntoIterator<Item = RequestKind>) {
        self.0.release(&kinds.into_iter().collect::<Vec<_>>());
    }

    /// Waits until at least `count` requests are held.
    ///
    /// # Cancel safety
    /// Safe: waiting changes nothing.
    pub async fn held(&self, count: usize) {
        self.0.held(count).await;
    }

    /// Delivers what met [`Fate::Strand`] or [`Fate::Echo`] so far, in order; how many requests that were.
    pub fn deliver_stranded(&self) -> usize {
        self.0.deliver_stranded()
    }

    /// How many requests of this kind were made so far, whatever became of them.
    pub fn asked(&self, kind: RequestKind) -> u64 {
        self.0.asked(kind)
    }

    /// Sets the wall clock of this connection's machine so far ahead of the database's, or behind it. Journals that are
    /// open already do not notice.
    pub fn set_clock_offset(&self, micros: i64) {
        self.0.set_clock_offset(micros);
    }

    /// Makes an entry of a journal unreadable.
    pub fn damage_entry(&self, node: NodeId, lane: u16, number: u64, problem: EntryProblem) {
        self.0.with_database(|database| database.damage(JournalId { node, lane }, number, problem));
    }

    /// Removes a journal.
    pub fn lose_journal(&self, node: NodeId, lane: u16) {
        self.0.with_database(|database| database.lose_journal(JournalId { node, lane }));
    }
}

impl fmt::Debug for ClusterFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClusterFaults").finish_non_exhaustive()
    }
}
