//! The lease of a node, as everyone who answers in its name looks at it.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use parking_lot::Mutex;

use crate::{
    decide::{Lease, Renewal},
    moment::Moment,
    seam::Clock,
};

/// Whether one incarnation of a node may answer for its actors. Cheap to clone and to ask.
#[derive(Clone)]
pub struct LeaseHandle(Arc<Shared>);

struct Shared {
    clock: Clock,
    /// In nanoseconds since boot; a copy of what the lease says.
    until: AtomicU64,
    lease: Mutex<Lease>,
}

impl LeaseHandle {
    pub(crate) fn new(clock: Clock, lease: Lease) -> Self {
        LeaseHandle(Arc::new(Shared { clock, until: AtomicU64::new(nanos(lease.until())), lease: Mutex::new(lease) }))
    }

    /// Whether the node may still answer. Ask right before every answer; once it says no it never says yes again.
    pub fn holds(&self) -> bool {
        let now = self.0.clock.now();
        if nanos(now) < self.0.until.load(Ordering::Acquire) {
            return true;
        }
        let mut lease = self.0.lease.lock();
        let holds = lease.holds(now);
        if !holds {
            self.0.until.store(0, Ordering::Release);
        }
        holds
    }

    /// Until when it holds if no heartbeat succeeds any more.
    pub fn until(&self) -> Moment {
        self.0.lease.lock().until()
    }

    /// Takes in that a heartbeat succeeded that was sent then.
    pub(crate) fn renew(&self, sent: Moment) -> Renewal {
        let mut lease = self.0.lease.lock();
        let renewal = lease.renew(sent, self.0.clock.now());
        let until = match renewal {
            Renewal::Until(until) => nanos(until),
            Renewal::Lapsed => 0,
        };
        self.0.until.store(until, Ordering::Release);
        renewal
    }

    /// Ends it before its time.
    pub(crate) fn give_up(&self) {
        let mut lease = self.0.lease.lock();
        lease.give_up();
        self.0.until.store(0, Ordering::Release);
    }
}

fn nanos(moment: Moment) -> u64 {
    u64::try_from(moment.as_duration().as_nanos()).unwrap_or(u64::MAX)
}

impl fmt::Debug for LeaseHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LeaseHandle").field("until", &self.until()).finish_non_exhaustive()
    }
}
