//! A place where a test can make others wait.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{Notify, watch};

/// A place that is passed at once unless it is held. A clone is the same gate.
#[derive(Debug, Clone, Default)]
pub struct Gate(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    state: Mutex<State>,
    opened: Notify,
    waiting: watch::Sender<usize>,
}

#[derive(Debug, Default)]
struct State {
    held: bool,
    permits: usize,
}

/// Counts one as waiting for as long as it lives.
struct Waiting<'a>(&'a watch::Sender<usize>);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

impl Gate {
    /// From now on nobody passes.
    pub fn hold(&self) {
        *self.0.state.lock() = State { held: true, permits: 0 };
    }

    /// Everybody passes again.
    pub fn release(&self) {
        *self.0.state.lock() = State::default();
        self.0.opened.notify_waiters();
    }

    /// Lets `count` more pass.
    pub fn let_through(&self, count: usize) {
        self.0.state.lock().permits += count;
        self.0.opened.notify_waiters();
    }

    /// Waits until at least `count` wait here.
    pub async fn waiting(&self, count: usize) {
        // The sender lives as long as this handle.
        let _ = self.0.waiting.subscribe().wait_for(|waiting| *waiting >= count).await;
    }

    /// Waits until one may pass.
    pub async fn pass(&self) {
        let mut counted = None;
        loop {
            let opened = self.0.opened.notified();
            {
                let mut state = self.0.state.lock();
                if !state.held {
                    return;
                }
                if let Some(left) = state.permits.checked_sub(1) {
                    state.permits = left;
                    return;
                }
            }
            counted.get_or_insert_with(|| {
                self.0.waiting.send_modify(|count| *count += 1);
                Waiting(&self.0.waiting)
            });
            opened.await;
        }
    }
}
