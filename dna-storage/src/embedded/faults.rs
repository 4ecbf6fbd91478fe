//! The handle through which a test makes an [`Embedded`](super::Embedded) store fail, and watches it.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use fjall::PersistMode;
use parking_lot::{Condvar, Mutex};
use tokio::sync::watch;

/// What can be made to go wrong with an [`Embedded`](super::Embedded) store. A clone is the same handle.
#[derive(Debug, Clone, Default)]
pub struct EmbeddedFaults(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    plan: Mutex<Plan>,
    changed: Condvar,
    syncs_waiting: watch::Sender<usize>,
    flushes: AtomicU64,
    fsyncs: AtomicU64,
    settles: AtomicU64,
}

#[derive(Debug, Default)]
struct Plan {
    hold_syncs: bool,
    fail_next_sync: bool,
    answer_early: bool,
    skip_fsyncs: bool,
    unwritten: Option<Append>,
    free_bytes: Option<u64>,
}

/// Number, done, entry.
type Append = (u64, u64, Bytes);

/// What an append is to do.
pub(super) enum EarlyAnswer {
    /// What it was asked.
    No(Append),
    /// What the one before it was asked.
    Earlier(Append),
    /// Nothing.
    Nothing,
}

impl EmbeddedFaults {
    /// From now on the journal waits before it writes and syncs a group, which is one step; no commit is answered
    /// meanwhile. To be released before the last handle is dropped.
    pub fn hold_syncs(&self) {
        self.0.plan.lock().hold_syncs = true;
    }

    /// Ends the hold.
    pub fn release_syncs(&self) {
        self.0.plan.lock().hold_syncs = false;
        self.0.changed.notify_all();
    }

    /// Waits until a sync is held.
    ///
    /// # Cancel safety
    /// Safe: waiting changes nothing.
    pub async fn sync_held(&self) {
        // The sender lives as long as this handle.
        let _ = self.0.syncs_waiting.subscribe().wait_for(|waiting| *waiting > 0).await;
    }

    /// The next sync of the journal fails, behind its write.
    pub fn fail_next_sync(&self) {
        self.0.plan.lock().fail_next_sync = true;
    }

    /// From now on commits are answered `Ok` before they are written: each is written by the next one. This is the bug
    /// that a crash harness has to find.
    pub fn answer_before_writing(&self) {
        self.0.plan.lock().answer_early = true;
    }

    /// From now on commits are answered `Ok` before they are synced: each is only handed to the operating system, whatever
    /// the store's durability. This is the bug that a check of the syncs has to find.
    pub fn answer_before_syncing(&self) {
        self.0.plan.lock().skip_fsyncs = true;
    }

    /// From now on the file system is taken to have this many bytes free; `None`: what it has.
    pub fn set_free_bytes(&self, free: Option<u64>) {
        self.0.plan.lock().free_bytes = free;
    }

    pub(super) fn free_bytes(&self) -> Option<u64> {
        self.0.plan.lock().free_bytes
    }

    /// How many writes of the journal were handed to the operating system, and not synced, since the store was opened.
    pub fn flushes(&self) -> u64 {
        self.0.flushes.load(Ordering::SeqCst)
    }

    /// How many writes of the journal were synced to disk since the store was opened.
    pub fn fsyncs(&self) -> u64 {
        self.0.fsyncs.load(Ordering::SeqCst)
    }

    /// How often the journal was synced to disk apart from a write, before rows were stored.
    pub fn settles(&self) -> u64 {
        self.0.settles.load(Ordering::SeqCst)
    }

    /// How a write is to be persisted that should be persisted with `mode`.
    pub(super) fn mode(&self, mode: PersistMode) -> PersistMode {
        if self.0.plan.lock().skip_fsyncs { PersistMode::Buffer } else { mode }
    }

    pub(super) fn before_sync(&self) -> io::Result<()> {
        let mut plan = self.0.plan.lock();
        if plan.hold_syncs {
            self.0.syncs_waiting.send_modify(|count| *count += 1);
            self.0.changed.wait_while(&mut plan, |plan| plan.hold_syncs);
            self.0.syncs_waiting.send_modify(|count| *count -= 1);
        }
        if std::mem::take(&mut plan.fail_next_sync) {
            Err(io::Error::other("a sync that a test made fail"))
        } else {
            Ok(())
        }
    }

    /// A write was persisted with `mode`.
    pub(super) fn after_sync(&self, mode: PersistMode) {
        let count = if mode == PersistMode::Buffer { &self.0.flushes } else { &self.0.fsyncs };
        count.fetch_add(1, Ordering::SeqCst);
    }

    /// What was written before was persisted with `mode`.
    pub(super) fn after_settle(&self, mode: PersistMode) {
        if mode != PersistMode::Buffer {
            self.0.settles.fetch_add(1, Ordering::SeqCst);
        }
    }

    pub(super) fn answer_early(&self, append: Append) -> EarlyAnswer {
        let mut plan = self.0.plan.lock();
        if !plan.answer_early {
            return EarlyAnswer::No(append);
        }
        plan.unwritten.replace(append).map_or(EarlyAnswer::Nothing, EarlyAnswer::Earlier)
    }

    pub(super) fn is_behind(&self) -> bool {
        self.0.plan.lock().unwritten.is_some()
    }
}
