//! A store that the engine commits through, and everything that ends with it: the queue to its committer, the claim, and
//! the leave to let anything out.

use std::{
    collections::VecDeque,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::{partition::ActorRows, run, store::Store};

use super::{End, authority::Authority};

/// One store of an engine, from its claim to its end.
pub(crate) struct Lane {
    has_ended: AtomicBool,
    ended: OnceLock<End>,
    /// Of a member of a cluster.
    authority: Option<Arc<dyn Authority>>,
    over: Notify,
    /// The store, until the end.
    store: Mutex<Option<Arc<dyn Store>>>,
    /// Whether the store is claimed; locked while a commit begins, however long the store takes for that.
    claimed: Mutex<bool>,
    to_commit: Mutex<VecDeque<Arc<ActorRows>>>,
    pub(super) work: Notify,
}

impl Lane {
    /// A lane on a store that has just been claimed.
    pub(super) fn new(store: Arc<dyn Store>, authority: Option<Arc<dyn Authority>>) -> Arc<Self> {
        Arc::new(Lane {
            has_ended: AtomicBool::new(false),
            ended: OnceLock::new(),
            authority,
            over: Notify::new(),
            store: Mutex::new(Some(store)),
            claimed: Mutex::new(true),
            to_commit: Mutex::default(),
            work: Notify::new(),
        })
    }

    #[inline]
    pub(crate) fn has_ended(&self) -> bool {
        self.has_ended.load(Ordering::Acquire)
    }

    #[inline]
    pub(crate) fn ended(&self) -> Option<End> {
        self.ended.get().copied()
    }

    /// Whether anything may leave for what this lane serves: a member has to hold its lease for that.
    #[inline]
    pub(crate) fn lets_go(&self) -> bool {
        !self.has_ended() && self.authority.as_ref().is_none_or(|authority| authority.holds())
    }

    pub(super) fn authority(&self) -> Option<&Arc<dyn Authority>> {
        self.authority.as_ref()
    }

    /// Marks it as ended. `false`: it has ended already.
    pub(super) fn mark_ended(&self, end: End) -> bool {
        let first = self.ended.set(end).is_ok();
        self.has_ended.store(true, Ordering::Release);
        first
    }

    /// Ends when it has ended.
    pub(super) async fn end(&self) {
        let over = self.over.notified();
        tokio::pin!(over);
        over.as_mut().enable();
        if !self.has_ended() {
            over.await;
        }
    }

    /// The store, until the end.
    pub(crate) fn store(&self) -> Option<Arc<dyn Store>> {
        self.store.lock().clone()
    }

    /// Runs `begin` while the store is certainly claimed, so that no commit begins behind the end of the claim. Only the
    /// end of the claim waits for `begin`.
    pub(super) fn while_claimed<T>(&self, begin: impl FnOnce() -> T) -> Option<T> {
        let claimed = self.claimed.lock();
        claimed.then(begin)
    }

    /// Behind its end: wakes its committer, forgets what waits for it, and gives back the claim on the store.
    pub(super) fn release(&self) {
        let store = self.store.lock().take();
        self.over.notify_waiters();
        // What lies there is dropped behind the lock.
        let queue = std::mem::take(&mut *self.to_commit.lock());
        run::drop_user(queue);
        // Last: it may have to wait for a commit that is just beginning.
        let claimed = std::mem::take(&mut *self.claimed.lock());
        if let Some(store) = store.filter(|_| claimed) {
            run::guard("the store's `detach`", || store.detach());
        }
    }

    /// Puts a name with finished writes into the committer's queue.
    pub(crate) fn enqueue(&self, rows: Arc<ActorRows>) {
        let mut queue = self.to_commit.lock();
        // Under the lock: behind `release` nothing may come to lie here, it would keep the lane alive for ever.
        if !self.has_ended() {
            queue.push_back(rows);
        }
        drop(queue);
        self.work.notify_one();
    }

    /// Everything that waits for the committer.
    pub(super) fn take_to_commit(&self, into: &mut VecDeque<Arc<ActorRows>>) {
        into.append(&mut self.to_commit.lock());
    }
}
