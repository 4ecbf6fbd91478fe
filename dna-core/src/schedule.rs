//! Messages that an actor sends to itself, later.

use std::{
    fmt,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::sync::Notify;

use crate::{
    actor::Actor,
    error::Error,
    limits::SCHEDULED_MESSAGES_MAX,
    mailbox::{Envelope, Way},
    outcome::Outcome,
    run::drop_user,
    runtime,
    slot::{SendError, Sender, Slot},
};

/// A message that was scheduled, once or again and again.
///
/// Dropping it changes nothing; a schedule ends when it is [cancelled](Scheduled::cancel), when its message was sent
/// (the repeating form never), or with its activation.
#[derive(Clone)]
pub struct Scheduled(pub(crate) Arc<Timer>);

impl Scheduled {
    /// Ends the schedule. A message that it has sent and that was not started yet is not handled.
    pub fn cancel(&self) {
        self.0.cancel();
    }

    /// Whether the schedule has ended.
    pub fn is_over(&self) -> bool {
        self.0.is_over()
    }
}

impl fmt::Debug for Scheduled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scheduled").field("is_over", &self.is_over()).finish()
    }
}

/// The schedules of one activation: they end with it.
#[derive(Default)]
pub(crate) struct Timers {
    stop: Notify,
    stopped: AtomicBool,
    running: AtomicUsize,
}

impl Timers {
    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        self.stop.notify_waiters();
    }
}

/// The state of one schedule.
pub(crate) struct Timer {
    cancelled: AtomicBool,
    /// It will send nothing more.
    done: AtomicBool,
    wake: Notify,
    /// Its message waits in the mailbox, or is being handled.
    pending: AtomicBool,
    timers: Arc<Timers>,
}

impl Timer {
    fn cancel(&self) {
        self.cancelled.store(true, Ordering::Release);
        self.wake.notify_one();
    }

    fn is_over(&self) -> bool {
        self.done.load(Ordering::Acquire) || !self.may_start()
    }

    /// Whether a message of this schedule that is now to be started still counts.
    pub(crate) fn may_start(&self) -> bool {
        !self.cancelled.load(Ordering::Acquire) && !self.timers.stopped.load(Ordering::Acquire)
    }

    /// The message of this schedule has been handled, or skipped.
    pub(crate) fn handled(&self) {
        self.pending.store(false, Ordering::Release);
    }
}

/// A schedule that has not begun: it begins when the message that asked for it is committed.
pub(crate) struct Schedule<A: Actor> {
    timer: Arc<Timer>,
    slot: Weak<Slot<A>>,
    delay: Duration,
    period: Option<Duration>,
    message: Box<dyn FnMut() -> Option<A::Message> + Send>,
}

impl<A: Actor> Schedule<A> {
    /// A message to be sent after `delay`, and then every `period`.
    pub(crate) fn new(
        slot: Weak<Slot<A>>,
        timers: Arc<Timers>,
        delay: Duration,
        period: Option<Duration>,
        message: Box<dyn FnMut() -> Option<A::Message> + Send>,
    ) -> Result<Self, TooManyScheduled> {
        if timers.running.fetch_add(1, Ordering::Relaxed) >= SCHEDULED_MESSAGES_MAX {
            timers.running.fetch_sub(1, Ordering::Relaxed);
            return Err(TooManyScheduled);
        }
        let timer = Arc::new(Timer {
            cancelled: AtomicBool::new(false),
            done: AtomicBool::new(false),
            wake: Notify::new(),
            pending: AtomicBool::new(false),
            timers,
        });
        Ok(Schedule { timer, slot, delay, period, message })
    }

    pub(crate) fn handle(&self) -> Scheduled {
        Scheduled(self.timer.clone())
    }

    /// Begins, in the background.
    pub(crate) fn begin(self) {
        if let Some(slot) = self.slot.upgrade() {
            slot.shared().runtime.clone().spawn(self.run());
        }
    }

    async fn run(mut self) {
        let mut pause = self.delay;
        loop {
            let timer = self.timer.clone();
            let stop = timer.timers.stop.notified();
            tokio::pin!(stop);
            stop.as_mut().enable();
            if timer.is_over() {
                return;
            }
            tokio::select! {
                biased;
                () = runtime::sleep(pause) => {}
                () = timer.wake.notified() => return,
                () = stop => return,
            }
            if !self.send() {
                return;
            }
            match self.period {
                Some(period) => pause = period,
                None => return,
            }
        }
    }

    /// Sends the message, unless the one before it has not been handled yet. `false`: there is no more to send.
    fn send(&mut self) -> bool {
        let Some(slot) = self.slot.upgrade() else { return false };
        if self.timer.is_over() {
            return false;
        }
        if self.timer.pending.swap(true, Ordering::AcqRel) {
            return true;
        }
        let Some(message) = (self.message)() else { return false };
        let shared = slot.shared();
        let mut envelope = Some(Envelope {
            message,
            reply: None,
            deadline: u64::MAX,
            waiting: None,
            timer: Some(self.timer.clone()),
            ticket: None,
            trace: None,
            way: Way::Straight,
        });
        match slot.send(&mut envelope, Sender::Actor, false) {
            Ok(_) => true,
            // The activation is gone, and the schedule with it.
            Err(SendError::Retired) => false,
            Err(SendError::Refused(error)) => {
                drop_user(envelope);
                self.timer.handled();
                shared.count_dropped_cast(slot.name(), &error);
                true
            }
        }
    }
}

impl<A: Actor> Drop for Schedule<A> {
    fn drop(&mut self) {
        self.timer.done.store(true, Ordering::Release);
        self.timer.timers.running.fetch_sub(1, Ordering::Relaxed);
    }
}

/// More than [`SCHEDULED_MESSAGES_MAX`] messages of one activation are scheduled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the actor has {SCHEDULED_MESSAGES_MAX} messages scheduled, which is the most; cancel some, or use a repeating one"
)]
pub struct TooManyScheduled;

impl TooManyScheduled {
    /// Always `NotApplied`: nothing was scheduled.
    pub fn outcome(&self) -> Outcome {
        Outcome::NotApplied
    }

    /// Always `true`: schedules end.
    pub fn is_retryable(&self) -> bool {
        true
    }
}

impl From<TooManyScheduled> for Error {
    fn from(error: TooManyScheduled) -> Self {
        Error::new(error).with_retryable(error.is_retryable())
    }
}
