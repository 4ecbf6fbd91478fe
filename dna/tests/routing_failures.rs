//! What a caller is told when something goes wrong between its node and the one that serves the name.
#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods, clippy::indexing_slicing, reason = "tests")]

#[path = "support/forwarder.rs"]
mod forwarder;
#[path = "support/nodes.rs"]
mod nodes;
#[path = "support/pipeline.rs"]
mod pipeline;

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use dna::{CallError, Location, MemoryCluster, NodeBuilder, Overload, prelude::*};
use forwarder::{forward, forward_until_it_stalls, free_address};
use nodes::until;
use pipeline::sent;
use tokio::{net::TcpListener, sync::watch};

struct Counter {
    count: Value<u32>,
}

/// How many calls of `slow` have begun, in each test.
static BEGUN: [AtomicUsize; 5] = [const { AtomicUsize::new(0) }; 5];

fn begun(test: usize) -> usize {
    BEGUN[test].load(Ordering::Acquire)
}

#[dna::actor]
impl Counter {
    async fn init(ctx: Context) -> dna::Result<Self> {
        Ok(Counter { count: ctx.open("count")? })
    }

    pub async fn count(&mut self) -> dna::Result<u32> {
        let count = self.count.get().await?.unwrap_or_default() + 1;
        self.count.set(count);
        Ok(count)
    }

    /// Takes longer than any test.
    pub async fn slow(&mut self, test: usize) {
        BEGUN[test].fetch_add(1, Ordering::AcqRel);
        tokio::time::sleep(Duration::from_secs(600)).await;
    }
}

fn builder(cluster: &MemoryCluster) -> NodeBuilder {
    let listen: SocketAddr = "127.0.0.1:0".parse().unwrap();
    Node::builder().store(cluster.clone()).listen(listen).lease(Duration::from_secs(2)).actor::<Counter>()
}

/// Two nodes, the second of which owns nothing, and so calls everything at the first.
async fn server_and_client(server: impl FnOnce(NodeBuilder) -> NodeBuilder) -> (Node, Node) {
    let cluster = MemoryCluster::new();
    let server = server(builder(&cluster)).start().await.unwrap();
    let client = builder(&cluster.another()).weight(0).start().await.unwrap();
    until("the owner is known", || matches!(client.whereis::<Counter>("alice").unwrap(), Location::There(_))).await;
    (server, client)
}

#[tokio::test]
async fn a_call_whose_handler_had_begun_on_a_node_that_ends_is_not_handled_elsewhere() {
    let (server, client) = server_and_client(|builder| builder).await;
    assert_eq!(client.client::<Counter>("bob").count().await.unwrap(), 1);
    let was_there = tokio::spawn(client.client::<Counter>("alice").slow(0).into_future());
    until("its handler has begun", || begun(0) == 1).await;
    drop(server);
    let error = was_there.await.unwrap().unwrap_err();
    assert!(matches!(error, CallError::Disconnected | CallError::Stopped { .. }), "{error:?}");

    // What has not left yet waits until somebody has taken over, which is this node itself.
    assert_eq!(client.client::<Counter>("bob").count().await.unwrap(), 2);
    assert_eq!(client.client::<Counter>("alice").count().await.unwrap(), 1);
    assert_eq!(begun(0), 1);
    client.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_call_whose_connection_breaks_is_unknown_and_the_next_one_takes_a_new_connection() {
    const CASTS: u64 = 5;
    let (front, back) = (TcpListener::bind("127.0.0.1:0").await.unwrap(), free_address().await);
    let advertised = front.local_addr().unwrap();
    let (cut, cuts) = watch::channel(());
    tokio::spawn(forward(front, back, cuts));
    let settings = |builder: NodeBuilder| builder.listen(back).advertise(advertised).mailbox_messages_max(1);
    let (server, client) = server_and_client(settings).await;
    let alice = client.client::<Counter>("alice");
    let was_there = tokio::spawn(alice.slow(1).into_future());
    until("its handler has begun", || begun(1) == 1).await;
    let was_queued = sent(alice.slow(1)).await;
    for _ in 0..CASTS {
        alice.slow(1).cast().await.unwrap();
    }
    // Since this one has found the mailbox full, those before it are there, too: the casts wait for room.
    let refused = alice.slow(1).no_wait().await.unwrap_err();
    assert_eq!(refused, CallError::Overloaded(Overload::Mailbox));
    assert_eq!(client.stats().dropped_casts, 0);
    cut.send_replace(());
    for call in [was_there, was_queued] {
        let error = call.await.unwrap().unwrap_err();
        assert_eq!((&error, error.outcome()), (&CallError::Disconnected, Outcome::Unknown));
    }
    until("the casts are counted", || client.stats().dropped_casts == CASTS).await;
    let bob = client.client::<Counter>("bob");
    assert_eq!(bob.count().await.unwrap(), 1);
    bob.count().cast().await.unwrap();
    assert_eq!(bob.count().await.unwrap(), 3);
    assert_eq!(begun(1), 1);
    assert_eq!((client.stats().dropped_casts, server.stats().dropped_casts), (CASTS, 0), "each is counted once");
    drop((server, client));
}

#[tokio::test]
async fn a_time_out_below_a_second_tells_what_another_node_never_started() {
    let (server, client) = server_and_client(|builder| builder).await;
    let alice = client.client::<Counter>("alice");
    let busy = tokio::spawn(alice.slow(2).timeout(Duration::from_millis(900)).into_future());
    until("its handler has begun", || begun(2) == 1).await;
    let queued = alice.count().timeout(Duration::from_millis(200)).await.unwrap_err();
    assert_eq!(queued, CallError::TimedOut { outcome: Outcome::NotApplied });
    let started = busy.await.unwrap().unwrap_err();
    assert_eq!(started, CallError::TimedOut { outcome: Outcome::Unknown });
    drop((server, client));
}

#[tokio::test]
async fn the_overload_of_another_node_is_told_from_that_of_ones_own() {
    let (server, client) = server_and_client(|builder| builder.queued_messages_max(4)).await;
    let alice = client.client::<Counter>("alice");
    let mut calls = vec![tokio::spawn(alice.slow(3).into_future())];
    until("its handler has begun", || begun(3) == 1).await;
    calls.extend((0..4).map(|_| tokio::spawn(alice.slow(3).into_future())));
    let refused = async {
        loop {
            match alice.slow(3).timeout(Duration::from_millis(100)).await {
                Err(CallError::TimedOut { outcome: Outcome::NotApplied }) => {}
                other => return other,
            }
        }
    };
    let refused = tokio::time::timeout(Duration::from_secs(20), refused).await.unwrap().unwrap_err();
    assert_eq!((&refused, refused.outcome()), (&CallError::Overloaded(Overload::Peer), Outcome::NotApplied));
    let own = server.client::<Counter>("alice").slow(3).await.unwrap_err();
    assert_eq!(own, CallError::Overloaded(Overload::Node));
    calls.iter().for_each(tokio::task::JoinHandle::abort);
    drop((server, client));
}

#[tokio::test]
async fn who_gains_a_name_serves_others_while_a_message_of_its_own_to_the_former_owner_is_out() {
    let (front, back) = (TcpListener::bind("127.0.0.1:0").await.unwrap(), free_address().await);
    let advertised = front.local_addr().unwrap();
    let (stall, stalls) = watch::channel(false);
    tokio::spawn(forward_until_it_stalls(front, back, stalls));
    let cluster = MemoryCluster::new();
    let former = builder(&cluster).listen(back).advertise(advertised).start().await.unwrap();
    let next = builder(&cluster.another()).weight(0).start().await.unwrap();
    let other = builder(&cluster.another()).weight(0).start().await.unwrap();
    let names = (0..16).map(|number| format!("name {number}")).collect::<Vec<_>>();
    for name in &names {
        assert_eq!(next.client::<Counter>(name.as_str()).count().await.unwrap(), 1);
    }

    stall.send_replace(true);
    let call = |name: &String| Box::pin(next.client::<Counter>(name.as_str()).count().into_future());
    let mut out = names.iter().map(call).collect::<Vec<_>>();
    // A call leaves when it is polled first.
    for call in &mut out {
        assert!(futures_util::poll!(call.as_mut()).is_pending());
    }
    tokio::time::timeout(Duration::from_secs(20), former.drain()).await.unwrap();
    let gained = |name: &&String| next.whereis::<Counter>(name.as_str()).unwrap() == Location::Here;
    until("a name is gained", || names.iter().any(|name| gained(&name))).await;
    let at_next = |name: &String| {
        let location = other.whereis::<Counter>(name.as_str()).unwrap();
        matches!(location, Location::There(owner) if Some(owner.address) == next.address())
    };
    for name in names.iter().filter(gained) {
        // What was sent to the former owner would wait for its connection.
        until("the new owner is known", || at_next(name)).await;
        // Sooner than anybody notices that the connection is dead.
        let call = other.client::<Counter>(name.as_str()).count().timeout(Duration::from_secs(3));
        assert_eq!(call.await.unwrap(), 2, "{name}");
    }
    drop((out, former, next, other));
}

#[tokio::test]
async fn who_does_not_want_to_wait_is_told_at_once_that_a_mailbox_of_another_node_is_full() {
    let (server, client) = server_and_client(|builder| builder.mailbox_messages_max(1)).await;
    let alice = client.client::<Counter>("alice");
    let busy = tokio::spawn(alice.slow(4).into_future());
    until("its handler has begun", || begun(4) == 1).await;
    let queued = tokio::spawn(alice.count().into_future());
    let refused = async {
        loop {
            match alice.count().no_wait().timeout(Duration::from_millis(100)).await {
                Err(CallError::TimedOut { outcome: Outcome::NotApplied }) => {}
                other => return other,
            }
        }
    };
    let refused = tokio::time::timeout(Duration::from_secs(20), refused).await.unwrap().unwrap_err();
    assert!(matches!(refused, CallError::Overloaded(Overload::Mailbox)), "{refused:?}");
    busy.abort();
    queued.abort();
    drop((server, client));
}

#[tokio::test]
async fn a_message_of_another_namespace_is_refused_and_holds_up_no_other() {
    let cluster = MemoryCluster::new();
    let server = builder(&cluster).start().await.unwrap();
    let client = builder(&cluster.another()).weight(0).namespace("elsewhere").start().await.unwrap();
    until("the owner is known", || matches!(client.whereis::<Counter>("alice").unwrap(), Location::There(_))).await;
    client.client::<Counter>("alice").count().cast().await.unwrap();
    let refused = client.client::<Counter>("alice").count().await.unwrap_err();
    assert!(matches!(&refused, CallError::UnknownActor { kind } if kind.starts_with("elsewhere/")), "{refused:?}");
    assert_eq!(server.client::<Counter>("alice").count().await.unwrap(), 1);
    drop((server, client));
}
