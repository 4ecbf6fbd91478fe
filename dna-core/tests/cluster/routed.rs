//! A member and its router: what goes there, and what waits for it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use dna_core::{
    ActorName, Actors, CallError, Delivered, Engine, Inbound, MemoryCluster, Outbound, Overload, Router, Settings,
    Shard, Unrouted,
};
use parking_lot::Mutex;

use crate::member::{Counter, Message, SHARDS, begin, call, shard_of, start};

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

/// Takes everything, and notes it, with whether it stood in a mailbox.
#[derive(Default)]
struct Notes(Mutex<Vec<(bytes::Bytes, bool)>>);

impl Router for Notes {
    fn route(&self, message: Outbound) -> Result<(), Unrouted> {
        self.0.lock().push((message.message, message.was_returned));
        Ok(())
    }

    fn poll_room(&self, _: &ActorName, _: &mut Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }

    fn routed(&self) -> usize {
        0
    }
}

#[tokio::test]
async fn routed_casts_that_wait_for_room_go_back_to_the_router_in_their_order_and_nobody_else_settles_them() {
    let mut settings = Settings::default();
    settings.mailbox_messages_max = 1;
    let (engine, member) = Engine::member(Actors::new().with::<Counter>(), settings, SHARDS).unwrap();
    let notes = Arc::new(Notes::default());
    assert!(member.route_through(notes.clone()));
    let (_lease, _journals) = begin(&member, &MemoryCluster::new(), 1, 1).await;
    let encoded = |amount| bytes::Bytes::from(rmp_serde::to_vec_named(&Message::Add(amount)).unwrap());
    let deliver = |amount| {
        member.deliver(Inbound {
            shard: shard_of("alice"),
            actor: ActorName::new("default", "Counter", "alice").unwrap(),
            message: encoded(amount),
            callers: None,
            time_left: None,
            is_own: true,
            no_wait: false,
            trace: None,
        })
    };
    for amount in [1, 10, 100] {
        assert!(matches!(deliver(amount), Ok(Delivered::Admitted)), "nobody waits for {amount}");
    }
    member.release(&(0..SHARDS.get()).map(Shard).collect::<Vec<_>>()).await;
    assert_eq!(*notes.0.lock(), [(encoded(10), true), (encoded(100), true)]);
    member.own(&[(shard_of("alice"), 2)]);
    assert_eq!(
        call(&engine.client::<Counter>("alice"), Message::Add(0)).await.unwrap(),
        1,
        "the first one was handled"
    );
    engine.shutdown().await.unwrap();
}
