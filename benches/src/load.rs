//! Callers: in a closed loop, where each waits for its answer before it asks again, and in an open one, where requests
//! come at a fixed rate whether answers do or not. They know nothing of what they call.

use std::{
    future::Future,
    thread,
    time::{Duration, Instant},
};

use rustix::time::ClockId;
use tokio::runtime::Handle;

use crate::{
    error::Error,
    measure::{Measured, computed},
};

/// How long a load goes on.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Amount {
    /// Until this much time is over; each operation is timed.
    For(Duration),
    /// This many operations of all callers together; each is timed.
    Timed(u64),
    /// This many operations of all callers together, without a look at the clock in between.
    Untimed(u64),
}

impl Amount {
    /// The part of one caller; `None` where time decides.
    fn of_caller(self, caller: u64, callers: u64) -> Option<u64> {
        match self {
            Amount::For(_) => None,
            Amount::Timed(total) | Amount::Untimed(total) => {
                Some(total / callers + u64::from(caller < total % callers))
            }
        }
    }

    fn is_timed(self) -> bool {
        !matches!(self, Amount::Untimed(_))
    }
}

/// Lets `callers` tasks ask, each again when it has its answer. `caller` is one of them: a loop over its turns.
///
/// What is recorded of an operation is its service time: a stall is felt once by each caller that waits in it, and by
/// none that would have come meanwhile. [`open_loop`] has those.
pub(crate) async fn closed_loop<C, F>(callers: u64, amount: Amount, caller: C) -> Result<Measured, Error>
where
    C: Fn(Turns) -> F,
    F: Future<Output = Result<Turns, Error>> + Send + 'static,
{
    let start = Instant::now();
    let turns = |index| Turns {
        caller: index,
        callers,
        amount,
        own: amount.of_caller(index, callers),
        step: 0,
        start,
        before: None,
        latencies: Vec::new(),
    };
    let before = computed(ClockId::ProcessCPUTime);
    let tasks = (0..callers).map(|index| tokio::spawn(caller(turns(index)))).collect::<Vec<_>>();
    let mut all = Measured::default();
    for task in tasks {
        let turns = task.await??;
        all.operations += turns.step;
        all.latencies.extend(turns.latencies);
    }
    all.elapsed = start.elapsed();
    all.computed = computed(ClockId::ProcessCPUTime).saturating_sub(before);
    Ok(all)
}

/// The turns of one caller.
#[derive(Debug)]
pub(crate) struct Turns {
    /// Which of the callers it is.
    pub(crate) caller: u64,
    callers: u64,
    amount: Amount,
    own: Option<u64>,
    step: u64,
    start: Instant,
    /// When the operation that is under way began; `None` where none is, or where they are not timed.
    before: Option<Instant>,
    latencies: Vec<u64>,
}

impl Turns {
    /// The number of the next operation of this caller, which begins now; `None` where it was the last one. The one
    /// before has ended.
    pub(crate) fn next(&mut self) -> Option<u64> {
        if self.amount.is_timed() {
            let now = Instant::now();
            if let Some(before) = self.before.replace(now) {
                self.latencies.push(nanoseconds(now.duration_since(before)));
            }
            if let Amount::For(time) = self.amount
                && now.duration_since(self.start) >= time
            {
                return None;
            }
        }
        if self.own.is_some_and(|own| self.step >= own) {
            return None;
        }
        self.step += 1;
        Some(self.step - 1)
    }

    /// The number of an operation of this caller among those of all: each is there once.
    pub(crate) fn place(&self, step: u64) -> u64 {
        step * self.callers + self.caller
    }

    /// A key for an operation that no other caller has.
    pub(crate) fn key(&self, step: u64) -> u64 {
        (self.caller << 40) | step
    }
}

/// Sends `total` requests at a fixed rate, and records each from the moment at which it was to be sent, so that a stall
/// counts for every request that falls into it: there is no coordinated omission.
pub(crate) async fn open_loop<O, F>(rate: u32, total: u32, operation: O) -> Result<Measured, Error>
where
    O: Fn(u64) -> F + Send + 'static,
    F: Future<Output = Result<(), Error>> + Send + 'static,
{
    let runtime = Handle::current();
    let start = Instant::now();
    // A thread of its own, since timers of the runtime are kept to the millisecond only.
    let pacer = tokio::task::spawn_blocking(move || {
        let mut tasks = Vec::new();
        for index in 0..total {
            let due = start + Duration::from_secs(1) * index / rate;
            thread::sleep(due.saturating_duration_since(Instant::now()));
            let request = operation(u64::from(index));
            tasks.push(runtime.spawn(async move {
                request.await?;
                Ok::<_, Error>(nanoseconds(due.elapsed()))
            }));
        }
        tasks
    });
    let mut measured = Measured::default();
    for task in pacer.await? {
        measured.latencies.push(task.await??);
        measured.operations += 1;
    }
    measured.elapsed = start.elapsed();
    Ok(measured)
}

/// A duration as whole nanoseconds.
pub(crate) fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    };

    use super::*;

    #[tokio::test]
    async fn every_operation_is_done_once() {
        for (callers, total) in [(1, 10), (3, 10), (64, 10)] {
            let sum = Arc::new(AtomicU64::new(0));
            let load = closed_loop(callers, Amount::Timed(total), |mut turns| {
                let sum = sum.clone();
                async move {
                    while let Some(step) = turns.next() {
                        sum.fetch_add(turns.place(step), Ordering::Relaxed);
                    }
                    Ok(turns)
                }
            });
            let measured = load.await.unwrap();
            assert_eq!((measured.operations, measured.latencies.len()), (total, 10));
            assert_eq!(sum.load(Ordering::Relaxed), 45);
        }
    }

    #[tokio::test]
    async fn a_stall_counts_for_all_that_fall_into_it() {
        let gate = Arc::new(tokio::sync::Mutex::new(()));
        let load = open_loop(1000, 50, move |index| {
            let gate = gate.clone();
            async move {
                let _held = gate.lock().await;
                if index == 0 {
                    tokio::time::sleep(Duration::from_millis(40)).await;
                }
                Ok(())
            }
        });
        let measured = load.await.unwrap();
        let slow = measured.latencies.iter().filter(|latency| **latency > 5_000_000).count();
        assert!(slow >= 20, "only {slow} of 50 felt a stall of 40 of 50 ms");
    }
}
