//! The cell through which an answer reaches its caller.
//!
//! It knows how far a message has come, so that a time-out or a dropped future settles, without a race, whether the
//! message was ever started.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    task::{Context, Poll, Waker},
};

use parking_lot::{Mutex, MutexGuard};

use crate::{call_error::CallError, meter::Sample, outcome::Outcome, route::Abandoned, run::drop_user};

/// What a message came to, as it travels from the actor to the caller.
#[derive(Debug)]
pub(crate) enum Answer<R> {
    /// The handler's reply; where it is the handler's own error, with what is known of its effect.
    Reply { reply: R, outcome: Outcome },
    /// Everything else.
    Failed(CallError),
}

/// How far a message has come: the phases of a cell.
mod phase {
    /// In the mailbox, or taken out and not begun.
    pub(super) const QUEUED: u8 = 0;
    /// Its handler has begun.
    pub(super) const STARTED: u8 = 1;
    /// Answered, but the output gate holds the answer back.
    pub(super) const HELD: u8 = 2;
    /// The caller may take the answer.
    pub(super) const READY: u8 = 3;
    /// Nobody waits for it any more.
    pub(super) const OVER: u8 = 4;
}

use phase::{HELD, OVER, QUEUED, READY, STARTED};

/// What a caller that gives up learns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GivenUp {
    /// The message never started and never will.
    NotStarted,
    /// It was under way.
    Started,
    /// The answer was there already.
    Answered,
}

/// One call's way back.
///
/// The phase changes under the lock, but for one step: a message starts by a compare-and-swap from `QUEUED`. So whoever
/// leads a cell out of `QUEUED` under the lock does it by a swap, whose result settles who was first; every other phase
/// is the lock's alone.
pub(crate) struct ReplyCell<R> {
    phase: AtomicU8,
    inner: Mutex<Inner<R>>,
    /// Of a call that is timed.
    sample: Option<Box<Sample>>,
}

struct Inner<R> {
    /// There while the phase is `HELD` or `READY`.
    answer: Option<Answer<R>>,
    waker: Option<Waker>,
    /// Called when the caller gives up, of a message that is on its way to another node.
    given_up: Option<Arc<dyn Abandoned>>,
    /// Whether it was answered before its handler had begun.
    never_started: bool,
}

impl<R> fmt::Debug for ReplyCell<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplyCell").field("phase", &self.phase()).finish_non_exhaustive()
    }
}

impl<R> ReplyCell<R> {
    /// A cell for a message that is about to be queued; `waker` is woken when there is an answer.
    pub(crate) fn new(waker: Waker, sample: Option<Box<Sample>>) -> Self {
        let inner = Inner { answer: None, waker: Some(waker), given_up: None, never_started: false };
        ReplyCell { phase: AtomicU8::new(QUEUED), inner: Mutex::new(inner), sample }
    }

    fn phase(&self) -> u8 {
        self.phase.load(Ordering::Acquire)
    }

    /// Whether somebody waits for a message that has not been started.
    pub(crate) fn is_queued(&self) -> bool {
        self.phase() == QUEUED
    }

    /// Marks the message as started. `false`: nobody waits for it any more, skip it.
    pub(crate) fn start(&self) -> bool {
        self.phase.compare_exchange(QUEUED, STARTED, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// Marks a message that was started elsewhere as not started: it turned out that it was not.
    pub(crate) fn come_back(&self) {
        let _inner = self.inner.lock();
        if self.phase() == STARTED {
            self.phase.store(QUEUED, Ordering::Release);
        }
    }

    /// Has `hook` called once the caller gives up without an answer; at once, if it has.
    pub(crate) fn when_given_up(&self, hook: Arc<dyn Abandoned>) {
        let mut inner = self.inner.lock();
        match self.phase() {
            OVER => {
                drop(inner);
                hook.abandoned();
            }
            READY => {}
            _ => inner.given_up = Some(hook),
        }
    }

    /// Hands the answer to the caller.
    pub(crate) fn answer(&self, answer: Answer<R>) {
        let mut inner = self.inner.lock();
        match self.phase() {
            QUEUED => inner.never_started = self.phase.swap(READY, Ordering::AcqRel) == QUEUED,
            STARTED | HELD => self.phase.store(READY, Ordering::Release),
            _ => {
                drop(inner);
                return drop_user(answer);
            }
        }
        let before = inner.answer.replace(answer);
        wake(inner);
        self.time();
        if before.is_some() {
            drop_user(before);
        }
    }

    /// The call goes to another node.
    pub(crate) fn goes_elsewhere(&self) {
        if let Some(sample) = &self.sample {
            sample.goes_elsewhere();
        }
    }

    #[inline]
    fn time(&self) {
        if let Some(sample) = &self.sample {
            sample.end();
        }
    }

    /// Keeps the answer until [`Held::release`].
    pub(crate) fn hold(&self, answer: Answer<R>) {
        let mut inner = self.inner.lock();
        if self.phase() == STARTED {
            self.phase.store(HELD, Ordering::Release);
            inner.answer = Some(answer);
        } else {
            drop(inner);
            drop_user(answer);
        }
    }

    /// Whether it was answered before its handler had begun, so that it may be handled elsewhere.
    pub(crate) fn was_never_started(&self) -> bool {
        self.inner.lock().never_started
    }

    /// Takes the answer, or has `cx` woken when there is one.
    pub(crate) fn poll(&self, cx: &mut Context<'_>) -> Poll<Answer<R>> {
        let mut inner = self.inner.lock();
        if self.phase() == READY
            && let Some(answer) = inner.answer.take()
        {
            self.phase.store(OVER, Ordering::Release);
            return Poll::Ready(answer);
        }
        if !inner.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            inner.waker = Some(cx.waker().clone());
        }
        Poll::Pending
    }

    /// The caller waits no longer. An answer that is there stays to be taken.
    pub(crate) fn give_up(&self) -> GivenUp {
        let mut inner = self.inner.lock();
        if matches!(self.phase(), READY | OVER) {
            return GivenUp::Answered;
        }
        let given_up = self.phase.swap(OVER, Ordering::AcqRel);
        let before = inner.answer.take();
        let hook = inner.given_up.take();
        drop(inner);
        drop_user(before);
        if let Some(hook) = hook {
            hook.abandoned();
        }
        if given_up == QUEUED { GivenUp::NotStarted } else { GivenUp::Started }
    }
}

/// Wakes who waits for the answer, behind the lock.
fn wake<R>(mut inner: MutexGuard<'_, Inner<R>>) {
    let waker = inner.waker.take();
    let hook = inner.given_up.take();
    drop(inner);
    drop(hook);
    if let Some(waker) = waker {
        waker.wake();
    }
}

/// An answer behind the output gate, or a message under way, without its type.
pub(crate) trait Held: Send + Sync {
    /// Lets the held answer go.
    fn release(&self);

    /// Puts an error in the place of an answer that has not left.
    fn fail(&self, error: CallError);

    /// Whether its handler has begun and not ended.
    fn is_started(&self) -> bool;

    /// Whether the caller has its answer, or may take it, or waits no longer.
    fn is_answered(&self) -> bool;

    /// The deadline has passed; `admitted` says whether the mailbox had had room for the message. Whether that is why it
    /// will not be begun.
    fn expire(&self, admitted: bool) -> bool;
}

impl<R: Send> Held for ReplyCell<R> {
    fn release(&self) {
        let inner = self.inner.lock();
        if self.phase() == HELD {
            self.phase.store(READY, Ordering::Release);
            wake(inner);
            self.time();
        }
    }

    fn fail(&self, error: CallError) {
        self.answer(Answer::Failed(error));
    }

    fn is_started(&self) -> bool {
        self.phase() == STARTED
    }

    fn is_answered(&self) -> bool {
        matches!(self.phase(), READY | OVER)
    }

    fn expire(&self, admitted: bool) -> bool {
        let mut inner = self.inner.lock();
        if matches!(self.phase(), READY | OVER) {
            return false;
        }
        let given_up = match self.phase.swap(READY, Ordering::AcqRel) {
            QUEUED => GivenUp::NotStarted,
            _ => GivenUp::Started,
        };
        let before = inner.answer.replace(Answer::Failed(timed_out(given_up, admitted)));
        wake(inner);
        drop_user(before);
        given_up == GivenUp::NotStarted
    }
}

impl<R> Drop for ReplyCell<R> {
    /// An answer that nobody has taken goes with whoever held the cell last.
    fn drop(&mut self) {
        if let Some(answer) = self.inner.get_mut().answer.take() {
            drop_user(answer);
        }
    }
}

/// The error of a call that waited until its deadline.
pub(crate) fn timed_out(given_up: GivenUp, admitted: bool) -> CallError {
    match given_up {
        GivenUp::NotStarted if !admitted => CallError::Overloaded(crate::call_error::Overload::Mailbox),
        GivenUp::NotStarted => CallError::TimedOut { outcome: Outcome::NotApplied },
        GivenUp::Started | GivenUp::Answered => CallError::TimedOut { outcome: Outcome::Unknown },
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, task::Waker};

    use super::*;

    /// Counts how often somebody gave up.
    #[derive(Default)]
    struct Counts(AtomicU8);

    impl Abandoned for Counts {
        fn abandoned(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn new_cell() -> ReplyCell<u32> {
        ReplyCell::new(Waker::noop().clone(), None)
    }

    fn poll<R>(cell: &ReplyCell<R>) -> Poll<Answer<R>> {
        cell.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn a_message_given_up_before_its_start_never_starts() {
        let cell = new_cell();
        assert_eq!(cell.give_up(), GivenUp::NotStarted);
        assert!(!cell.start());
    }

    #[test]
    fn a_message_given_up_behind_its_start_may_have_had_effect() {
        let cell = new_cell();
        assert!(cell.start());
        assert_eq!(cell.give_up(), GivenUp::Started);
    }

    #[test]
    fn a_held_answer_is_not_seen_before_its_release() {
        let cell = new_cell();
        assert!(cell.start());
        cell.hold(Answer::Reply { reply: 7, outcome: Outcome::NotApplied });
        assert!(poll(&cell).is_pending());
        cell.release();
        assert!(matches!(poll(&cell), Poll::Ready(Answer::Reply { reply: 7, .. })));
    }

    #[test]
    fn a_held_answer_that_fails_is_replaced() {
        let cell = new_cell();
        assert!(cell.start());
        cell.hold(Answer::Reply { reply: 7, outcome: Outcome::NotApplied });
        cell.fail(CallError::CallCycle);
        cell.release();
        assert!(matches!(poll(&cell), Poll::Ready(Answer::Failed(CallError::CallCycle))));
    }

    #[test]
    fn a_message_that_came_back_was_not_started_and_may_start_again() {
        let cell = new_cell();
        assert!(cell.start());
        cell.come_back();
        assert!(cell.start());
        cell.come_back();
        assert_eq!(cell.give_up(), GivenUp::NotStarted);
        cell.come_back();
        assert!(!cell.start());
    }

    #[test]
    fn a_hook_is_called_when_the_caller_gives_up_and_not_when_there_is_an_answer() {
        let hook = Arc::new(Counts::default());
        let answered = new_cell();
        answered.when_given_up(hook.clone());
        answered.answer(Answer::Reply { reply: 7, outcome: Outcome::NotApplied });
        assert_eq!(answered.give_up(), GivenUp::Answered);
        assert_eq!(hook.0.load(Ordering::Relaxed), 0);
        let given_up = new_cell();
        given_up.when_given_up(hook.clone());
        given_up.give_up();
        assert_eq!(hook.0.load(Ordering::Relaxed), 1);
        given_up.when_given_up(hook.clone());
        assert_eq!(hook.0.load(Ordering::Relaxed), 2, "at once");
    }

    #[test]
    fn an_expired_message_is_told_by_how_far_it_came() {
        for (start, admitted, expected) in [
            (false, true, CallError::TimedOut { outcome: Outcome::NotApplied }),
            (false, false, CallError::Overloaded(crate::call_error::Overload::Mailbox)),
            (true, true, CallError::TimedOut { outcome: Outcome::Unknown }),
        ] {
            let cell = new_cell();
            assert!(!start || cell.start());
            cell.expire(admitted);
            let Poll::Ready(Answer::Failed(error)) = poll(&cell) else { panic!("no answer") };
            assert_eq!(error, expected);
            assert!(!cell.start(), "an expired message is never started");
        }
    }
}
