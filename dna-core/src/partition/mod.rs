//! The write buffer and the output gate of one name, and the handle that storage modules have of it.
//!
//! Both belong to the name, not to an activation: whatever happens to the actor, a reader sees what waits to be
//! committed, and a reply that shows it waits for that commit. This module knows nothing of mailboxes and handlers; it
//! finds the running handler's [`Scope`](crate::scope::Scope) only to refuse what does not come from one.

mod buffer;
mod gate;
mod handle;
mod row_map;
mod scan;

use std::sync::{
    Arc, OnceLock, Weak,
    atomic::{AtomicU64, Ordering},
};

use parking_lot::Mutex;

use crate::{
    call_error::CallError,
    cluster::Shard,
    engine::{End, Home, Shared},
    name::ActorName,
    outcome::Outcome,
    scope::Scope,
    store::Refusal,
};

use self::{buffer::Buffer, gate::Gate};

pub(crate) use self::{
    buffer::{Savepoint, Taken},
    gate::Waiting,
};
pub use handle::Partition;

/// The rows of one name that are not the store's alone, and everything that waits for their commit.
pub(crate) struct ActorRows {
    name: ActorName,
    shared: Arc<Shared>,
    /// Where they are committed, and what has to hold for anything to leave.
    home: Home,
    /// Told after each commit, where the actor has an `after_persist`.
    observer: OnceLock<Weak<dyn CommitObserver>>,
    /// Raised when a commit was refused: everything computed before is void.
    generation: AtomicU64,
    finished: AtomicU64,
    committed: AtomicU64,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    buffer: Buffer,
    gate: Gate,
    /// Whether the committer has this name in its queue.
    queued: bool,
    /// Whether the committer is letting casts go: later ones wait for it, to keep their order.
    posting: bool,
    /// Bytes of finished writes, as counted against the node's bound: waiting, and taken by the committer.
    waiting_bytes: usize,
    taken_bytes: usize,
    /// What of the cache is counted in the node's total.
    counted_cache_bytes: usize,
    refusal: Option<Refusal>,
    ended: Option<End>,
    /// Whether the store took nothing of what the committer had when the node ended.
    untouched: bool,
}

impl Inner {
    /// Up to where writes are in doubt once the node has ended.
    fn in_doubt(&self) -> u64 {
        if self.untouched { self.buffer.committed() } else { self.buffer.taken() }
    }
}

/// Someone to be told of commits.
pub(crate) trait CommitObserver: Send + Sync {
    fn committed(self: Arc<Self>);
}

impl ActorRows {
    pub(crate) fn new(name: ActorName, shared: Arc<Shared>, home: Home) -> Arc<Self> {
        Arc::new(ActorRows {
            name,
            shared,
            home,
            observer: OnceLock::new(),
            generation: AtomicU64::new(0),
            finished: AtomicU64::new(0),
            committed: AtomicU64::new(0),
            inner: Mutex::default(),
        })
    }

    #[inline]
    pub(crate) fn name(&self) -> &ActorName {
        &self.name
    }

    /// The coarse clock of the name's node.
    #[inline]
    pub(crate) fn now(&self) -> u64 {
        self.shared.now()
    }

    /// How what serves the name has ended, if it has.
    #[inline]
    pub(crate) fn over(&self) -> Option<End> {
        self.home.lane.ended()
    }

    /// Whether what serves the name has ended.
    #[inline]
    pub(crate) fn is_over(&self) -> bool {
        self.home.lane.has_ended()
    }

    /// On a member of a cluster: the name's shard, and the epoch since which this node owns it.
    pub(crate) fn owned(&self) -> Option<(Shard, u64)> {
        self.home.owned
    }

    /// Has `observer` told of every commit from now on.
    pub(crate) fn observe(&self, observer: Weak<dyn CommitObserver>) {
        // Set once, when the slot is made.
        drop(self.observer.set(observer));
    }

    #[inline]
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// The position of the last finished write.
    #[inline]
    pub(crate) fn finished(&self) -> u64 {
        self.finished.load(Ordering::Acquire)
    }

    /// Whether everything up to `position` is durable.
    #[inline]
    pub(crate) fn is_committed(&self, position: u64) -> bool {
        self.committed.load(Ordering::Acquire) >= position
    }

    /// Whether what a handler on an activation of this generation sends out, having seen everything up to `position`,
    /// may leave now.
    #[inline]
    pub(crate) fn may_leave(&self, position: u64, generation: u64) -> bool {
        // In this order: a refusal raises the generation before it moves the positions on.
        let is_open = self.is_committed(position) || self.shared.settings.opens_gate();
        is_open && self.generation() == generation && self.home.lane.lets_go()
    }

    /// Whether nothing of this name waits for anything.
    pub(crate) fn is_settled(&self) -> bool {
        let inner = self.inner.lock();
        inner.buffer.is_settled() && inner.gate.is_empty() && !inner.posting
    }

    pub(crate) fn savepoint(&self) -> Savepoint {
        self.inner.lock().buffer.savepoint()
    }

    pub(crate) fn roll_back_to(&self, savepoint: Savepoint) {
        self.inner.lock().buffer.roll_back_to(savepoint);
    }

    /// Takes back what a message wrote that will not be concluded.
    pub(crate) fn abandon(&self) {
        self.inner.lock().buffer.roll_back();
    }

    /// Ends the message that runs in `scope`: with `keep` its writes may be committed from now on, else they are taken
    /// back. Answers the position that its reply has to wait for.
    #[inline]
    pub(crate) fn conclude(&self, scope: &Scope, keep: bool) -> Result<u64, CallError> {
        let outcome = if scope.sent { Outcome::Unknown } else { Outcome::NotApplied };
        if !scope.wrote && scope.generation == self.generation() && !self.is_over() {
            return Ok(self.finished());
        }
        self.conclude_writes(scope, keep, outcome)
    }

    fn conclude_writes(&self, scope: &Scope, keep: bool, outcome: Outcome) -> Result<u64, CallError> {
        let mut inner = self.inner.lock();
        if let Some(end) = inner.ended.or_else(|| self.over()) {
            inner.buffer.roll_back();
            return Err(end.error(outcome));
        }
        if scope.generation != self.generation() {
            inner.buffer.roll_back();
            let refusal = inner.refusal.unwrap_or(Refusal::Unavailable);
            return Err(CallError::NotCommitted { refusal, outcome });
        }
        if !keep {
            inner.buffer.roll_back();
            return Ok(self.finished());
        }
        let bytes = inner.buffer.finish().map_err(|error| CallError::Write { error, outcome })?;
        inner.waiting_bytes += bytes;
        self.shared.count_uncommitted(bytes);
        self.count_cache(&mut inner);
        let finished = inner.buffer.finished();
        self.finished.store(finished, Ordering::Release);
        Ok(finished)
    }

    /// Hands what is finished to the committer.
    #[inline]
    pub(crate) fn flush(self: &Arc<Self>) {
        if !self.is_committed(self.finished()) {
            self.enqueue();
        }
    }

    fn enqueue(self: &Arc<Self>) {
        let mut inner = self.inner.lock();
        if inner.buffer.has_untaken() && !inner.queued {
            inner.queued = true;
            drop(inner);
            self.home.lane.enqueue(self.clone());
        }
    }

    /// Lets `waiting` go when everything up to `position` is durable: at once, where it is. It comes from a handler on
    /// an activation of this generation.
    pub(crate) fn gate(&self, position: u64, generation: u64, waiting: Waiting) {
        let in_order = matches!(waiting, Waiting::Posts(_));
        if !in_order && self.may_leave(position, generation) {
            return waiting.release();
        }
        let mut inner = self.inner.lock();
        if let Some(end) = inner.ended.or_else(|| self.over()) {
            let in_doubt = position <= inner.in_doubt();
            drop(inner);
            waiting.end(end, in_doubt);
        } else if self.generation() != generation {
            let refusal = inner.refusal.unwrap_or(Refusal::Unavailable);
            drop(inner);
            waiting.fail(|outcome| CallError::NotCommitted { refusal, outcome });
        } else if self.is_committed(position) && !(in_order && inner.posting) && self.home.lane.lets_go() {
            drop(inner);
            waiting.release();
        } else {
            self.shared.count_held(1);
            inner.gate.hold(position, waiting);
        }
    }

    /// Why something that waited at the gate was not let go.
    pub(crate) fn why_refused(&self) -> CallError {
        let inner = self.inner.lock();
        let outcome = Outcome::NotApplied;
        match inner.ended.or_else(|| self.over()) {
            Some(end) => end.error(outcome),
            None => CallError::NotCommitted { refusal: inner.refusal.unwrap_or(Refusal::Unavailable), outcome },
        }
    }

    /// Whether the committer still has to come back to this name.
    pub(crate) fn is_queued(&self) -> bool {
        self.inner.lock().queued
    }

    /// Takes the next part of what is finished, if it fits into `room` bytes, and the node has not ended.
    pub(crate) fn take(&self, room: usize) -> Option<Taken> {
        let mut inner = self.inner.lock();
        if inner.ended.is_some() || self.over().is_some() {
            // What was not taken when the node ended was answered as not applied.
            inner.queued = false;
            return None;
        }
        let taken = inner.buffer.take(room);
        if let Some(taken) = &taken {
            inner.queued = taken.more;
            if !taken.more {
                // Everything that was counted is under way now.
                let waiting = std::mem::take(&mut inner.waiting_bytes);
                inner.taken_bytes += waiting;
            } else {
                let part = inner.waiting_bytes.min(taken.bytes);
                inner.waiting_bytes -= part;
                inner.taken_bytes += part;
            }
        } else if !inner.buffer.has_untaken() {
            inner.queued = false;
        }
        taken
    }

    /// Everything up to `upto` is durable: lets go what waited for it.
    pub(crate) fn settle(&self, upto: u64) {
        let mut inner = self.inner.lock();
        if inner.ended.is_some() {
            return;
        }
        inner.buffer.commit(upto);
        self.committed.store(upto, Ordering::Release);
        let mut released = self.let_go(&mut inner, upto);
        let bytes = std::mem::take(&mut inner.taken_bytes);
        inner.posting = !released.is_empty();
        drop(inner);
        self.shared.settle_uncommitted(bytes, 0);
        while !released.is_empty() {
            let count = released.len();
            for waiting in released {
                waiting.release();
            }
            // Only now: until a cast is in its mailbox, a node that shuts down has to wait for it.
            self.shared.settle_uncommitted(0, count);
            let mut inner = self.inner.lock();
            released = self.let_go(&mut inner, upto);
            inner.posting = !released.is_empty();
        }
        if let Some(observer) = self.observer.get().and_then(Weak::upgrade) {
            observer.committed();
        }
    }

    /// What may leave now that everything up to `upto` is durable. A member that has lost its lease keeps it until its
    /// end.
    fn let_go(&self, inner: &mut Inner, upto: u64) -> Vec<Waiting> {
        if self.home.lane.lets_go() { inner.gate.take_upto(upto) } else { Vec::new() }
    }

    /// The store took nothing of what was taken: everything since the last commit is void.
    pub(crate) fn refuse(&self, refusal: Refusal) {
        let mut inner = self.inner.lock();
        inner.buffer.refuse();
        // It stays in the committer's queue if it is there, so that it never stands in it twice.
        inner.refusal = Some(refusal);
        self.generation.fetch_add(1, Ordering::AcqRel);
        self.finished.store(inner.buffer.finished(), Ordering::Release);
        self.committed.store(inner.buffer.committed(), Ordering::Release);
        let void = inner.gate.take_all();
        let bytes = std::mem::take(&mut inner.waiting_bytes) + std::mem::take(&mut inner.taken_bytes);
        self.count_cache(&mut inner);
        drop(inner);
        self.shared.settle_uncommitted(bytes, void.len());
        for (_, waiting) in void {
            waiting.fail(|outcome| CallError::NotCommitted { refusal, outcome });
        }
    }

    /// The node has ended: what the committer had taken is in doubt, the rest was not applied. Nothing is held from now
    /// on.
    pub(crate) fn end(&self, end: End) {
        self.end_with(end, false);
    }

    /// As [`end`](ActorRows::end), where the store has said that it took nothing of what the committer had taken.
    pub(crate) fn end_untouched(&self, end: End) {
        self.end_with(end, true);
    }

    fn end_with(&self, end: End, untouched: bool) {
        let mut inner = self.inner.lock();
        if inner.ended.replace(end).is_some() {
            return;
        }
        inner.untouched = untouched;
        let (held, in_doubt) = (inner.gate.take_all(), inner.in_doubt());
        let bytes = std::mem::take(&mut inner.waiting_bytes) + std::mem::take(&mut inner.taken_bytes);
        drop(inner);
        self.shared.settle_uncommitted(bytes, held.len());
        for (position, waiting) in held {
            waiting.end(end, position <= in_doubt);
        }
    }

    /// What the cache holds, as it is counted in the node's total.
    pub(crate) fn cached_bytes(&self) -> usize {
        self.inner.lock().counted_cache_bytes
    }

    /// Gives back memory that messages have left behind. `false`: something still waits, and needs it.
    pub(crate) fn shrink(&self) -> bool {
        let mut inner = self.inner.lock();
        inner.buffer.shrink();
        inner.gate.shrink();
        inner.buffer.is_settled() && inner.gate.is_empty()
    }

    /// Drops every cached row that the store has too.
    pub(crate) fn drop_cache(&self) {
        let mut inner = self.inner.lock();
        inner.buffer.evict(false);
        self.count_cache(&mut inner);
    }

    fn count_cache(&self, inner: &mut Inner) {
        let now = inner.buffer.cached_bytes();
        self.shared.count_cached(inner.counted_cache_bytes, now);
        inner.counted_cache_bytes = now;
    }
}

impl Drop for ActorRows {
    fn drop(&mut self) {
        self.shared.count_cached(self.inner.get_mut().counted_cache_bytes, 0);
    }
}
