//! The cluster's store in memory, as the suite of its port sees it.

use dna_core::{
    EntryProblem, MemoryCluster, NodeId,
    testing::{ClusterUnderTest, RequestKind, Rule},
};

/// The store, or the store without one rule.
pub(crate) struct InMemory<const WITHOUT: usize>;

/// The index of no rule.
pub(crate) const NONE: usize = usize::MAX;

impl<const WITHOUT: usize> ClusterUnderTest for InMemory<WITHOUT> {
    type Store = MemoryCluster;
    type Guard = MemoryCluster;

    async fn open() -> (Self::Guard, Self::Store) {
        let store = match Rule::ALL.get(WITHOUT) {
            Some(&rule) => MemoryCluster::without(rule),
            None => MemoryCluster::new(),
        };
        (store.another(), store)
    }

    async fn another(_: &Self::Guard, store: &Self::Store) -> Self::Store {
        store.another()
    }

    async fn hold_rows(_: &Self::Guard, store: &Self::Store) {
        store.faults().hold([RequestKind::StoreRows]);
    }

    async fn release_rows(_: &Self::Guard, store: &Self::Store) {
        store.faults().release([RequestKind::StoreRows]);
    }

    async fn damage_entry(guard: &Self::Guard, node: NodeId, lane: u16, number: u64, problem: EntryProblem) {
        guard.faults().damage_entry(node, lane, number, problem);
    }

    async fn lose_journal(guard: &Self::Guard, node: NodeId, lane: u16) {
        guard.faults().lose_journal(node, lane);
    }
}
