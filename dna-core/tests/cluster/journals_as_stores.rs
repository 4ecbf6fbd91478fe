//! What one node of a cluster commits through is a store like any other.

use dna_core::{
    ClusterStore, MemoryCluster, NodeId, Timestamp,
    testing::{LaneStore, StoreUnderTest},
};

/// The second lane of a node that has two.
struct OfACluster;

impl StoreUnderTest for OfACluster {
    type Store = LaneStore;
    type Guard = ();

    async fn open() -> (Self::Guard, Self::Store) {
        let cluster = MemoryCluster::new();
        let journals = cluster.open_journals(NodeId::new(), 2, Timestamp::ZERO).await.unwrap();
        ((), LaneStore::new(journals, 1))
    }
}

dna_core::store_conformance!(OfACluster);
