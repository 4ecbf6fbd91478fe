//! Where the two loops of a journaled store run: the crate's one seam to threads, tasks and waiting.
#![allow(clippy::disallowed_methods, reason = "this is the seam that the lint points to")]

use std::{future::Future, io, thread, time::Duration};

use tokio::runtime;

/// What runs the commit loop and the row writer of a [`Journaled`](super::Journaled) store.
#[derive(Debug, Clone)]
pub enum Host {
    /// A thread of its own for each, on which a journal or rows may block. Dropping the store waits for them.
    Threads,
    /// Tasks of this runtime, which must not block. They end soon after the store is dropped.
    Tokio(runtime::Handle),
}

/// A loop that was started. Dropping it waits for the end of its thread, if it has one.
#[derive(Debug)]
pub(crate) struct Worker(Option<thread::JoinHandle<()>>);

impl Host {
    /// Runs a loop until it ends by itself.
    pub(crate) fn start(&self, name: &str, body: impl Future<Output = ()> + Send + 'static) -> io::Result<Worker> {
        match self {
            Host::Threads => {
                let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
                let thread = thread::Builder::new().name(name.to_owned()).spawn(move || runtime.block_on(body))?;
                Ok(Worker(Some(thread)))
            }
            Host::Tokio(handle) => {
                handle.spawn(body);
                Ok(Worker(None))
            }
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if let Some(thread) = self.0.take()
            && thread.join().is_err()
        {
            tracing::error!("a thread of the store has panicked; what was committed is in its journal");
        }
    }
}

/// Waits for `future` no longer than this.
pub(crate) async fn within<F: Future>(time: Duration, future: F) -> Option<F::Output> {
    tokio::time::timeout(time, future).await.ok()
}

/// Ends so long after this call, whenever it is first polled.
#[cfg(feature = "scylla")]
pub(crate) fn timer(time: Duration) -> tokio::time::Sleep {
    tokio::time::sleep(time)
}

/// Waits this long.
pub(crate) async fn pause(time: Duration) {
    tokio::time::sleep(time).await;
}
