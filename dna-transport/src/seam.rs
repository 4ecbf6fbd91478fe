//! The seam to the system: time, tasks and randomness enter this crate here and nowhere else, so that a simulator can take
//! their place. Sockets enter through [`Network`](crate::Network).
#![allow(clippy::disallowed_methods, reason = "this is the seam that the rule points to")]

#[cfg(feature = "testing")]
use std::fmt;
use std::{future::Future, sync::Arc, time::Duration};

#[cfg(feature = "testing")]
use futures_util::future::{self, BoxFuture};
use parking_lot::Mutex;
use tokio::{
    runtime::Handle,
    task,
    time::{Instant, Sleep},
};

/// How maps whose keys are chosen by others hash them. Under test the same in every run, since what a map holds comes out in
/// the order of the hashes.
#[cfg(feature = "testing")]
pub(crate) use foldhash::fast::FixedState as RandomState;
#[cfg(not(feature = "testing"))]
pub(crate) use foldhash::fast::RandomState;

/// Where the tasks of a transport run, and what they know of time and chance.
#[derive(Debug, Clone)]
pub(crate) struct Seam {
    handle: Handle,
    started: Instant,
    /// The state of the generator for what need not be secret.
    chance: Arc<Mutex<u64>>,
    #[cfg(feature = "testing")]
    spawner: Option<Spawner>,
}

/// Runs the tasks of a transport in the place of tokio, for a simulation.
#[cfg(feature = "testing")]
#[derive(Clone)]
pub struct Spawner(Arc<dyn Fn(BoxFuture<'static, ()>) + Send + Sync>);

#[cfg(feature = "testing")]
impl Spawner {
    /// One that gives each task to `spawn`.
    pub fn new(spawn: impl Fn(BoxFuture<'static, ()>) + Send + Sync + 'static) -> Self {
        Spawner(Arc::new(spawn))
    }
}

#[cfg(feature = "testing")]
impl fmt::Debug for Spawner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spawner").finish_non_exhaustive()
    }
}

/// Ends a task from outside.
#[derive(Debug)]
pub(crate) enum AbortHandle {
    Tokio(task::AbortHandle),
    #[cfg(feature = "testing")]
    Simulated(future::AbortHandle),
}

impl AbortHandle {
    /// The task is dropped at its next turn.
    pub(crate) fn abort(&self) {
        match self {
            AbortHandle::Tokio(handle) => handle.abort(),
            #[cfg(feature = "testing")]
            AbortHandle::Simulated(handle) => handle.abort(),
        }
    }
}

/// Milliseconds since the transport was started.
pub(crate) type Millis = u64;

impl Seam {
    /// The runtime that this code runs in, if it runs in one.
    pub(crate) fn current(seed: Option<u64>) -> Option<Self> {
        let handle = Handle::try_current().ok()?;
        let seed = match seed {
            Some(seed) => seed,
            // Without a seed from the system the generator still does its work, which is to scatter reconnects.
            None => getrandom::u64().unwrap_or_default(),
        };
        Some(Seam {
            handle,
            started: Instant::now(),
            chance: Arc::new(Mutex::new(seed)),
            #[cfg(feature = "testing")]
            spawner: None,
        })
    }

    /// The same, with tasks that `spawner` runs, if there is one.
    #[cfg(feature = "testing")]
    pub(crate) fn spawning(self, spawner: Option<Spawner>) -> Self {
        Seam { spawner, ..self }
    }

    /// Runs `task` in the background. Aborting drops it at its next turn.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> AbortHandle {
        #[cfg(feature = "testing")]
        if let Some(Spawner(spawn)) = &self.spawner {
            let (task, handle) = future::abortable(task);
            // Whether it was aborted is nothing to anybody.
            spawn(Box::pin(async move { _ = task.await }));
            return AbortHandle::Simulated(handle);
        }
        AbortHandle::Tokio(self.handle.spawn(task).abort_handle())
    }

    pub(crate) fn now(&self) -> Millis {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Evenly between zero and one; not for secrets.
    pub(crate) fn chance(&self) -> f64 {
        let mut state = self.chance.lock();
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = *state;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^= bits >> 31;
        #[expect(clippy::cast_precision_loss, reason = "53 bits are what an f64 holds")]
        let fraction = (bits >> 11) as f64 / (1u64 << 53) as f64;
        fraction
    }
}

/// Bytes that nobody can guess, or `None` where the system has none.
pub(crate) fn secret_bytes<const N: usize>() -> Option<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).ok()?;
    Some(bytes)
}

/// Ends after `duration`.
pub(crate) fn sleep(duration: Duration) -> Sleep {
    tokio::time::sleep(duration)
}

/// Starts `timer` anew, to end after `duration`.
pub(crate) fn restart(timer: std::pin::Pin<&mut Sleep>, duration: Duration) {
    timer.reset(Instant::now() + duration);
}

/// Ends with the future, or with `None` after `duration`.
pub(crate) async fn within<F: Future>(duration: Duration, future: F) -> Option<F::Output> {
    tokio::time::timeout(duration, future).await.ok()
}
