//! Changes of the view whose requests or answers are lost, late or doubled.

use dna_cluster::View;
use dna_core::{
    ClusterStore, MemoryCluster, Shard,
    testing::{Fate, RequestKind},
};

use super::support::{LEASE, SHARDS, TestNode};

const FATES: [Fate; 5] = [Fate::LoseRequest, Fate::LoseAnswer, Fate::Strand, Fate::Echo, Fate::Late(LEASE)];

#[tokio::test(start_paused = true)]
async fn a_takeover_whose_requests_go_astray_is_one_takeover() {
    for fate in FATES {
        for kind in [RequestKind::SwapView, RequestKind::Seal, RequestKind::StoreRows] {
            let database = MemoryCluster::new();
            let first = TestNode::start(&database).await;
            let second = TestNode::start(&database).await;
            first.faults().hold([RequestKind::StoreRows]);
            assert_eq!(first.counters.count(Shard(1)).await, Ok(1));
            first.die();
            second.faults().next(2, kind, fate);

            second.owns_all().await;
            assert_eq!(second.counters.count(Shard(1)).await, Ok(2), "{fate:?} {kind:?}");
            second.faults().deliver_stranded();
            tokio::time::sleep(LEASE * 2).await;
            let register = database.read_view().await.unwrap();
            let view = View::decode(&register.bytes).unwrap();
            assert_eq!((register.version, view.members().count()), (3, 1), "{fate:?} {kind:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_leave_whose_requests_go_astray_is_one_leave() {
    for fate in FATES {
        for kind in [RequestKind::SwapView, RequestKind::Seal, RequestKind::Release] {
            let database = MemoryCluster::new();
            let first = TestNode::start(&database).await;
            let second = TestNode::start(&database).await;
            assert_eq!(first.counters.count(Shard(1)).await, Ok(1));
            first.faults().next(2, kind, fate);
            let faults = first.faults();
            first.leave().await.unwrap();

            second.owns_all().await;
            faults.deliver_stranded();
            assert_eq!(second.counters.count(Shard(1)).await, Ok(2), "{fate:?} {kind:?}");
            let view = View::decode(&database.read_view().await.unwrap().bytes).unwrap();
            assert_eq!((view.members().count(), second.shards()), (1, SHARDS as usize), "{fate:?} {kind:?}");
        }
    }
}
