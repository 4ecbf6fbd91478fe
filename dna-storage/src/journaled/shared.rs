//! What the handle, the commit loop and the row writer of one store share.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::sync::{Notify, watch};

use super::{options::JournaledOptions, overlay::Overlay};

pub(super) struct Shared<J, R> {
    pub(super) journal: J,
    pub(super) rows: R,
    pub(super) options: JournaledOptions,
    pub(super) overlay: Overlay,
    /// Something was committed that waits to be stored, or somebody waits for it.
    pub(super) work: Notify,
    /// Somebody waits until everything up to this number is stored.
    pub(super) wanted: AtomicU64,
    /// Something was stored, or the store was poisoned.
    pub(super) stored: Notify,
    /// The row writer is to end.
    pub(super) closing: watch::Sender<bool>,
    /// The row writer has ended.
    pub(super) rows_ended: watch::Sender<bool>,
    /// Everything up to this number is in the journal. Written by the commit loop alone.
    pub(super) head: AtomicU64,
    /// Everything up to this number is stored. Written by the row writer alone.
    pub(super) done: AtomicU64,
    pub(super) counters: Counters,
    poisoned: AtomicBool,
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) groups: AtomicU64,
    pub(super) batches: AtomicU64,
    pub(super) rows: AtomicU64,
    pub(super) row_failures: AtomicU64,
}

impl<J, R> Shared<J, R> {
    pub(super) fn new(journal: J, rows: R, options: JournaledOptions, done: u64) -> Self {
        Shared {
            journal,
            rows,
            options,
            overlay: Overlay::default(),
            work: Notify::new(),
            wanted: AtomicU64::new(0),
            stored: Notify::new(),
            closing: watch::Sender::new(false),
            rows_ended: watch::Sender::new(false),
            head: AtomicU64::new(done),
            done: AtomicU64::new(done),
            counters: Counters::default(),
            poisoned: AtomicBool::new(false),
        }
    }

    /// Takes nothing any more until the store is opened anew.
    pub(super) fn poison(&self) {
        self.poisoned.store(true, Ordering::SeqCst);
        self.stored.notify_waiters();
    }

    pub(super) fn is_poisoned(&self) -> bool {
        self.poisoned.load(Ordering::SeqCst)
    }

    /// Whether so much waits to be stored that commits have to wait.
    pub(super) fn is_full(&self) -> bool {
        let lag = self.overlay.lag();
        lag.bytes >= self.options.lag_bytes_max || lag.entries >= self.options.lag_entries_max
    }

    /// Whether it is worth it, or wanted, to store what waits now.
    pub(super) fn has_gathered(&self) -> bool {
        let lag = self.overlay.lag();
        let enough_bytes = self.options.row_batch_bytes_max.min(self.options.lag_bytes_max) / 4;
        lag.bytes >= enough_bytes
            || lag.entries >= self.options.lag_entries_max / 4
            || self.done.load(Ordering::SeqCst) < self.wanted.load(Ordering::SeqCst)
    }

    /// Waits until `reached`, which is asked after every batch that was stored and when the store is poisoned.
    pub(super) async fn stored_until(&self, reached: impl Fn() -> bool) {
        loop {
            let stored = self.stored.notified();
            if reached() {
                return;
            }
            stored.await;
        }
    }
}

/// Counts up; no other memory depends on a count.
pub(super) fn add(counter: &AtomicU64, count: u64) {
    counter.fetch_add(count, Ordering::Relaxed);
}
