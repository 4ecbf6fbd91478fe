//! The seam to the runtime: time, randomness and spawning enter the engine here and nowhere else, so that a simulator can take
//! their place.
#![expect(clippy::disallowed_methods, reason = "this is the seam that the rule points to")]

use std::{
    future::{Future, poll_fn},
    task::Poll,
    time::Duration,
};

use tokio::{
    runtime::Handle,
    time::{Instant, Sleep},
};
use uuid::Uuid;

#[cfg(feature = "testing")]
pub(crate) use foldhash::fast::FixedState as RandomState;
/// How maps whose keys are chosen by others hash them. Under test the same in every run, since what a map holds comes out in
/// the order of the hashes.
#[cfg(not(feature = "testing"))]
pub(crate) use foldhash::fast::RandomState;

/// Where the engine's tasks run, and the clock that they see.
#[derive(Debug, Clone)]
pub(crate) struct Runtime {
    handle: Handle,
    started: Instant,
    #[cfg(feature = "testing")]
    spawner: Option<std::sync::Arc<dyn crate::testing::Spawner>>,
}

impl Runtime {
    /// The runtime that this code runs in, if it runs in one.
    pub(crate) fn current() -> Option<Self> {
        let handle = Handle::try_current().ok()?;
        Some(Runtime {
            handle,
            started: Instant::now(),
            #[cfg(feature = "testing")]
            spawner: crate::testing::current_spawner(),
        })
    }

    /// Runs `task` in the background. It is never joined: who waits for it does so by what it does.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        #[cfg(feature = "testing")]
        if let Some(spawner) = &self.spawner {
            return spawner.spawn(Box::pin(task));
        }
        drop(self.handle.spawn(task));
    }

    /// Ends after `duration`, by this runtime's clock, wherever it is polled.
    pub(crate) fn timer(&self, duration: Duration) -> Sleep {
        let _inside = self.handle.enter();
        sleep(duration)
    }

    /// Milliseconds since this runtime was taken.
    pub(crate) fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// How long ago something was, by tokio's clock.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    pub(crate) fn start() -> Self {
        Stopwatch(Instant::now())
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

/// Runs `task` in the background of the runtime that this is called in.
pub(crate) fn spawn_here(task: impl Future<Output = ()> + Send + 'static) {
    #[cfg(feature = "testing")]
    if let Some(spawner) = crate::testing::current_spawner() {
        return spawner.spawn(Box::pin(task));
    }
    drop(tokio::spawn(task));
}

/// The same, of what happens outside of the process that this is called in, where that is a simulated one: it goes on when
/// the process does not.
pub(crate) fn spawn_outside(task: impl Future<Output = ()> + Send + 'static) {
    #[cfg(feature = "testing")]
    if let Some(spawner) = crate::testing::current_spawner() {
        return spawner.spawn_outside(Box::pin(task));
    }
    drop(tokio::spawn(task));
}

/// Ends after `duration`.
pub(crate) fn sleep(duration: Duration) -> Sleep {
    tokio::time::sleep(duration)
}

/// Ends with the future, or with `None` after `duration`.
pub(crate) async fn within<F: Future>(duration: Duration, future: F) -> Option<F::Output> {
    tokio::time::timeout(duration, future).await.ok()
}

/// A UUID of version 7: the time, then random bits.
pub(crate) fn fresh_uuid() -> Uuid {
    Uuid::now_v7()
}

/// Lets the tasks go first that are ready to run.
///
/// tokio's own `yield_now` comes back only when the thread has nothing else to do and has asked the operating system for
/// events: far too dear for something that is done behind every batch.
pub(crate) async fn yield_now() {
    let mut yielded = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Lets what else there is to do go first, also what the operating system has news of: for who has had the thread for long.
/// The tasks that the news are for may come right behind.
pub(crate) async fn give_way() {
    tokio::task::yield_now().await;
}
