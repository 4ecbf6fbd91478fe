//! A node that is dropped lets go of its store: what it has not handed over by then never gets into the next claim.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

use std::{
    sync::{Arc, Condvar, Mutex, mpsc},
    thread,
    time::Duration,
};

use bytes::Bytes;
use dna::prelude::*;
use dna_core::{ActorName, AttachError, CommitError, Group, KeyRange, ReadError, Store};
use futures_util::future::BoxFuture;

/// How long a commit waits for what must not happen meanwhile.
const MOMENT: Duration = Duration::from_millis(200);

struct Cell {
    number: Value<u64>,
}

#[dna::actor]
impl Cell {
    async fn init(ctx: Context) -> dna::Result<Self> {
        Ok(Cell { number: ctx.open("number")? })
    }

    pub async fn set(&mut self, number: u64) {
        self.number.set(number);
    }

    pub async fn get(&self) -> dna::Result<Option<u64>> {
        self.number.get().await
    }
}

/// A store that is slow to take a group, in the call of `commit` itself: by then the node may have been dropped.
struct SlowToTake {
    memory: Memory,
    called: mpsc::Sender<()>,
    claimed: Mutex<bool>,
    changed: Condvar,
}

impl Store for SlowToTake {
    fn attach(&self) -> BoxFuture<'_, Result<u64, AttachError>> {
        Box::pin(async {
            let next = self.memory.attach().await?;
            *self.claimed.lock().unwrap() = true;
            Ok(next)
        })
    }

    fn detach(&self) {
        self.memory.detach();
        *self.claimed.lock().unwrap() = false;
        self.changed.notify_all();
    }

    fn commit(&self, group: Arc<Group>) -> BoxFuture<'_, Result<(), CommitError>> {
        self.called.send(()).unwrap();
        let claimed = self.claimed.lock().unwrap();
        let (claimed, _) = self.changed.wait_timeout_while(claimed, MOMENT, |claimed| *claimed).unwrap();
        assert!(*claimed, "a group is handed over while the store is claimed");
        drop(claimed);
        self.memory.commit(group)
    }

    fn get<'a>(
        &'a self,
        actor: &'a ActorName,
        module: &'a str,
        key: &'a [u8],
    ) -> BoxFuture<'a, Result<Option<Bytes>, ReadError>> {
        self.memory.get(actor, module, key)
    }

    fn scan<'a>(
        &'a self,
        actor: &'a ActorName,
        module: &'a str,
        range: &'a KeyRange,
        limit: usize,
        reverse: bool,
    ) -> BoxFuture<'a, Result<Vec<(Bytes, Bytes)>, ReadError>> {
        self.memory.scan(actor, module, range, limit, reverse)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_node_hands_nothing_to_its_store_behind_its_claim() {
    let (called, calls) = mpsc::channel();
    let memory = Memory::new();
    let (claimed, changed) = Default::default();
    let store = SlowToTake { memory: memory.clone(), called, claimed, changed };
    let node = Node::builder().store(store).actor::<Cell>().start().await.unwrap();
    let cell = node.client::<Cell>("a");
    let set = tokio::spawn(async move { cell.set(1).await });
    let dropped = thread::spawn(move || {
        calls.recv().unwrap();
        drop(node);
    });
    let error = set.await.unwrap().unwrap_err();
    assert_eq!(error.outcome(), Outcome::Unknown, "{error}");
    dropped.join().unwrap();

    // It was handed over before the store was claimed again, so its fate is settled by now.
    let node = Node::builder().store(memory).actor::<Cell>().start().await.unwrap();
    let cell = node.client::<Cell>("a");
    assert_eq!(cell.get().await.unwrap(), Some(1));
    node.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_a_dropped_node_calls_not_applied_is_never_there() {
    let memory = Memory::new();
    for round in 1..=300_u64 {
        let node = Node::builder().store(memory.clone()).actor::<Cell>().start().await.unwrap();
        let sets = (0..8).map(|name| {
            let cell = node.client::<Cell>(name.to_string());
            tokio::spawn(async move {
                let (mut answered, mut next) = (0, round * 1_000_000);
                loop {
                    match cell.set(next).await {
                        Ok(()) => answered = next,
                        Err(error) => return (answered, next, error.outcome()),
                    }
                    next += 1;
                }
            })
        });
        let sets = sets.collect::<Vec<_>>();
        // So that the end meets the committer anywhere in its work.
        let groups = round % 50;
        while node.stats().groups < groups {
            tokio::task::yield_now().await;
        }
        drop(node);

        let node = Node::builder().store(memory.clone()).actor::<Cell>().start().await.unwrap();
        for (name, set) in sets.into_iter().enumerate() {
            let (answered, last, outcome) = set.await.unwrap();
            let stored = node.client::<Cell>(name.to_string()).get().await.unwrap().unwrap_or_default();
            let is_there = stored == last;
            assert!(is_there || stored == answered || answered == 0, "round {round}: {stored} of {answered}, {last}");
            assert!(!is_there || outcome == Outcome::Unknown, "round {round}: {last} is there, and called {outcome:?}");
        }
        node.shutdown().await.unwrap();
    }
}
