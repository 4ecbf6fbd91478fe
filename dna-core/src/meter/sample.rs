//! Timing one call in many.

use std::{
    cell::Cell,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use crate::runtime::Stopwatch;

use super::counts::KindMeter;

/// One call in so many is timed: reading the clock for each would cost more than many a call.
const ONE_IN: u32 = 128;

thread_local! {
    /// Where a thread stands. Each begins with a call that is timed, so that what is called rarely is seen.
    static CALLS: Cell<u32> = const { Cell::new(0) };
}

/// A call that is timed.
pub(crate) struct Sample {
    started: Stopwatch,
    meter: Arc<KindMeter>,
    went_elsewhere: AtomicBool,
}

impl Sample {
    /// The clock of a call that begins now, if it is one of those that are timed.
    #[inline]
    pub(crate) fn begin<'a>(meter: impl FnOnce() -> Option<&'a Arc<KindMeter>>) -> Option<Box<Self>> {
        if !cfg!(feature = "metrics") {
            return None;
        }
        let calls = CALLS.get();
        CALLS.set(calls.wrapping_add(1));
        if calls.is_multiple_of(ONE_IN) { Sample::start(meter()?) } else { None }
    }

    #[cold]
    fn start(meter: &Arc<KindMeter>) -> Option<Box<Self>> {
        let (started, meter) = (Stopwatch::start(), meter.clone());
        Some(Box::new(Sample { started, meter, went_elsewhere: AtomicBool::new(false) }))
    }

    /// The call goes to another node.
    pub(crate) fn goes_elsewhere(&self) {
        self.went_elsewhere.store(true, Ordering::Relaxed);
    }

    /// The call has its reply.
    #[cold]
    pub(crate) fn end(&self) {
        let spread = if self.went_elsewhere.load(Ordering::Relaxed) { &self.meter.elsewhere } else { &self.meter.here };
        spread.count(u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX));
    }
}

impl fmt::Debug for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sample").field("started", &self.started).finish_non_exhaustive()
    }
}
