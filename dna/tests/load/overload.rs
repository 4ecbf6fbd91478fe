//! Ten times what a node can do.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use dna::{CallError, MemoryCluster, prelude::*};

use crate::nodes::{names_on, node, until, until_balanced};

/// Takes its time for each message: so a node can do what it can, however fast the machine is.
struct Slow;

const WORK: Duration = Duration::from_millis(50);
const ACTORS: usize = 8;
const DEADLINE: Duration = Duration::from_secs(1);

#[dna::actor]
impl Slow {
    async fn init(_ctx: Context) -> dna::Result<Self> {
        Ok(Slow)
    }

    pub async fn work(&mut self) {
        tokio::time::sleep(WORK).await;
    }
}

/// What became of calls.
#[derive(Default)]
struct Tally {
    done: AtomicU64,
    refused: AtomicU64,
    in_doubt: AtomicU64,
}

/// Sends so many calls to each actor every 50 ms, whether answers come or not, for so long: those that were
/// answered within their deadline.
async fn offer(clients: &[SlowClient], calls_a_tick: usize, lasts: Duration) -> Arc<Tally> {
    let tally = Arc::new(Tally::default());
    let mut calls = tokio::task::JoinSet::new();
    let started = Instant::now();
    let mut ticks = tokio::time::interval(WORK);
    while started.elapsed() < lasts {
        ticks.tick().await;
        for client in clients {
            for _ in 0..calls_a_tick {
                let (call, tally) = (client.work().timeout(DEADLINE), tally.clone());
                calls.spawn(async move {
                    let counter = match call.await {
                        Ok(()) => &tally.done,
                        Err(CallError::TimedOut { outcome: Outcome::Unknown }) => &tally.in_doubt,
                        Err(error) => {
                            assert_eq!(error.outcome(), Outcome::NotApplied, "{error:?}");
                            &tally.refused
                        }
                    };
                    counter.fetch_add(1, Ordering::SeqCst);
                });
            }
        }
        while calls.try_join_next().is_some() {}
    }
    calls.join_all().await;
    tally
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_ten_times_the_load_that_a_node_can_carry_it_does_what_it_can_and_recovers() {
    let cluster = MemoryCluster::new();
    let here = node(&cluster).actor::<Slow>().start().await.unwrap();
    let there = node(&cluster).actor::<Slow>().start().await.unwrap();
    until_balanced(&[&here, &there]).await;
    let clients: Vec<_> = names_on::<Slow>(&there).take(ACTORS).map(|name| here.client::<Slow>(name)).collect();
    let lasts = Duration::from_secs(4);

    // One call a tick and actor is what they can do at the most.
    let peak = offer(&clients, 1, lasts).await;
    let peak = peak.done.load(Ordering::SeqCst);
    let most = Arc::new(AtomicU64::new(0));
    let watched = async {
        loop {
            most.fetch_max(there.stats().queued as u64, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let over = tokio::select! {
        over = offer(&clients, 10, lasts) => over,
        () = watched => unreachable!(),
    };
    let (done, refused) = (over.done.load(Ordering::SeqCst), over.refused.load(Ordering::SeqCst));
    let in_doubt = over.in_doubt.load(Ordering::SeqCst);
    println!("peak {peak}, overloaded {done}, refused {refused}, in doubt {in_doubt}, at most {most:?} queued");
    assert!(done * 10 >= peak * 9, "goodput fell from {peak} to {done}; {refused} refused, {in_doubt} in doubt");
    assert!(refused > done, "there was too much to do");
    // What is queued is what came within a deadline, and what the clock is behind.
    let bound = 10 * ACTORS as u64 * 20 * 2;
    assert!(most.load(Ordering::SeqCst) <= bound, "{most:?} messages were queued");

    until("the queue is empty again", || there.stats().queued == 0).await;
    for client in &clients {
        client.work().timeout(DEADLINE).await.unwrap();
    }
    there.shutdown().await.unwrap();
    here.shutdown().await.unwrap();
}
