//! The store in memory: plain maps. It is the reference that other stores are compared with, what `dna-core` runs on
//! when it runs alone, and, with the feature `testing`, the ground on which the engine is tested: it can be told to
//! hold, refuse, lose and delay. [`MemoryCluster`] is the same for several nodes.

mod cluster;
#[cfg(feature = "testing")]
mod faults;
mod ledger;
mod queue;

use std::{fmt, sync::Arc};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use tokio::sync::{oneshot, watch};

pub use self::cluster::MemoryCluster;
#[cfg(feature = "testing")]
pub use self::cluster::{ClusterFaults, Fate, FaultPlan, RequestKind, Rule};
#[cfg(feature = "testing")]
pub use self::faults::{MemoryFaults, MemoryStats};
use self::queue::{Request, State};
use crate::{
    name::ActorName,
    runtime,
    store::{AttachError, CommitError, Group, KeyRange, ReadError, Store},
};

/// A store that keeps everything in this process and loses it with it. A clone is the same store.
///
/// ```
/// # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
/// # runtime.block_on(async {
/// use std::sync::Arc;
/// use dna_core::{ActorName, ActorWrites, Group, Memory, Store, Write, WriteKind};
///
/// let store = Memory::new();
/// let number = store.attach().await.unwrap();
/// let alice = ActorName::new("default", "Cart", "alice").unwrap();
/// let kind = WriteKind::Put { key: "apple".into(), value: "3".into() };
/// let writes = vec![Write { module: "lines".into(), kind }];
/// let group = Group { number, actors: vec![ActorWrites { actor: alice.clone(), writes }] };
/// store.commit(Arc::new(group)).await.unwrap();
/// assert_eq!(store.get(&alice, "lines", b"apple").await.unwrap(), Some("3".into()));
/// # });
/// ```
#[derive(Clone, Default)]
pub struct Memory(Arc<Inner>);

#[derive(Default)]
struct Inner {
    state: Mutex<State>,
    commits_waiting: watch::Sender<usize>,
    reads_waiting: watch::Sender<usize>,
    reads_held: watch::Sender<bool>,
}

/// A claim on its way to whoever asked for it. Dropped on the way, it is given back.
struct Ticket {
    inner: Arc<Inner>,
    armed: bool,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if self.armed {
            self.inner.detach();
        }
    }
}

impl Memory {
    /// An empty store.
    pub fn new() -> Self {
        Memory::default()
    }

    /// What can be made to go wrong, and what has been counted.
    #[cfg(feature = "testing")]
    pub fn faults(&self) -> MemoryFaults {
        MemoryFaults::new(self.0.clone())
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory").finish_non_exhaustive()
    }
}

impl Inner {
    /// Changes the state, does what can be done then, and tells who watches.
    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let (result, waiting) = {
            let mut state = self.state.lock();
            let result = change(&mut state);
            state.pump();
            (result, state.commits_waiting())
        };
        self.commits_waiting.send_replace(waiting);
        result
    }

    fn detach(&self) {
        self.change(|state| {
            state.claimed = false;
            state.queue.push_back(Request::Detach);
        });
    }

    async fn before_read(&self) -> Result<(), ReadError> {
        let (failure, delay) = {
            let mut state = self.state.lock();
            state.plan.reads += 1;
            (state.plan.fail_reads.pop_front(), state.plan.read_delay)
        };
        if let Some(failure) = failure {
            return Err(failure);
        }
        if let Some(delay) = delay {
            runtime::sleep(delay).await;
        }
        if *self.reads_held.borrow() {
            let _waits = WaitingRead::new(&self.reads_waiting);
            // The sender lives as long as this store, so that the wait can only end by a release.
            let _ = self.reads_held.subscribe().wait_for(|held| !held).await;
        }
        Ok(())
    }
}

/// Counts a read as waiting for as long as it lives.
struct WaitingRead<'a>(&'a watch::Sender<usize>);

impl<'a> WaitingRead<'a> {
    fn new(waiting: &'a watch::Sender<usize>) -> Self {
        waiting.send_modify(|count| *count += 1);
        WaitingRead(waiting)
    }
}

impl Drop for WaitingRead<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

impl Store for Memory {
    fn attach(&self) -> BoxFuture<'_, Result<u64, AttachError>> {
        Box::pin(async move {
            let (answer, answered) = oneshot::channel();
            let ticket = Ticket { inner: self.0.clone(), armed: false };
            self.0.change(|state| {
                if state.claimed {
                    return Err(AttachError::InUse);
                }
                state.claimed = true;
                state.queue.push_back(Request::Attach { ticket, answer });
                Ok(())
            })?;
            match answered.await {
                Ok(Ok((mut ticket, number))) => {
                    ticket.armed = false;
                    Ok(number)
                }
                Ok(Err(error)) => Err(error),
                Err(_) => Err(AttachError::Read(ReadError::Closed)),
            }
        })
    }

    fn detach(&self) {
        self.0.detach();
    }

    fn commit(&self, group: Arc<Group>) -> BoxFuture<'_, Result<(), CommitError>> {
        let (answer, answered) = oneshot::channel();
        let timer = self.0.change(|state| {
            state.plan.commits_received += 1;
            let delay = state.plan.commit_delay;
            let timer = delay.map(|delay| (state.timer(), delay));
            let wait = timer.map(|(timer, _)| timer);
            state.queue.push_back(Request::Commit { group, answer, wait });
            timer
        });
        if let Some((timer, delay)) = timer {
            let inner = self.0.clone();
            runtime::spawn_here(async move {
                runtime::sleep(delay).await;
                inner.change(|state| state.elapse(timer));
            });
        }
        // A queue that was dropped by a simulated restart has answered nothing.
        Box::pin(async move { answered.await.unwrap_or(Err(CommitError::Unknown)) })
    }

    fn get<'a>(
        &'a self,
        actor: &'a ActorName,
        module: &'a str,
        key: &'a [u8],
    ) -> BoxFuture<'a, Result<Option<Bytes>, ReadError>> {
        Box::pin(async move {
            self.0.before_read().await?;
            Ok(self.0.state.lock().ledger.get(actor, module, key))
        })
    }

    fn scan<'a>(
        &'a self,
        actor: &'a ActorName,
        module: &'a str,
        range: &'a KeyRange,
        limit: usize,
        reverse: bool,
    ) -> BoxFuture<'a, Result<Vec<(Bytes, Bytes)>, ReadError>> {
        Box::pin(async move {
            self.0.before_read().await?;
            Ok(self.0.state.lock().ledger.scan(actor, module, range, limit, reverse))
        })
    }
}
