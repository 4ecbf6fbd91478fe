//! The load: a caller for each name, which counts without a pause, and remembers what it was told.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use dna::{Node, Outcome};
use tokio::task::JoinHandle;

use crate::counter::Counter;

/// How long a caller waits for one answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// What the callers have seen since they were asked last.
#[derive(Default)]
pub(crate) struct Second {
    /// How long each answer took, in microseconds, in order.
    pub(crate) latencies: Vec<u64>,
}

impl Second {
    /// The latency that so many of a hundred answers do not exceed.
    pub(crate) fn percentile(&self, percent: usize) -> Option<Duration> {
        let last = self.latencies.len().checked_sub(1)?;
        self.latencies.get(last * percent / 100).copied().map(Duration::from_micros)
    }
}

#[derive(Default)]
struct Seen {
    latencies: Mutex<Vec<u64>>,
    /// Sent again, since nothing had been applied.
    retried: AtomicU64,
    /// Failed without it being known whether they were applied.
    unknown: AtomicU64,
    /// When each name was first answered a call that was sent since the last event.
    answered: Mutex<BTreeMap<String, Instant>>,
    event: Mutex<Option<Instant>>,
    is_over: AtomicBool,
}

/// The callers.
pub(crate) struct Load {
    seen: Arc<Seen>,
    callers: Vec<JoinHandle<Told>>,
}

/// What one caller was told of its name.
pub(crate) struct Told {
    pub(crate) name: String,
    /// So many calls were answered `Ok`.
    pub(crate) acknowledged: u64,
    /// So many more may have been applied.
    pub(crate) unknown: u64,
}

impl Load {
    /// Starts a caller for each of these names, on this node.
    pub(crate) fn start(node: &Node, names: &[String]) -> Self {
        let seen = Arc::<Seen>::default();
        let callers = names.iter().map(|name| {
            let (counter, seen, name) = (node.client::<Counter>(name.as_str()), seen.clone(), name.clone());
            tokio::spawn(async move {
                let mut told = Told { name, acknowledged: 0, unknown: 0 };
                while !seen.is_over.load(Ordering::Relaxed) {
                    let sent = Instant::now();
                    match counter.add().timeout(TIMEOUT).await {
                        Ok(_) => {
                            told.acknowledged += 1;
                            let took = u64::try_from(sent.elapsed().as_micros()).unwrap_or(u64::MAX);
                            lock(&seen.latencies).push(took);
                            if lock(&seen.event).is_some_and(|event| sent > event) {
                                lock(&seen.answered).entry(told.name.clone()).or_insert_with(Instant::now);
                            }
                        }
                        Err(error) if error.outcome() == Outcome::NotApplied => {
                            seen.retried.fetch_add(1, Ordering::Relaxed);
                            tokio::time::sleep(Duration::from_millis(10)).await;
                        }
                        Err(_) => {
                            told.unknown += 1;
                            seen.unknown.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                }
                told
            })
        });
        Load { callers: callers.collect(), seen }
    }

    /// What was answered since this was asked last.
    pub(crate) fn second(&self) -> Second {
        let mut latencies = std::mem::take(&mut *lock(&self.seen.latencies));
        latencies.sort_unstable();
        Second { latencies }
    }

    pub(crate) fn retried(&self) -> u64 {
        self.seen.retried.load(Ordering::Relaxed)
    }

    pub(crate) fn unknown(&self) -> u64 {
        self.seen.unknown.load(Ordering::Relaxed)
    }

    /// Something happens now.
    pub(crate) fn mark(&self) {
        *lock(&self.seen.event) = Some(Instant::now());
        lock(&self.seen.answered).clear();
    }

    /// How long after the last event all of these names were answered again; none while one was not.
    pub(crate) fn answered_after(&self, names: &[String]) -> Option<Duration> {
        let event = (*lock(&self.seen.event))?;
        let answered = lock(&self.seen.answered);
        let took = |name: &String| answered.get(name).map(|at| at.saturating_duration_since(event));
        names.iter().map(took).try_fold(Duration::ZERO, |longest, took| took.map(|took| longest.max(took)))
    }

    /// Ends the callers.
    pub(crate) async fn stop(self) -> Vec<Told> {
        self.seen.is_over.store(true, Ordering::Relaxed);
        let mut told = Vec::new();
        for caller in self.callers {
            told.extend(caller.await.ok());
        }
        told
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
