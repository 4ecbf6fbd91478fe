//! What all tasks of one transport share.

use std::{
    collections::{BTreeMap, HashMap},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::task::AtomicWaker;
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};

use crate::{
    Config, Event, PeerId,
    handshake::Local,
    limits::DEADLINE_PRECISION,
    peer::PeerInner,
    seam::{self, Millis, Seam},
};

/// Where the peers of a transport are: by the node that is wanted, if a certain one is, and by address.
pub(crate) type PeerKey = (Option<PeerId>, Arc<str>);

/// What all tasks of one transport share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) local: Local,
    pub(crate) seam: Seam,
    /// Calls of this node without a reply.
    pub(crate) in_flight: Arc<AtomicUsize>,
    /// Requests of peers whose handlers have not ended.
    pub(crate) handled: Arc<Gauge>,
    /// Connections and peers' tasks that have not ended.
    pub(crate) tasks: Arc<Gauge>,
    pub(crate) peers: Mutex<BTreeMap<PeerKey, Arc<PeerInner>>>,
    /// The nodes that this one has connected to, and as which peer.
    pub(crate) dialed: Mutex<HashMap<PeerId, Arc<PeerInner>>>,
    /// The nodes that have connected to this one.
    pub(crate) accepted: Mutex<HashMap<PeerId, Arc<Accepted>>>,
    /// Wakes who keeps the deadlines.
    pub(crate) sweeper: Sweeper,
    pub(crate) closing: watch::Sender<Closing>,
}

/// How far the end of a transport is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Closing {
    No,
    /// No new requests.
    Gracefully,
    /// At once.
    Now,
}

impl Shared {
    pub(crate) fn tell(&self, event: Event) {
        if let Some(observer) = &self.config.observer {
            observer.event(event);
        }
    }
}

/// Wakes who waits for a change. Costs next to nothing while nobody does.
#[derive(Debug, Default)]
pub(crate) struct Change {
    waiting: AtomicUsize,
    notify: Notify,
}

impl Change {
    /// Something has changed.
    pub(crate) fn tell(&self) {
        if self.waiting.load(Ordering::SeqCst) > 0 {
            self.notify.notify_waiters();
        }
    }

    /// Looks again after each change until there is a result.
    pub(crate) async fn until<T>(&self, mut look: impl FnMut() -> Option<T>) -> T {
        let _waiting = Waiting::new(&self.waiting);
        loop {
            let mut changed = pin!(self.notify.notified());
            // A change after the look must not be missed.
            changed.as_mut().enable();
            if let Some(result) = look() {
                return result;
            }
            changed.await;
        }
    }
}

/// One that waits.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Waiting(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Counts what runs, and wakes who waits for less of it.
#[derive(Debug, Default)]
pub(crate) struct Gauge {
    count: AtomicUsize,
    less: Change,
}

impl Gauge {
    /// Counts one more until the guard is dropped.
    pub(crate) fn enter(self: &Arc<Self>) -> GaugeGuard {
        self.count.fetch_add(1, Ordering::SeqCst);
        GaugeGuard(Arc::clone(self))
    }

    pub(crate) fn count(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }

    /// Waits until fewer than `bound` are there.
    pub(crate) async fn below(&self, bound: usize) {
        self.less.until(|| (self.count() < bound).then_some(())).await;
    }
}

/// One that a [`Gauge`] counts.
#[derive(Debug)]
pub(crate) struct GaugeGuard(Arc<Gauge>);

impl Drop for GaugeGuard {
    fn drop(&mut self) {
        self.0.count.fetch_sub(1, Ordering::SeqCst);
        self.0.less.tell();
    }
}

/// An accepted connection, as others reach it.
#[derive(Debug)]
pub(crate) struct Accepted {
    /// Set when a newer connection takes its place.
    is_replaced: AtomicBool,
    /// Whether somebody waits for room on the node in its name.
    is_waiting: AtomicBool,
    pub(crate) waker: AtomicWaker,
    has_ended: watch::Sender<bool>,
}

impl Accepted {
    pub(crate) fn new() -> Self {
        Accepted {
            is_replaced: AtomicBool::new(false),
            is_waiting: AtomicBool::new(false),
            waker: AtomicWaker::new(),
            has_ended: watch::Sender::new(false),
        }
    }

    /// Whether nobody waits for room in its name. From here on somebody does.
    pub(crate) fn begin_waiting(&self) -> bool {
        !self.is_waiting.swap(true, Ordering::SeqCst)
    }

    pub(crate) fn end_waiting(&self) {
        self.is_waiting.store(false, Ordering::SeqCst);
        self.waker.wake();
    }

    pub(crate) fn is_replaced(&self) -> bool {
        self.is_replaced.load(Ordering::SeqCst)
    }

    /// Ends it, and waits until it delivers nothing any more.
    pub(crate) async fn replace(&self) {
        self.is_replaced.store(true, Ordering::SeqCst);
        self.waker.wake();
        // The sender is in `self`: it cannot be gone.
        self.has_ended.subscribe().wait_for(|ended| *ended).await.ok();
    }

    pub(crate) fn ended(&self) {
        self.has_ended.send_replace(true);
    }
}

/// Wakes who keeps the deadlines when there is an earlier one than it sleeps for.
#[derive(Debug)]
pub(crate) struct Sweeper {
    sleeps_until: AtomicU64,
    wake: Notify,
}

impl Sweeper {
    pub(crate) fn new() -> Self {
        Sweeper { sleeps_until: AtomicU64::new(Millis::MAX), wake: Notify::new() }
    }

    /// There is a deadline to keep.
    pub(crate) fn stir(&self, deadline: Millis) {
        if deadline < self.sleeps_until.load(Ordering::SeqCst) {
            self.wake.notify_one();
        }
    }

    /// To be called before the deadlines are looked at: each one that comes from here on wakes the sleeper.
    pub(crate) fn look(&self) {
        self.sleeps_until.store(Millis::MAX, Ordering::SeqCst);
    }

    /// Sleeps until about `deadline`, the earliest that was found at `now`, or until there is an earlier one.
    pub(crate) async fn sleep(&self, deadline: Millis, now: Millis) {
        self.sleeps_until.store(deadline, Ordering::SeqCst);
        if deadline == Millis::MAX {
            return self.wake.notified().await;
        }
        let wait = Duration::from_millis(deadline.saturating_sub(now)).max(DEADLINE_PRECISION);
        seam::within(wait, self.wake.notified()).await;
    }
}
