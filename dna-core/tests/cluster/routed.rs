//! A member whose way to other nodes is full.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use dna_core::{ActorName, CallError, MemoryCluster, Outbound, Overload, Router, Shard, Unrouted};

use crate::member::{Counter, Message, SHARDS, begin, call, start};

/// Has room for nothing, and counts who asked for some.
#[derive(Default)]
struct Full(AtomicUsize);

impl Router for Full {
    fn route(&self, _: Outbound) -> Result<(), Unrouted> {
        Err(Unrouted::Refused(CallError::Overloaded(Overload::Routes)))
    }

    fn poll_room(&self, _: &ActorName, _: &mut Context<'_>) -> Poll<()> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Poll::Pending
    }

    fn routed(&self) -> usize {
        0
    }
}

#[tokio::test]
async fn a_cast_to_an_actor_of_this_node_does_not_wait_for_room_to_other_nodes() {
    let (engine, member) = start();
    let full = Arc::new(Full::default());
    assert!(member.route_through(full.clone()));
    let (_lease, _journals) = begin(&member, &MemoryCluster::new(), 1, 1).await;
    let alice = engine.client::<Counter>("alice");
    for n in 1..10 {
        assert_eq!(call(&alice, Message::Count).cast().await, Ok(()));
        assert_eq!(call(&alice, Message::Count).await.unwrap(), 2 * n);
    }
    assert_eq!(full.0.load(Ordering::SeqCst), 0, "nobody asked for room");

    member.release(&(0..SHARDS.get()).map(Shard).collect::<Vec<_>>()).await;
    let mut cast = Box::pin(call(&alice, Message::Count).cast());
    assert!(futures_util::poll!(&mut cast).is_pending(), "by now it goes to another node");
    assert_eq!(full.0.load(Ordering::SeqCst), 1);
    drop(cast);
    engine.shutdown().await.unwrap();
}
