//! What all actors of a node share: its clock, its bounds, and what it serves.
//!
//! It knows names only as rows and slots without their types; it never runs user code.

use std::{
    collections::VecDeque,
    fmt,
    sync::{
        Arc, OnceLock, Weak,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::{
    call_error::{CallError, Loss},
    cluster::Shard,
    limits::{HELD_REPLIES_MAX, LINGERING_TASKS_MAX, UNCOMMITTED_BYTES_MAX},
    meter::{Counts, KindMeter},
    name::ActorName,
    outcome::Outcome,
    placing::Places,
    route::Router,
    run,
    runtime::Runtime,
    slot::AnySlot,
    store::RowsWaiting,
};

use super::{
    EngineInner,
    role::{Home, Role},
    settings::Settings,
};

/// How a node ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// It was shut down, or dropped.
    Stopped,
    /// It lost its store.
    Lost(Loss),
}

impl End {
    /// The error of a message that did not get through because of it.
    pub(crate) fn error(self, outcome: Outcome) -> CallError {
        match self {
            End::Stopped => CallError::Stopped { outcome },
            End::Lost(loss) => CallError::Lost { loss, outcome },
        }
    }
}

/// A task at work, in [`Shared`]'s load.
const AT_WORK: u64 = 1 << 32;

/// The messages in mailboxes, in a load.
fn queued_in(load: u64) -> usize {
    usize::try_from(load % AT_WORK).unwrap_or(usize::MAX)
}

/// The shared part of a node.
pub(crate) struct Shared {
    pub(crate) settings: Settings,
    pub(crate) runtime: Runtime,
    pub(crate) engine: Weak<EngineInner>,
    pub(super) role: Role,
    now: AtomicU64,
    /// No message from outside of handlers is taken any more.
    draining: AtomicBool,
    has_ended: AtomicBool,
    ended: OnceLock<End>,

    // What waits to be committed.
    room: Notify,
    uncommitted_bytes: AtomicUsize,
    held: AtomicUsize,
    /// How often something was let go by a commit.
    settled: AtomicU64,
    pub(super) groups: AtomicU64,

    // Actors.
    /// Messages in mailboxes, and in the upper half tasks that are at work, not lingering: together, since every batch
    /// changes both.
    load: AtomicU64,
    /// Tasks of actors.
    tasks: AtomicUsize,
    cached_bytes: AtomicUsize,
    pub(crate) active: AtomicUsize,
    pub(crate) activations: AtomicU64,
    pub(crate) dropped_casts: AtomicU64,
    pub(crate) counts: Counts,
    /// Slots whose deadlines and tasks the sweeper watches.
    watched: Mutex<Vec<Arc<dyn AnySlot>>>,
    /// Idle slots, the least recently used first.
    idle: Mutex<VecDeque<Weak<dyn AnySlot>>>,
    pub(super) sweep: Notify,
}

impl Shared {
    pub(super) fn new(settings: Settings, runtime: Runtime, role: Role, engine: Weak<EngineInner>) -> Arc<Self> {
        Arc::new(Shared {
            settings,
            runtime,
            engine,
            role,
            now: AtomicU64::new(0),
            draining: AtomicBool::new(false),
            has_ended: AtomicBool::new(false),
            ended: OnceLock::new(),
            room: Notify::new(),
            uncommitted_bytes: AtomicUsize::new(0),
            held: AtomicUsize::new(0),
            settled: AtomicU64::new(0),
            groups: AtomicU64::new(0),
            load: AtomicU64::new(0),
            tasks: AtomicUsize::new(0),
            cached_bytes: AtomicUsize::new(0),
            active: AtomicUsize::new(0),
            activations: AtomicU64::new(0),
            dropped_casts: AtomicU64::new(0),
            counts: Counts::default(),
            watched: Mutex::default(),
            idle: Mutex::default(),
            sweep: Notify::new(),
        })
    }

    /// The shard of a name that is placed by its hash. A node alone has one shard.
    pub(crate) fn shard_of(&self, name: &ActorName) -> Shard {
        self.role.shard_of(name)
    }

    /// What a member knows of where names are placed.
    pub(crate) fn places(&self) -> Option<&Arc<Places>> {
        self.role.places()
    }

    /// Where the names of a shard are served on this node; the error of their callers, where they are not served here.
    pub(crate) fn home(&self, shard: Shard) -> Result<Home, CallError> {
        self.role.home(shard).map_err(|error| self.or_stopped(error))
    }

    /// Whether messages of this node's own may look for names of a shard here.
    pub(crate) fn may_enter(&self, shard: Shard) -> Result<(), CallError> {
        self.role.may_enter(shard).map_err(|error| self.or_stopped(error))
    }

    /// Who carries messages to other nodes, if somebody does.
    pub(crate) fn router(&self) -> Option<&Arc<dyn Router>> {
        self.role.router()
    }

    /// Waits until there is room for one more message to an actor of another node.
    pub(crate) fn poll_room(&self, actor: &ActorName, cx: &mut Context<'_>) -> Poll<()> {
        self.role.router().map_or(Poll::Ready(()), |router| router.poll_room(actor, cx))
    }

    /// How many messages to other nodes are not settled.
    pub(crate) fn routed(&self) -> usize {
        self.role.router().map_or(0, |router| router.routed())
    }

    /// The error of who calls a name of this shard, which is not served here.
    pub(crate) fn not_owner(&self, shard: Shard) -> CallError {
        self.or_stopped(self.role.not_owner(shard))
    }

    /// What a caller is told for whom there is nothing here: a node that stops will have nothing any more.
    fn or_stopped(&self, error: CallError) -> CallError {
        let outcome = Outcome::NotApplied;
        match self.ended() {
            Some(end) => end.error(outcome),
            // With a router, what has begun goes on elsewhere.
            None if self.is_draining() && self.role.router().is_none() => CallError::Stopped { outcome },
            None => error,
        }
    }

    /// The coarse clock: milliseconds since the node's start, at most a tick old.
    #[inline]
    pub(crate) fn now(&self) -> u64 {
        self.now.load(Ordering::Relaxed)
    }

    pub(super) fn advance_clock(&self) -> u64 {
        let now = self.runtime.elapsed_ms();
        self.now.store(now, Ordering::Relaxed);
        now
    }

    /// The coarse time at which something that may take `duration` has taken too long.
    #[inline]
    pub(crate) fn deadline(&self, duration: Duration) -> u64 {
        let tick = u64::try_from(crate::limits::CLOCK_TICK.as_millis()).unwrap_or(u64::MAX);
        self.now().saturating_add(tick).saturating_add(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
    }

    #[inline]
    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    pub(super) fn drain(&self) {
        self.draining.store(true, Ordering::Release);
    }

    #[inline]
    pub(crate) fn has_ended(&self) -> bool {
        self.has_ended.load(Ordering::Acquire)
    }

    #[inline]
    pub(crate) fn ended(&self) -> Option<End> {
        self.ended.get().copied()
    }

    /// Marks the node as ended. `false`: it has ended already.
    pub(super) fn mark_ended(&self, end: End) -> bool {
        let first = self.ended.set(end).is_ok();
        self.has_ended.store(true, Ordering::Release);
        first
    }

    /// Wakes everything that waits on the node itself, and forgets its slots.
    pub(super) fn release(&self) {
        if let Some(places) = self.places() {
            places.look_up_in(None);
        }
        self.sweep.notify_one();
        self.room.notify_waiters();
        // What lies there is dropped behind the locks.
        let watched = self.take_watched();
        let idle = std::mem::take(&mut *self.idle.lock());
        run::drop_user((watched, idle));
    }

    pub(crate) fn count_uncommitted(&self, bytes: usize) {
        self.uncommitted_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn count_held(&self, replies: usize) {
        self.held.fetch_add(replies, Ordering::Relaxed);
    }

    /// Counts what waits no longer: bytes that are committed, and replies that have been let go.
    pub(crate) fn settle_uncommitted(&self, bytes: usize, replies: usize) {
        self.settled.fetch_add(1, Ordering::AcqRel);
        self.uncommitted_bytes.fetch_sub(bytes, Ordering::AcqRel);
        self.held.fetch_sub(replies, Ordering::AcqRel);
        self.room.notify_waiters();
    }

    pub(crate) fn uncommitted_bytes(&self) -> usize {
        self.uncommitted_bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn held(&self) -> usize {
        self.held.load(Ordering::Acquire)
    }

    /// Whether no message is queued or being handled.
    pub(super) fn is_idle(&self) -> bool {
        self.load.load(Ordering::Acquire) == 0
    }

    /// Whether nothing is under way. A message goes from a mailbox to a handler, from there behind the gate, and from
    /// there to the next mailbox; it is looked for in this order, and where something was let go meanwhile, it may have
    /// been missed.
    pub(super) fn is_at_rest(&self) -> bool {
        let settled = self.settled.load(Ordering::Acquire);
        self.is_idle()
            && self.uncommitted_bytes() == 0
            && self.held() == 0
            && self.active.load(Ordering::Acquire) == 0
            && self.settled.load(Ordering::Acquire) == settled
    }

    /// Whether so much waits to be committed that actors have to wait.
    #[inline]
    pub(crate) fn is_backed_up(&self) -> bool {
        self.uncommitted_bytes() >= UNCOMMITTED_BYTES_MAX || self.held() >= HELD_REPLIES_MAX
    }

    /// Waits until the committer has caught up, or the node has ended.
    pub(crate) async fn wait_for_room(&self) {
        loop {
            let room = self.room.notified();
            tokio::pin!(room);
            room.as_mut().enable();
            if !self.is_backed_up() || self.has_ended() {
                return;
            }
            room.await;
        }
    }

    /// A task of an actor begins, or has ended.
    pub(crate) fn count_task(&self) {
        self.tasks.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn uncount_task(&self) {
        self.tasks.fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn tasks(&self) -> usize {
        self.tasks.load(Ordering::Relaxed)
    }

    /// Whether there are so many tasks that none is to linger.
    pub(crate) fn is_crowded(&self) -> bool {
        self.tasks() > LINGERING_TASKS_MAX
    }

    /// Counts a message that is about to be queued. `false`: the node has too many already.
    #[inline]
    pub(crate) fn count_queued(&self) -> bool {
        let before = self.load.fetch_add(1, Ordering::Relaxed);
        let admitted = queued_in(before) < self.settings.queued_messages_max;
        if !admitted {
            self.uncount_queued(1);
        }
        admitted
    }

    pub(crate) fn uncount_queued(&self, messages: usize) {
        self.load.fetch_sub(messages as u64, Ordering::Relaxed);
    }

    /// A task goes to work, and takes so many messages out of its mailbox.
    #[inline]
    pub(crate) fn begin_work(&self, messages: usize) {
        self.load.fetch_add(AT_WORK.wrapping_sub(messages as u64), Ordering::AcqRel);
    }

    #[inline]
    pub(crate) fn end_work(&self) {
        self.load.fetch_sub(AT_WORK, Ordering::AcqRel);
    }

    pub(crate) fn queued(&self) -> usize {
        queued_in(self.load.load(Ordering::Relaxed))
    }

    /// How many tasks are at work.
    pub(super) fn busy(&self) -> usize {
        usize::try_from(self.load.load(Ordering::Acquire) / AT_WORK).unwrap_or(usize::MAX)
    }

    pub(crate) fn count_cached(&self, before: usize, now: usize) {
        if now > before {
            self.cached_bytes.fetch_add(now - before, Ordering::Relaxed);
        } else if before > now {
            self.cached_bytes.fetch_sub(before - now, Ordering::Relaxed);
        }
    }

    pub(crate) fn groups(&self) -> u64 {
        self.groups.load(Ordering::Relaxed)
    }

    /// What is counted of each actor type.
    pub(crate) fn kinds(&self) -> Vec<Arc<KindMeter>> {
        self.engine.upgrade().map_or_else(Vec::new, |engine| engine.meters())
    }

    /// What the stores have committed and not yet stored as rows.
    pub(crate) fn rows_waiting(&self) -> RowsWaiting {
        let stores = self.role.lanes().into_iter().filter_map(|lane| lane.store());
        stores.fold(RowsWaiting::default(), |sum, store| sum.and(store.rows_waiting()))
    }

    pub(crate) fn cached_bytes(&self) -> usize {
        self.cached_bytes.load(Ordering::Relaxed)
    }

    /// How many activations there are above the node's bound.
    pub(crate) fn surplus(&self) -> usize {
        self.active.load(Ordering::Relaxed).saturating_sub(self.settings.max_active)
    }

    /// Counts a new activation.
    pub(crate) fn count_activation(&self) {
        self.active.fetch_add(1, Ordering::Relaxed);
        self.activations.fetch_add(1, Ordering::Relaxed);
        if self.surplus() > 0 {
            self.sweep.notify_one();
        }
    }

    /// Has the sweeper watch a slot until it says that there is nothing to watch.
    pub(crate) fn watch(&self, slot: Arc<dyn AnySlot>) {
        let mut watched = self.watched.lock();
        // Under the lock, as in `enqueue`. A slot that is not watched any more is dropped behind it.
        if !self.has_ended() {
            watched.push(slot);
        }
    }

    /// As [`Shared::watch`], for those that were taken and are still to be watched.
    pub(super) fn watch_again(&self, mut slots: Vec<Arc<dyn AnySlot>>) {
        let mut watched = self.watched.lock();
        if !self.has_ended() {
            // The new ones are fewer.
            slots.append(&mut watched);
            std::mem::swap(&mut slots, &mut watched);
        }
        drop(watched);
    }

    pub(super) fn take_watched(&self) -> Vec<Arc<dyn AnySlot>> {
        std::mem::take(&mut *self.watched.lock())
    }

    /// Files a slot as the most recently used idle one.
    pub(crate) fn file_idle(&self, slot: Weak<dyn AnySlot>) {
        let mut idle = self.idle.lock();
        if !self.has_ended() {
            idle.push_back(slot);
        }
    }

    /// Puts a slot that has time yet back to the head of the queue.
    pub(super) fn file_least_recent(&self, slot: Weak<dyn AnySlot>) {
        let mut idle = self.idle.lock();
        if !self.has_ended() {
            idle.push_front(slot);
        }
    }

    pub(super) fn least_recently_used(&self) -> Option<Arc<dyn AnySlot>> {
        let mut idle = self.idle.lock();
        loop {
            if let Some(slot) = idle.pop_front()?.upgrade() {
                return Some(slot);
            }
        }
    }

    pub(super) fn idle(&self) -> usize {
        self.idle.lock().len()
    }

    /// Counts a cast that could not be delivered. Nobody waits for its answer, so it is logged.
    pub(crate) fn count_dropped_cast(&self, actor: &ActorName, error: &CallError) {
        self.dropped_casts.fetch_add(1, Ordering::Relaxed);
        tracing::warn!(%actor, %error, "a cast was dropped");
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}
