//! The cluster's store in memory passes the suite that it is the reference for, also where requests take their time,
//! overtake each other and come twice.

use std::time::Duration;

use dna_core::{
    EntryProblem, MemoryCluster, NodeId,
    testing::{ClusterUnderTest, Fate, FaultPlan, RequestKind},
};

use crate::under_test::{InMemory, NONE};

dna_core::cluster_conformance!(InMemory<NONE>);

/// Over connections on which a third of all requests is late or comes twice.
struct Unsteady;

const MOMENT: Duration = Duration::from_micros(100);

const FATES: [Fate; 4] = [
    Fate::Delay { request: MOMENT, answer: Duration::ZERO },
    Fate::Delay { request: Duration::ZERO, answer: MOMENT },
    Fate::Double(MOMENT),
    Fate::Echo,
];

fn unsteady(store: MemoryCluster, seed: u64) -> MemoryCluster {
    store.faults().follow(FaultPlan::random(seed, 333, RequestKind::ALL, FATES));
    store
}

impl ClusterUnderTest for Unsteady {
    type Store = MemoryCluster;
    type Guard = MemoryCluster;

    async fn open() -> (Self::Guard, Self::Store) {
        let store = unsteady(MemoryCluster::new(), 1);
        (store.another(), store)
    }

    async fn another(_: &Self::Guard, store: &Self::Store) -> Self::Store {
        store.faults().deliver_stranded();
        unsteady(store.another(), 2)
    }

    async fn hold_rows(guard: &Self::Guard, store: &Self::Store) {
        InMemory::<NONE>::hold_rows(guard, store).await;
    }

    async fn release_rows(guard: &Self::Guard, store: &Self::Store) {
        InMemory::<NONE>::release_rows(guard, store).await;
        store.faults().deliver_stranded();
    }

    async fn damage_entry(guard: &Self::Guard, node: NodeId, lane: u16, number: u64, problem: EntryProblem) {
        InMemory::<NONE>::damage_entry(guard, node, lane, number, problem).await;
    }

    async fn lose_journal(guard: &Self::Guard, node: NodeId, lane: u16) {
        InMemory::<NONE>::lose_journal(guard, node, lane).await;
    }
}

mod unsteady {
    dna_core::cluster_conformance!(super::Unsteady);
}
