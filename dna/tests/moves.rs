//! Nodes of one process on a cluster's store in memory, in real time: names move to a node that joins and away from one
//! that drains, under load, and every count is right in the end.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::disallowed_methods, reason = "tests")]

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use dna::{ActorName, Location, MemberState, MemoryCluster, NodeAddress, NodeId, Shard, StartError, prelude::*};
use tokio::sync::Notify;

struct Counter {
    total: Value<u64>,
}

#[dna::actor]
impl Counter {
    async fn init(ctx: Context) -> dna::Result<Self> {
        Ok(Counter { total: ctx.open("total")? })
    }

    pub async fn add(&mut self, amount: u64) -> dna::Result<u64> {
        let total = self.total.get().await?.unwrap_or(0) + amount;
        self.total.set(total);
        Ok(total)
    }

    /// Adds once it may.
    pub async fn add_when_told(&mut self, amount: u64) -> dna::Result<u64> {
        GO_ON.notified().await;
        self.add(amount).await
    }
}

static GO_ON: Notify = Notify::const_new();

const LEASE: Duration = Duration::from_millis(1500);
const SHARDS: NonZeroU32 = NonZeroU32::new(256).unwrap();
const NAMES: usize = 200;

fn loopback() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

async fn start(cluster: &MemoryCluster) -> Node {
    let node = Node::builder().store(cluster.another()).listen(loopback()).lease(LEASE).actor::<Counter>();
    node.start().await.unwrap()
}

fn name(n: usize) -> String {
    format!("name {n}")
}

fn id(node: &Node) -> NodeId {
    node.membership().unwrap().current().me().unwrap()
}

/// Waits until a node sees every shard where these nodes should have it.
async fn until_balanced(node: &Node, among: &[NodeId]) {
    let best = |shard| dna_core::rendezvous(Shard(shard), among.iter().map(|node| (*node, 100)));
    let expected = (0..SHARDS.get()).map(best).collect::<Vec<_>>();
    let mut membership = node.membership().unwrap();
    let balanced = async {
        while membership.latest().owners() != expected {
            membership.changed().await.unwrap();
        }
    };
    tokio::time::timeout(Duration::from_secs(60), balanced).await.unwrap();
}

/// Adds one to every name, again and again, from either of two nodes, until it is told to end: what it has added.
async fn load(nodes: Arc<[Node; 2]>, ends: Arc<AtomicBool>) -> BTreeMap<usize, u64> {
    let mut added = BTreeMap::new();
    while !ends.load(Ordering::SeqCst) {
        for n in 0..NAMES {
            for node in nodes.iter() {
                node.client::<Counter>(name(n)).add(1).await.unwrap();
                *added.entry(n).or_default() += 1;
            }
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    added
}

/// Every name is served by one of two nodes, and has this total from both; they say where it is.
async fn each_is_served_once(nodes: &[Node; 2], totals: &BTreeMap<usize, u64>) {
    for n in 0..NAMES {
        let home = Shard::of(&ActorName::new("default", "Counter", name(n)).unwrap(), SHARDS);
        let owner = nodes[0].membership().unwrap().current().owners()[home.0 as usize].unwrap();
        let [here, there] = if owner == id(&nodes[0]) { [&nodes[0], &nodes[1]] } else { [&nodes[1], &nodes[0]] };
        assert_eq!(here.client::<Counter>(name(n)).add(0).await.unwrap(), totals.get(&n).copied().unwrap_or(0));
        assert_eq!(there.client::<Counter>(name(n)).add(0).await.unwrap(), totals.get(&n).copied().unwrap_or(0));
        let owner = NodeAddress::new(owner, here.address().unwrap());
        assert_eq!(here.whereis::<Counter>(name(n)), Ok(Location::Here));
        assert_eq!(there.whereis::<Counter>(name(n)), Ok(Location::There(owner)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_move_to_a_node_that_joins_and_away_from_one_that_drains_and_no_count_is_lost_or_doubled() {
    let cluster = MemoryCluster::new();
    let nodes = Arc::new([start(&cluster).await, start(&cluster).await]);
    let ends = Arc::new(AtomicBool::new(false));
    let load = tokio::spawn(load(nodes.clone(), ends.clone()));
    let ids = [id(&nodes[0]), id(&nodes[1])];
    for node in nodes.iter() {
        until_balanced(node, &ids).await;
    }
    let [first, second] = &*nodes;
    let shares = first.members().iter().map(|member| member.shards).collect::<Vec<_>>();
    assert!(shares.iter().sum::<usize>() == 256 && shares.iter().all(|share| *share > 64), "{shares:?}");

    second.drain().await;
    until_balanced(first, &ids[..1]).await;
    ends.store(true, Ordering::SeqCst);
    let totals = load.await.unwrap();
    assert_eq!(totals.len(), NAMES);
    each_is_served_once(&nodes, &totals).await;
    let drained = first.members().into_iter().find(|member| member.id == ids[1]).unwrap();
    assert_eq!((drained.state, drained.shards), (MemberState::Draining, 0));

    let [first, second] = Arc::into_inner(nodes).unwrap();
    second.shutdown().await.unwrap();
    let mut membership = first.membership().unwrap();
    while membership.latest().all().len() == 2 {
        membership.changed().await.unwrap();
    }
    first.shutdown().await.unwrap();
}

#[tokio::test]
async fn after_a_node_has_joined_every_name_answers_from_everywhere() {
    let cluster = MemoryCluster::new();
    let nodes = [start(&cluster).await, start(&cluster).await];
    let totals = (0..NAMES).map(|n| (n, 7)).collect::<BTreeMap<_, _>>();
    for n in 0..NAMES {
        nodes[0].client::<Counter>(name(n)).add(7).await.unwrap();
    }
    let ids = [id(&nodes[0]), id(&nodes[1])];
    for node in &nodes {
        until_balanced(node, &ids).await;
    }
    each_is_served_once(&nodes, &totals).await;
    let [first, second] = nodes;
    // The rest of it moves while it shuts down.
    first.shutdown().await.unwrap();
    until_balanced(&second, &ids[1..]).await;
    for n in 0..NAMES {
        assert_eq!(second.client::<Counter>(name(n)).add(0).await.unwrap(), 7);
    }
    second.shutdown().await.unwrap();
}

#[tokio::test]
async fn an_actor_that_does_not_end_keeps_its_shard_and_moves_when_it_has_ended() {
    let cluster = MemoryCluster::new();
    let (first, second) = (start(&cluster).await, start(&cluster).await);
    let ids = [id(&first), id(&second)];
    let shard_of = |n| Shard::of(&ActorName::new("default", "Counter", name(n)).unwrap(), SHARDS);
    let goes = |shard| dna_core::rendezvous(shard, ids.map(|node| (node, 100))) == Some(ids[1]);
    let n = (0..NAMES).find(|n| goes(shard_of(*n))).unwrap();
    let counter = first.client::<Counter>(name(n));
    assert_eq!(counter.add(1).await.unwrap(), 1);
    let mut at_work = Box::pin(counter.add_when_told(10).into_future());
    assert!(futures_util::poll!(&mut at_work).is_pending());

    // All others move.
    let mut membership = second.membership().unwrap();
    let still_there = |owners: Vec<Option<NodeId>>| {
        (0..SHARDS.get()).map(Shard).zip(owners).filter(|(shard, owner)| goes(*shard) && *owner == Some(ids[0])).count()
    };
    while still_there(membership.latest().owners()) > 1 {
        membership.changed().await.unwrap();
    }
    assert_eq!(membership.latest().owner(shard_of(n)), dna::Owner::Node(ids[0]));
    GO_ON.notify_one();
    assert_eq!(at_work.await.unwrap(), 11);
    until_balanced(&second, &ids).await;
    assert_eq!(second.client::<Counter>(name(n)).add(0).await.unwrap(), 11);
    second.shutdown().await.unwrap();
    first.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_node_alone_has_no_members_serves_every_name_and_has_no_weight() {
    let node = Node::builder().store(Memory::new()).actor::<Counter>().start().await.unwrap();
    assert_eq!((node.members(), node.membership().is_none()), (vec![], true));
    assert_eq!(node.whereis::<Counter>("a"), Ok(Location::Here));
    node.drain().await;
    assert_eq!(node.client::<Counter>("a").add(1).await.unwrap(), 1);
    node.shutdown().await.unwrap();
    let error = Node::builder().store(Memory::new()).weight(3).start().await.unwrap_err();
    assert_eq!(error, StartError::NoCluster { setting: ".weight(…)" });
}

#[tokio::test]
async fn a_node_of_a_greater_weight_gets_more() {
    let cluster = MemoryCluster::new();
    let first = start(&cluster).await;
    let second =
        Node::builder().store(cluster.another()).listen(loopback()).lease(LEASE).actor::<Counter>().weight(900);
    let second = second.start().await.unwrap();
    let (mut membership, heavy) = (first.membership().unwrap(), id(&second));
    // Nine tenths of 256 are 230; so few as 192 would be seven standard deviations away.
    while membership.latest().all().iter().all(|member| member.id != heavy || member.shards < 192) {
        membership.changed().await.unwrap();
    }
    second.shutdown().await.unwrap();
    first.shutdown().await.unwrap();
}
