//! Ten times what a node can do: `cargo run --release --example overload --features cluster -- 60`.
//!
//! Two nodes in one process, each with threads of its own. Actors on the one take their time for each message: they wait, or,
//! with `-- 60 compute`, they keep the processor busy. The other one first offers about as much as they can do, then ten times
//! as much for so many seconds (5 unless it is said), then as before. Each second it prints how many calls were answered in
//! time, how many were refused, how long the answered ones took, and what the process has in memory.
#![allow(clippy::print_stdout, reason = "it shows what it does")]
#![allow(clippy::disallowed_methods, reason = "it waits for time to pass, and looks at the clock")]

use std::{
    fs,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use dna::{Location, MemoryCluster, prelude::*};
use tokio::{
    runtime::{Builder, Runtime},
    task::JoinSet,
};

struct Slow;

#[dna::actor]
impl Slow {
    async fn init(_ctx: Context) -> dna::Result<Self> {
        Ok(Slow)
    }

    pub async fn wait(&mut self) {
        tokio::time::sleep(WORK).await;
    }

    pub async fn compute(&mut self) {
        let started = Instant::now();
        while started.elapsed() < COMPUTING {
            std::hint::spin_loop();
        }
    }
}

const ACTORS: usize = 16;
/// For a message of each actor in 10 ms, this is most of what two threads can do.
const COMPUTING: Duration = Duration::from_millis(1);
const WORK: Duration = Duration::from_millis(10);
const DEADLINE: Duration = Duration::from_secs(1);

/// What became of the calls of a second.
#[derive(Default)]
struct Second {
    took: Vec<Duration>,
    refused: u64,
}

async fn start(cluster: &MemoryCluster) -> dna::Result<Node> {
    let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
    Ok(Node::builder().store(cluster.another()).listen(loopback).actor::<Slow>().start().await?)
}

/// Offers so many calls to each actor every 10 ms, for so long.
async fn offer(what: &str, clients: &[SlowClient], calls: usize, seconds: u64, computes: bool) {
    let second = Arc::new(Mutex::new(Second::default()));
    let (mut under_way, started, mut told) = (JoinSet::new(), Instant::now(), 0);
    let mut ticks = tokio::time::interval(WORK);
    while told < seconds {
        ticks.tick().await;
        for client in clients {
            for _ in 0..calls {
                let call = if computes { client.compute() } else { client.wait() };
                let (call, second) = (call.timeout(DEADLINE), second.clone());
                under_way.spawn(async move {
                    let started = Instant::now();
                    let answer = call.await;
                    let Ok(mut second) = second.lock() else { return };
                    match answer {
                        Ok(()) => second.took.push(started.elapsed()),
                        Err(_) => second.refused += 1,
                    }
                });
            }
        }
        while under_way.try_join_next().is_some() {}
        if started.elapsed().as_secs() > told {
            told += 1;
            let Second { mut took, refused } =
                second.lock().map(|mut second| std::mem::take(&mut *second)).unwrap_or_default();
            took.sort_unstable();
            let part = |part: usize| took.get(took.len() * part / 100).copied().unwrap_or_default().as_millis();
            let (done, half, most, memory) = (took.len(), part(50), part(99), memory_mib());
            println!(
                "{what:>10} {told:>3} s: {done:>5} done, {refused:>6} refused, p50 {half:>4} ms, p99 {most:>4} ms, {memory} MiB"
            );
        }
    }
    under_way.join_all().await;
}

/// What the process has in memory, where the system tells it as Linux does.
fn memory_mib() -> u64 {
    let pages = fs::read_to_string("/proc/self/statm").ok();
    let pages = pages.and_then(|statm| statm.split(' ').nth(1)?.parse::<u64>().ok());
    pages.unwrap_or(0) * 4096 / (1 << 20)
}

fn main() -> dna::Result<()> {
    let seconds = std::env::args().nth(1).and_then(|seconds| seconds.parse().ok()).unwrap_or(5);
    let computes = std::env::args().nth(2).is_some_and(|how| how == "compute");
    let near = Runtime::new()?;
    let far = Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let cluster = MemoryCluster::new();
    let (here, there) = (near.block_on(start(&cluster))?, far.block_on(start(&cluster))?);
    near.block_on(async {
        let name = |n: u32| format!("{n}");
        let is_there =
            |name: &String| here.whereis::<Slow>(name.as_str()).is_ok_and(|at| matches!(at, Location::There(_)));
        println!("waiting until names have moved to the second node …");
        while there.members().iter().any(|member| member.shards < 64) || there.members().len() < 2 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let clients: Vec<_> =
            (0..).map(name).filter(is_there).take(ACTORS).map(|name| here.client::<Slow>(name)).collect();
        offer("peak", &clients, 1, 5, computes).await;
        offer("overloaded", &clients, 10, seconds, computes).await;
        offer("peak again", &clients, 1, 5, computes).await;
    });
    far.block_on(there.shutdown())?;
    near.block_on(here.shutdown())?;
    Ok(())
}
