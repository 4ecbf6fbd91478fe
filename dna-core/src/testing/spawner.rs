//! Processes of a simulation, which share a thread: whoever polls a task of one says so, and what the task starts belongs to
//! the same process.

use std::{cell::RefCell, fmt, sync::Arc};

use futures_util::future::BoxFuture;

/// Runs the tasks of one simulated process, which may be stopped or ended without asking them.
pub trait Spawner: fmt::Debug + Send + Sync {
    /// Runs a task of the process. Dropped at once where the process has ended.
    fn spawn(&self, task: BoxFuture<'static, ()>);

    /// Runs what the process has set in motion outside of itself, such as a request on its way: it goes on when the process
    /// does not.
    fn spawn_outside(&self, task: BoxFuture<'static, ()>);
}

thread_local! {
    static CURRENT: RefCell<Option<Arc<dyn Spawner>>> = const { RefCell::new(None) };
}

/// The simulated process that this code runs in, if it runs in one.
#[must_use]
pub fn current_spawner() -> Option<Arc<dyn Spawner>> {
    CURRENT.with_borrow(Clone::clone)
}

/// Runs `run` as code of this simulated process.
pub fn within_process<T>(process: &Arc<dyn Spawner>, run: impl FnOnce() -> T) -> T {
    struct Back(Option<Arc<dyn Spawner>>);
    impl Drop for Back {
        fn drop(&mut self) {
            let before = self.0.take();
            CURRENT.set(before);
        }
    }
    let _back = Back(CURRENT.replace(Some(process.clone())));
    run()
}
