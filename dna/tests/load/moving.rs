//! Ten thousand actors that move, or are taken over from the dead, while others are called.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use dna::{Location, MemoryCluster, Shard, prelude::*};
use futures_util::{StreamExt, stream};
use tokio::task::JoinHandle;

use crate::nodes::{SHARDS, id, node, shard_of, until, until_balanced};

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
}

const NAMES: usize = 10_000;
const PROBE_DEADLINE: Duration = Duration::from_secs(5);

/// How long a call of a name that stays may take while others move, on a machine that has more to do.
const PROBE_MAX: Duration = Duration::from_secs(2);

async fn start(cluster: &MemoryCluster) -> Node {
    node(cluster).actor::<Counter>().start().await.unwrap()
}

fn name(n: usize) -> String {
    format!("name {n}")
}

/// Adds to every name: the totals.
async fn add_to_all(node: &Node, amount: u64) -> Vec<u64> {
    let adds = (0..NAMES).map(|n| node.client::<Counter>(name(n)).add(amount).timeout(Duration::from_secs(60)));
    stream::iter(adds).buffered(256).map(Result::unwrap).collect().await
}

/// What calls have come to.
struct Probed {
    calls: usize,
    longest: Duration,
}

/// Calls these names in turns, each within the deadline, until it is told to end.
async fn probe(node: Arc<Node>, names: Vec<String>, ends: Arc<AtomicBool>) -> Probed {
    let (mut calls, mut longest) = (0, Duration::ZERO);
    while !ends.load(Ordering::SeqCst) {
        for name in &names {
            let began = Instant::now();
            let answer = node.client::<Counter>(name.as_str()).add(0).timeout(PROBE_DEADLINE).await;
            answer.unwrap_or_else(|error| panic!("{name} is not answered while others move: {error:?}"));
            calls += 1;
            longest = longest.max(began.elapsed());
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Probed { calls, longest }
}

/// Whether these went on all the time.
async fn went_on(probes: [JoinHandle<Probed>; 2], names: usize) {
    for probe in probes {
        let Probed { calls, longest } = probe.await.unwrap();
        assert!(calls > names, "each was called more than once");
        assert!(longest < PROBE_MAX, "a call took {longest:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_ten_thousand_active_actors_move_all_others_are_answered() {
    let cluster = MemoryCluster::new();
    let first = Arc::new(start(&cluster).await);
    assert_eq!(add_to_all(&first, 1).await, vec![1; NAMES]);
    assert_eq!(first.stats().active, NAMES);
    let second = Arc::new(start(&cluster).await);
    let ids = [id(&first), id(&second)];
    let stays = |name: &str| dna_core::rendezvous(shard_of::<Counter>(name), ids.map(|id| (id, 100))) == Some(ids[0]);
    let names: Vec<_> = (0..NAMES).map(name).filter(|name| stays(name)).take(20).collect();
    let ends = Arc::new(AtomicBool::new(false));
    let probes = [&first, &second].map(|node| tokio::spawn(probe(node.clone(), names.clone(), ends.clone())));
    until_balanced(&[&first, &second]).await;
    // And all that is left moves, too.
    second.drain().await;
    ends.store(true, Ordering::SeqCst);
    went_on(probes, names.len()).await;
    assert_eq!(add_to_all(&first, 1).await, vec![2; NAMES]);
    Arc::into_inner(second).unwrap().shutdown().await.unwrap();
    Arc::into_inner(first).unwrap().shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_ten_thousand_active_actors_are_taken_over_all_others_are_answered() {
    let cluster = MemoryCluster::new();
    let dying = start(&cluster).await;
    assert_eq!(add_to_all(&dying, 1).await, vec![1; NAMES]);
    let (first, second) = (Arc::new(start(&cluster).await), Arc::new(start(&cluster).await));
    until_balanced(&[&dying, &first, &second]).await;
    assert_eq!(add_to_all(&first, 1).await, vec![2; NAMES]);
    let lives = |name: &str| first.whereis::<Counter>(name) != Ok(Location::There(at(&dying)));
    let names: Vec<_> = (0..NAMES).map(name).filter(|name| lives(name)).take(20).collect();
    let ends = Arc::new(AtomicBool::new(false));
    let probes = [&first, &second].map(|node| tokio::spawn(probe(node.clone(), names.clone(), ends.clone())));
    drop(dying);
    until_balanced(&[&first, &second]).await;
    ends.store(true, Ordering::SeqCst);
    went_on(probes, names.len()).await;
    assert_eq!(add_to_all(&second, 1).await, vec![3; NAMES]);
    Arc::into_inner(second).unwrap().shutdown().await.unwrap();
    Arc::into_inner(first).unwrap().shutdown().await.unwrap();
}

fn at(node: &Node) -> dna::NodeAddress {
    dna::NodeAddress::new(id(node), node.address().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_node_gets_its_share_within_a_minute_under_load() {
    let cluster = MemoryCluster::new();
    let (first, second) = (Arc::new(start(&cluster).await), Arc::new(start(&cluster).await));
    until_balanced(&[&first, &second]).await;
    let ends = Arc::new(AtomicBool::new(false));
    let names: Vec<_> = (0..500).map(name).collect();
    let load: Vec<_> = [&first, &second, &first, &second]
        .into_iter()
        .map(|node| tokio::spawn(probe(node.clone(), names.clone(), ends.clone())))
        .collect();
    let third = start(&cluster).await;
    let (joined, newcomer) = (Instant::now(), id(&third));
    let ids = [id(&first), id(&second), newcomer];
    let best = |shard| dna_core::rendezvous(Shard(shard), ids.map(|id| (id, 100)));
    let share = (0..SHARDS.get()).filter(|shard| best(*shard) == Some(newcomer)).count();
    let has = || third.members().into_iter().find(|member| member.id == newcomer).map_or(0, |member| member.shards);
    until("its share", || has() == share).await;
    assert!(share > 40 && joined.elapsed() < Duration::from_secs(60), "{share} shards in {:?}", joined.elapsed());
    ends.store(true, Ordering::SeqCst);
    for load in load {
        let Probed { calls, longest } = load.await.unwrap();
        println!("{calls} calls, the longest took {longest:?}");
        assert!(calls > names.len(), "each was called more than once");
    }
    third.shutdown().await.unwrap();
    Arc::into_inner(second).unwrap().shutdown().await.unwrap();
    Arc::into_inner(first).unwrap().shutdown().await.unwrap();
}
