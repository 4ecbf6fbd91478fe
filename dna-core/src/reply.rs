//! The cell through which an answer reaches its caller.
//!
//! It knows how far a message has come, so that a time-out or a dropped future settles, without a race, whether the
//! message was ever started.

use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;

use crate::{call_error::CallError, outcome::Outcome, run::drop_user};

/// What a message came to, as it travels from the actor to the caller.
#[derive(Debug)]
pub(crate) enum Answer<R> {
    /// The handler's reply; where it is the handler's own error, with what is known of its effect.
    Reply { reply: R, outcome: Outcome },
    /// Everything else.
    Failed(CallError),
}

/// How far a message has come.
#[derive(Debug)]
enum Phase<R> {
    /// In the mailbox.
    Queued,
    /// Its handler has begun.
    Started,
    /// Answered, but the output gate holds the answer back.
    Held(Answer<R>),
    /// The caller may take the answer.
    Ready(Answer<R>),
    /// Nobody waits for it any more.
    Over,
}

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
#[derive(Debug)]
pub(crate) struct ReplyCell<R>(Mutex<Inner<R>>);

#[derive(Debug)]
struct Inner<R> {
    phase: Phase<R>,
    waker: Option<Waker>,
}

impl<R> ReplyCell<R> {
    pub(crate) fn new() -> Self {
        ReplyCell(Mutex::new(Inner { phase: Phase::Queued, waker: None }))
    }

    /// Whether somebody waits for a message that has not been started.
    pub(crate) fn is_queued(&self) -> bool {
        matches!(self.0.lock().phase, Phase::Queued)
    }

    /// Marks the message as started. `false`: nobody waits for it any more, skip it.
    pub(crate) fn start(&self) -> bool {
        let mut inner = self.0.lock();
        let queued = matches!(inner.phase, Phase::Queued);
        if queued {
            inner.phase = Phase::Started;
        }
        queued
    }

    /// Hands the answer to the caller.
    pub(crate) fn answer(&self, answer: Answer<R>) {
        let mut inner = self.0.lock();
        if matches!(inner.phase, Phase::Queued | Phase::Started | Phase::Held(_)) {
            let before = std::mem::replace(&mut inner.phase, Phase::Ready(answer));
            let waker = inner.waker.take();
            drop(inner);
            drop_user(before);
            if let Some(waker) = waker {
                waker.wake();
            }
        } else {
            drop(inner);
            drop_user(answer);
        }
    }

    /// Keeps the answer until [`Held::release`].
    pub(crate) fn hold(&self, answer: Answer<R>) {
        let mut inner = self.0.lock();
        if matches!(inner.phase, Phase::Started) {
            inner.phase = Phase::Held(answer);
        } else {
            drop(inner);
            drop_user(answer);
        }
    }

    /// Takes the answer, or has `cx` woken when there is one.
    pub(crate) fn poll(&self, cx: &mut Context<'_>) -> Poll<Answer<R>> {
        let mut inner = self.0.lock();
        if matches!(inner.phase, Phase::Ready(_))
            && let Phase::Ready(answer) = std::mem::replace(&mut inner.phase, Phase::Over)
        {
            return Poll::Ready(answer);
        }
        if !inner.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            inner.waker = Some(cx.waker().clone());
        }
        Poll::Pending
    }

    /// The caller waits no longer. An answer that is there stays to be taken.
    pub(crate) fn give_up(&self) -> GivenUp {
        let mut inner = self.0.lock();
        let given_up = match inner.phase {
            Phase::Queued => GivenUp::NotStarted,
            Phase::Started | Phase::Held(_) => GivenUp::Started,
            Phase::Ready(_) | Phase::Over => return GivenUp::Answered,
        };
        let before = std::mem::replace(&mut inner.phase, Phase::Over);
        drop(inner);
        drop_user(before);
        given_up
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

    /// The deadline has passed; `admitted` says whether the mailbox had had room for the message.
    fn expire(&self, admitted: bool);
}

impl<R: Send> Held for ReplyCell<R> {
    fn release(&self) {
        let mut inner = self.0.lock();
        match std::mem::replace(&mut inner.phase, Phase::Over) {
            Phase::Held(answer) => inner.phase = Phase::Ready(answer),
            other => {
                inner.phase = other;
                return;
            }
        }
        let waker = inner.waker.take();
        drop(inner);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn fail(&self, error: CallError) {
        self.answer(Answer::Failed(error));
    }

    fn is_started(&self) -> bool {
        matches!(self.0.lock().phase, Phase::Started)
    }

    fn expire(&self, admitted: bool) {
        let mut inner = self.0.lock();
        let error = match inner.phase {
            Phase::Queued => timed_out(GivenUp::NotStarted, admitted),
            Phase::Started | Phase::Held(_) => timed_out(GivenUp::Started, admitted),
            Phase::Ready(_) | Phase::Over => return,
        };
        let before = std::mem::replace(&mut inner.phase, Phase::Ready(Answer::Failed(error)));
        let waker = inner.waker.take();
        drop(inner);
        drop_user(before);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl<R> Drop for ReplyCell<R> {
    /// An answer that nobody has taken goes with whoever held the cell last.
    fn drop(&mut self) {
        drop_user(std::mem::replace(&mut self.0.get_mut().phase, Phase::Over));
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
    use std::task::Waker;

    use super::*;

    fn poll<R>(cell: &ReplyCell<R>) -> Poll<Answer<R>> {
        cell.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn a_message_given_up_before_its_start_never_starts() {
        let cell = ReplyCell::<u32>::new();
        assert_eq!(cell.give_up(), GivenUp::NotStarted);
        assert!(!cell.start());
    }

    #[test]
    fn a_message_given_up_behind_its_start_may_have_had_effect() {
        let cell = ReplyCell::<u32>::new();
        assert!(cell.start());
        assert_eq!(cell.give_up(), GivenUp::Started);
    }

    #[test]
    fn a_held_answer_is_not_seen_before_its_release() {
        let cell = ReplyCell::<u32>::new();
        assert!(cell.start());
        cell.hold(Answer::Reply { reply: 7, outcome: Outcome::NotApplied });
        assert!(poll(&cell).is_pending());
        cell.release();
        assert!(matches!(poll(&cell), Poll::Ready(Answer::Reply { reply: 7, .. })));
    }

    #[test]
    fn a_held_answer_that_fails_is_replaced() {
        let cell = ReplyCell::<u32>::new();
        assert!(cell.start());
        cell.hold(Answer::Reply { reply: 7, outcome: Outcome::NotApplied });
        cell.fail(CallError::CallCycle);
        cell.release();
        assert!(matches!(poll(&cell), Poll::Ready(Answer::Failed(CallError::CallCycle))));
    }

    #[test]
    fn an_expired_message_is_told_by_how_far_it_came() {
        for (start, admitted, expected) in [
            (false, true, CallError::TimedOut { outcome: Outcome::NotApplied }),
            (false, false, CallError::Overloaded(crate::call_error::Overload::Mailbox)),
            (true, true, CallError::TimedOut { outcome: Outcome::Unknown }),
        ] {
            let cell = ReplyCell::<u32>::new();
            assert!(!start || cell.start());
            cell.expire(admitted);
            let Poll::Ready(Answer::Failed(error)) = poll(&cell) else { panic!("no answer") };
            assert_eq!(error, expected);
            assert!(!cell.start(), "an expired message is never started");
        }
    }
}
