//! Back-pressure from one node to another: whoever floods a slow actor waits, and nobody else does.
#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods, clippy::indexing_slicing, reason = "tests")]

#[path = "support/nodes.rs"]
mod nodes;

use std::{
    future::IntoFuture,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use dna::{CallError, MemoryCluster, prelude::*};
use nodes::{names_on, node, shard_of, until, until_balanced};
use tokio::sync::Semaphore;

/// One gate for each test that needs one, since all of them share this process.
static GATES: [Semaphore; 2] = [const { Semaphore::const_new(0) }; 2];
static BEGUN: [AtomicU64; 2] = [const { AtomicU64::new(0) }; 2];

/// How long a message of `compute` takes, and how many were handled.
const COMPUTING: Duration = Duration::from_millis(2);
static COMPUTED: AtomicU64 = AtomicU64::new(0);

struct Worker {
    done: Vec<u64>,
}

#[dna::actor]
impl Worker {
    async fn init(_ctx: Context) -> dna::Result<Self> {
        Ok(Worker { done: Vec::new() })
    }

    /// Ends when the gate of that test is open.
    pub async fn slow(&mut self, gate: usize, number: u64) -> u64 {
        BEGUN[gate].fetch_add(1, Ordering::SeqCst);
        GATES[gate].acquire().await.unwrap().forget();
        self.done.push(number);
        number
    }

    pub async fn quick(&mut self, number: u64) -> u64 {
        number
    }

    pub async fn compute(&mut self) {
        compute();
    }

    pub async fn compute_beside(&self) {
        compute();
    }

    /// Calls the first of these with the rest; the answer is that of the last call.
    pub async fn around(&mut self, mut names: Vec<String>) -> Result<(), String> {
        if names.is_empty() {
            return Ok(());
        }
        let next = names.remove(0);
        match Worker::client(next).around(names).await {
            Ok(()) => Ok(()),
            Err(CallError::Handler { error, .. }) => Err(error),
            Err(error) => Err(format!("{error:?}")),
        }
    }

    pub async fn done(&self) -> Vec<u64> {
        self.done.clone()
    }
}

/// Handles its messages as batches.
struct Batches;

#[dna::actor]
impl Batches {
    async fn init(_ctx: Context) -> dna::Result<Self> {
        Ok(Batches)
    }

    pub async fn compute(&mut self) {
        compute();
    }

    async fn handle_events(&mut self, events: Events<Self>) -> dna::Result<()> {
        for event in events {
            event.dispatch(self).await;
        }
        Ok(())
    }
}

/// Keeps its thread busy for a while.
fn compute() {
    let begun = Instant::now();
    while begun.elapsed() < COMPUTING {
        std::hint::spin_loop();
    }
    COMPUTED.fetch_add(1, Ordering::SeqCst);
}

/// Opens a gate for good.
fn open(gate: usize) {
    GATES[gate].add_permits(1 << 20);
}

const PROBE: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_actor_slows_its_own_callers_and_neither_their_node_nor_its_neighbours() {
    let cluster = MemoryCluster::new();
    let here = node(&cluster).actor::<Worker>().mailbox_messages_max(100).start().await.unwrap();
    let there = node(&cluster).actor::<Worker>().mailbox_messages_max(100).max_batch_messages(1).start().await.unwrap();
    until_balanced(&[&here, &there]).await;
    let slow = names_on::<Worker>(&there).next().unwrap();
    let same_shard =
        names_on::<Worker>(&there).find(|name| *name != slow && shard_of::<Worker>(name) == shard_of::<Worker>(&slow));
    let other_shard = names_on::<Worker>(&there).find(|name| shard_of::<Worker>(name) != shard_of::<Worker>(&slow));
    let neighbours = [same_shard.unwrap(), other_shard.unwrap(), names_on::<Worker>(&here).next().unwrap()];

    const CALLS: u64 = 5_000;
    const CASTS: u64 = 5_000;
    let client = here.client::<Worker>(slow.as_str());
    let mut flood = Vec::new();
    for number in 0..CALLS {
        let call = client.slow(0, number).timeout(Duration::from_secs(120));
        flood.push(tokio::spawn(async move { call.await.map(drop) }));
    }
    for number in CALLS..CALLS + CASTS {
        let cast = client.slow(0, number).timeout(Duration::from_secs(120)).cast();
        flood.push(tokio::spawn(cast.into_future()));
    }
    // All calls; behind so many, casts wait for room.
    until("the flood is there", || there.stats().queued as u64 == CALLS - 1).await;

    for number in 0..50 {
        for name in &neighbours {
            for from in [&here, &there] {
                let neighbour = from.client::<Worker>(name.as_str());
                assert_eq!(neighbour.quick(number).timeout(PROBE).await, Ok(number), "a call to {name}");
                neighbour.quick(number).timeout(PROBE).cast().await.unwrap();
            }
        }
    }
    assert!(flood.iter().filter(|sender| !sender.is_finished()).count() > 5_000, "those who flood it wait");
    open(0);
    for sender in flood {
        sender.await.unwrap().unwrap();
    }
    let mut done = Vec::new();
    for _ in 0..1_000 {
        // Casts are handled behind their admission.
        done = client.done().await.unwrap();
        if done.len() as u64 == CALLS + CASTS {
            break;
        }
    }
    done.sort_unstable();
    assert_eq!(done, (0..CALLS + CASTS).collect::<Vec<_>>(), "each was handled, and once");
    there.shutdown().await.unwrap();
    here.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_call_is_skipped_on_another_node_where_it_is_queued_and_ends_where_it_has_begun() {
    let cluster = MemoryCluster::new();
    let here = node(&cluster).actor::<Worker>().start().await.unwrap();
    let there = node(&cluster).actor::<Worker>().start().await.unwrap();
    until_balanced(&[&here, &there]).await;
    let mut names = names_on::<Worker>(&there);
    let (name, other) = (names.next().unwrap(), names.next().unwrap());
    drop(names);
    let call = |number| tokio::spawn(here.client::<Worker>(name.as_str()).slow(1, number).into_future());
    let begun = call(1);
    until("it has begun", || BEGUN[1].load(Ordering::SeqCst) == 1).await;
    let queued = call(2);
    until("it is queued", || there.stats().queued == 1).await;
    begun.abort();
    queued.abort();
    assert!(begun.await.unwrap_err().is_cancelled() && queued.await.unwrap_err().is_cancelled());
    // Behind these the other node knows.
    for number in 0..20 {
        assert_eq!(here.client::<Worker>(other.as_str()).quick(number).await, Ok(number));
    }
    let last = call(3);
    until("it is queued, too", || there.stats().queued == 2).await;
    open(1);
    assert_eq!(last.await.unwrap(), Ok(3));
    assert_eq!(here.client::<Worker>(name.as_str()).done().await.unwrap(), [1, 3]);
    there.shutdown().await.unwrap();
    here.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_comes_back_over_another_node_to_an_actor_of_its_own_chain_fails_at_once() {
    let cluster = MemoryCluster::new();
    let here = node(&cluster).actor::<Worker>().start().await.unwrap();
    let there = node(&cluster).actor::<Worker>().start().await.unwrap();
    until_balanced(&[&here, &there]).await;
    let near = names_on::<Worker>(&here).next().unwrap();
    let mut names = names_on::<Worker>(&there);
    let (far, farther) = (names.next().unwrap(), names.next().unwrap());
    drop(names);
    let around = |names: &[&String]| {
        let names = names.iter().map(|name| (*name).clone()).collect::<Vec<_>>();
        here.client::<Worker>(near.as_str()).around(names)
    };
    assert_eq!(around(&[&far, &farther]).await, Ok(()));
    for names in [&[&far, &near][..], &[&far, &farther, &near], &[&far, &farther, &far]] {
        let CallError::Handler { error, .. } = around(names).await.unwrap_err() else { panic!("{names:?}") };
        assert_eq!(error, "CallCycle", "{names:?}");
    }
    there.shutdown().await.unwrap();
    here.shutdown().await.unwrap();
}

/// Has a busy actor compute so often, and another one answer: how often the first one had computed by then.
async fn computed_meanwhile(node: &Node, compute: impl AsyncFn() -> Result<(), CallError>) -> u64 {
    COMPUTED.store(0, Ordering::SeqCst);
    for _ in 0..COMPUTATIONS {
        compute().await.unwrap();
    }
    assert_eq!(node.client::<Worker>("other").quick(7).await.unwrap(), 7);
    let meanwhile = COMPUTED.load(Ordering::SeqCst);
    until("all was computed", || COMPUTED.load(Ordering::SeqCst) == COMPUTATIONS).await;
    meanwhile
}

const COMPUTATIONS: u64 = 200;

/// On a single thread, so that nobody else is there to run the others.
#[tokio::test]
async fn an_actor_that_computes_without_end_leaves_its_thread_to_others_meanwhile() {
    let node = node(&MemoryCluster::new()).max_batch_messages(50);
    let node = node.actor::<Worker>().actor::<Batches>().start().await.unwrap();
    let (busy, batches) = (node.client::<Worker>("busy"), node.client::<Batches>("busy"));
    let alone = computed_meanwhile(&node, async || busy.compute().cast().await).await;
    let beside = computed_meanwhile(&node, async || busy.compute_beside().cast().await).await;
    let batched = computed_meanwhile(&node, async || batches.compute().cast().await).await;
    for meanwhile in [alone, beside, batched] {
        assert!(meanwhile < COMPUTATIONS / 2, "{alone}, {beside}, {batched} messages were handled first");
    }
    node.shutdown().await.unwrap();
}
