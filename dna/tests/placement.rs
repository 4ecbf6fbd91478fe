//! Nodes of one process on one cluster's store, with real sockets between them: actors of types that are placed `local`.
#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods, clippy::indexing_slicing, reason = "tests")]

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use dna::{
    CallError, Location, MemoryCluster, NodeAddress, NodeId, PlacingProblem, Shard, StartError,
    prelude::*,
    testing::{Fate, RequestKind},
};

/// Keeps what it was sent, in the order of its handling.
struct Journal {
    lines: Kv<u64, u64>,
    count: u64,
}

#[dna::actor(placement = "local")]
impl Journal {
    async fn init(ctx: Context) -> dna::Result<Self> {
        let lines: Kv<u64, u64> = ctx.open("lines")?;
        let count = lines.list().await?.len() as u64;
        Ok(Journal { lines, count })
    }

    pub async fn append(&mut self, number: u64) -> u64 {
        self.lines.put(self.count, number);
        self.count += 1;
        self.count
    }

    pub async fn all(&self) -> dna::Result<Vec<u64>> {
        Ok(self.lines.list().await?.into_iter().map(|(_, number)| number).collect())
    }

    /// Casts to that one, and calls it then.
    pub async fn pass_on(&mut self, other: String, number: u64) -> Result<u64, String> {
        let other = Journal::client(other);
        other.append(number).cast().await.map_err(|error| error.to_string())?;
        other.append(number).await.map_err(|error| error.to_string())
    }
}

const LEASE: Duration = Duration::from_millis(1500);
const SHARDS: u32 = 256;

/// How long anything may take that is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

fn loopback() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

fn builder(cluster: &MemoryCluster) -> NodeBuilder {
    Node::builder().store(cluster.clone()).listen(loopback()).lease(LEASE)
}

async fn start(cluster: &MemoryCluster) -> Node {
    builder(cluster).actor::<Journal>().start().await.unwrap()
}

fn id(node: &Node) -> NodeId {
    node.membership().unwrap().current().me().unwrap()
}

fn address(node: &Node) -> NodeAddress {
    NodeAddress::new(id(node), node.address().unwrap())
}

/// Waits until each of these nodes sees every shard where it should be.
async fn until_balanced(nodes: &[Node]) {
    let ids = nodes.iter().map(id).collect::<Vec<_>>();
    let best = |shard| dna_core::rendezvous(Shard(shard), ids.iter().map(|node| (*node, 100)));
    let expected = (0..SHARDS).map(best).collect::<Vec<_>>();
    for node in nodes {
        let mut membership = node.membership().unwrap();
        let balanced = async {
            while membership.latest().owners() != expected {
                membership.changed().await.unwrap();
            }
        };
        tokio::time::timeout(PATIENCE, balanced).await.unwrap();
    }
}

/// Three nodes that share the shards, each with the connection of its own to the store.
async fn three() -> (Vec<Node>, Vec<MemoryCluster>) {
    let first = MemoryCluster::new();
    let clusters = vec![first.another(), first.another(), first];
    let mut nodes = Vec::new();
    for cluster in &clusters {
        nodes.push(start(cluster).await);
    }
    until_balanced(&nodes).await;
    (nodes, clusters)
}

async fn shut_down(nodes: Vec<Node>) {
    for node in nodes {
        node.shutdown().await.unwrap();
    }
}

/// Calls again for as long as that is worth it.
async fn append(journal: &JournalClient, number: u64) -> u64 {
    let began = Instant::now();
    loop {
        match journal.append(number).await {
            Ok(count) => return count,
            Err(error) if error.is_retryable() && began.elapsed() < PATIENCE => tokio::task::yield_now().await,
            Err(error) => panic!("{error:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_lives_where_it_is_first_called_and_every_node_agrees_also_after_a_passivation_and_a_drain() {
    let (nodes, _) = three().await;
    for n in 0..30 {
        let (first, name) = (&nodes[n % 3], format!("name {n}"));
        assert_eq!(first.whereis::<Journal>(name.as_str()), Ok(Location::Unknown));
        assert_eq!(first.client::<Journal>(name.as_str()).append(1).await.unwrap(), 1);
        assert_eq!(first.whereis::<Journal>(name.as_str()), Ok(Location::Here));
        for (count, other) in (2..).zip([&nodes[(n + 1) % 3], &nodes[(n + 2) % 3]]) {
            assert_eq!(other.client::<Journal>(name.as_str()).append(count).await.unwrap(), count);
            assert_eq!(other.whereis::<Journal>(name.as_str()), Ok(Location::There(address(first))));
        }
    }
    assert_eq!(nodes.iter().map(|node| node.stats().activations).collect::<Vec<_>>(), [10; 3]);

    nodes[1].passivate_all().await;
    for n in 0..30 {
        let (first, name) = (&nodes[n % 3], format!("name {n}"));
        assert_eq!(nodes[(n + 1) % 3].client::<Journal>(name.as_str()).append(4).await.unwrap(), 4);
        assert_eq!(first.whereis::<Journal>(name.as_str()), Ok(Location::Here));
    }
    nodes[1].drain().await;
    for n in 0..30 {
        let name = format!("name {n}");
        for (count, node) in (5..).zip(&nodes) {
            assert_eq!(node.client::<Journal>(name.as_str()).append(count).await.unwrap(), count, "{name}");
        }
        assert_ne!(nodes[1].whereis::<Journal>(name.as_str()), Ok(Location::Here));
        assert_eq!(nodes[0].client::<Journal>(name).all().await.unwrap(), (1..8).collect::<Vec<_>>());
    }
    // What is new where nothing is to live any more lives elsewhere.
    assert_eq!(nodes[1].client::<Journal>("new").append(1).await.unwrap(), 1);
    assert!(matches!(nodes[1].whereis::<Journal>("new"), Ok(Location::There(_))));
    shut_down(nodes).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_of_one_handle_are_handled_in_order_from_the_very_first_one() {
    const MESSAGES: u64 = 6_000;
    let (nodes, clusters) = three().await;
    for (from, home) in [(0, 0), (1, 2)] {
        let name = format!("from {from}");
        if home != from {
            nodes[home].client::<Journal>(name.as_str()).append(0).await.unwrap();
        }
        let faults = clusters[from].faults();
        faults.hold([RequestKind::RegisterName]);
        let journal = nodes[from].client::<Journal>(name.as_str());
        let sender = tokio::spawn({
            let journal = journal.clone();
            async move {
                let mut calls = Vec::new();
                for number in 1..MESSAGES {
                    if number % 7 == 0 {
                        let mut call = Box::pin(journal.append(number).into_future());
                        assert!(futures_util::poll!(&mut call).is_pending());
                        calls.push(tokio::spawn(call));
                    } else {
                        journal.append(number).cast().await.unwrap();
                    }
                }
                calls
            }
        });
        faults.held(1).await;
        let queued = async {
            while nodes[from].stats().queued < 4_000 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(PATIENCE, queued).await.unwrap();
        assert_eq!(nodes[from].whereis::<Journal>(name.as_str()), Ok(Location::Unknown));
        faults.release([RequestKind::RegisterName]);
        for call in sender.await.unwrap() {
            call.await.unwrap().unwrap();
        }
        let all = journal.all().await.unwrap();
        let expected = if home == from { 1..MESSAGES } else { 0..MESSAGES };
        assert_eq!(all, expected.collect::<Vec<_>>());
        assert_eq!(nodes[home].whereis::<Journal>(name.as_str()), Ok(Location::Here));
        assert_eq!(nodes[from].stats().queued, 0);
    }
    shut_down(nodes).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_names_called_first_from_three_nodes_at_once_are_activated_once_each() {
    const NAMES: usize = 1_000;
    let (nodes, _) = three().await;
    let clients = |node: &Node| (0..NAMES).map(|n| node.client::<Journal>(format!("{n}"))).collect::<Vec<_>>();
    let calls = nodes.iter().map(|node| {
        let clients = clients(node);
        tokio::spawn(async move {
            let calls = clients.iter().map(|journal| journal.append(7).into_future());
            futures_util::future::join_all(calls).await
        })
    });
    let mut counts = vec![0; NAMES];
    for answers in futures_util::future::join_all(calls).await {
        for (sum, count) in counts.iter_mut().zip(answers.unwrap()) {
            *sum += count.unwrap();
        }
    }
    assert!(counts.iter().all(|sum| *sum == 1 + 2 + 3), "each is handled by the same activation");
    assert_eq!(nodes.iter().map(|node| node.stats().activations).sum::<u64>(), NAMES as u64);
    for n in 0..NAMES {
        let homes = nodes.iter().map(|node| match node.whereis::<Journal>(format!("{n}")).unwrap() {
            Location::Here => address(node),
            Location::There(home) => home,
            other => panic!("{other:?}"),
        });
        let homes = homes.collect::<Vec<_>>();
        assert!(homes.iter().all(|home| *home == homes[0]), "{homes:?}");
    }
    shut_down(nodes).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_names_of_a_dead_node_are_served_by_the_survivors() {
    let (mut nodes, _) = three().await;
    for n in 0..20 {
        nodes[2].client::<Journal>(format!("{n}")).append(1).await.unwrap();
    }
    // This one knows where the first ten were.
    for n in 0..10 {
        nodes[1].client::<Journal>(format!("{n}")).append(2).await.unwrap();
    }
    drop(nodes.pop());
    for n in 0..20 {
        for node in &nodes {
            append(&node.client::<Journal>(format!("{n}")), 3).await;
        }
        let all = nodes[0].client::<Journal>(format!("{n}")).all().await.unwrap();
        assert_eq!(all, if n < 10 { vec![1, 2, 3, 3] } else { vec![1, 3, 3] });
        let homes = nodes.iter().filter(|node| node.whereis::<Journal>(format!("{n}")) == Ok(Location::Here));
        assert_eq!(homes.count(), 1);
    }
    shut_down(nodes).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registration_that_fails_was_not_applied_names_the_actor_and_the_next_call_succeeds() {
    let cluster = MemoryCluster::new();
    let node = start(&cluster).await;
    let faults = cluster.faults();
    let problem = |error: &CallError| {
        let CallError::NotPlaced { actor, problem } = error else { panic!("{error:?}") };
        assert!(actor.starts_with("default/Journal/") && error.to_string().contains(actor), "{error}");
        assert_eq!((error.outcome(), error.is_retryable()), (Outcome::NotApplied, true));
        *problem
    };

    faults.next(1, RequestKind::RegisterName, Fate::Refuse);
    let journal = node.client::<Journal>("refused");
    let error = journal.append(1).await.unwrap_err();
    assert_eq!(problem(&error), PlacingProblem::Unavailable);
    assert!(error.to_string().contains("try again later"), "{error}");
    assert_eq!(journal.append(1).await.unwrap(), 1);

    faults.next(3, RequestKind::RegisterName, Fate::Strand);
    assert_eq!(node.client::<Journal>("in doubt").append(1).await.unwrap(), 1, "it is asked again");

    faults.hold([RequestKind::RegisterName]);
    let journal = node.client::<Journal>("late");
    for millis in [50, 1_100] {
        let error = journal.append(1).timeout(Duration::from_millis(millis)).await.unwrap_err();
        assert_eq!(problem(&error), PlacingProblem::TimedOut, "{millis} ms");
    }
    let dropped = journal.append(1);
    assert!(futures_util::poll!(Box::pin(dropped)).is_pending());
    faults.release([RequestKind::RegisterName]);
    assert_eq!(journal.append(1).await.unwrap(), 1, "nothing of those has been handled");

    // One that is queued when the node ends is told so.
    faults.hold([RequestKind::RegisterName]);
    let late = tokio::spawn(node.client::<Journal>("never").append(1).into_future());
    faults.held(1).await;
    drop(node);
    let error = late.await.unwrap().unwrap_err();
    assert_eq!(error, CallError::Stopped { outcome: Outcome::NotApplied });
    faults.release([RequestKind::RegisterName]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn handlers_call_and_cast_to_new_names() {
    let (nodes, _) = three().await;
    for n in 0..10 {
        let journal = nodes[n % 3].client::<Journal>(format!("from {n}"));
        journal.pass_on(format!("to {n}"), 7).await.unwrap();
        let to = nodes[(n + 1) % 3].client::<Journal>(format!("to {n}"));
        let handled = async {
            while to.all().await.unwrap().len() < 2 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(PATIENCE, handled).await.unwrap();
        assert_eq!(nodes[n % 3].whereis::<Journal>(format!("to {n}")), Ok(Location::Here));
    }
    shut_down(nodes).await;
}

/// Journals as they are placed elsewhere.
mod by_hash {
    use dna::prelude::*;

    pub(crate) struct Journal;

    #[dna::actor(vis = pub(crate), placement = "hash")]
    impl Journal {
        async fn init(_: Context) -> dna::Result<Self> {
            Ok(Journal)
        }

        pub async fn all(&self) -> dna::Result<Vec<u64>> {
            Ok(vec![])
        }
    }
}

#[tokio::test]
async fn a_node_that_places_a_type_differently_is_refused_with_both_values() {
    let cluster = MemoryCluster::new();
    let node = start(&cluster).await;
    let error = builder(&cluster.another()).actor::<by_hash::Journal>().start().await.unwrap_err();
    assert!(matches!(error, StartError::Join(_)), "{error:?}");
    let message = error.to_string();
    assert!(message.contains("the placement of `Journal` is hash here and local in the cluster"), "{message}");
    node.shutdown().await.unwrap();
}

#[tokio::test]
async fn on_a_node_alone_it_makes_no_difference() {
    let node = Node::builder().store(Memory::new()).actor::<Journal>().start().await.unwrap();
    let journal = node.client::<Journal>("alice");
    assert_eq!(journal.append(1).await.unwrap(), 1);
    journal.append(2).cast().await.unwrap();
    assert_eq!(journal.all().await.unwrap(), [1, 2]);
    assert_eq!(node.whereis::<Journal>("bob"), Ok(Location::Here));
    node.shutdown().await.unwrap();
}
