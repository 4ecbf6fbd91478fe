//! A call and a cast: from the first poll to the answer.

use std::{
    convert::Infallible,
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use serde::{Serialize, de::DeserializeOwned};
use tokio::{sync::oneshot, time::Sleep};

use crate::{
    actor::Actor,
    call_error::{CallError, Overload},
    client::{Destination, Standing},
    limits::{CALL_CHAIN_MAX, OUTBOX_MESSAGES_MAX},
    mailbox::{Envelope, Way},
    meter::Sample,
    outcome::Outcome,
    partition::{ActorRows, Waiting},
    reply::{Answer, GivenUp, Held, ReplyCell, timed_out},
    scope::{self, Chain},
    slot::Sender,
    trace,
};

/// Time-outs below this have a timer of their own; all others are kept by the node's coarse clock, for nothing.
const COARSE_FROM: Duration = Duration::from_secs(1);

type TargetResult<A> = Result<Arc<dyn Destination<A>>, CallError>;

/// A call to an actor: await it for the answer, or make it a [`cast`](Call::cast).
///
/// It is sent when it is first polled. `Ok` means that the handler has run and that everything it wrote, and everything
/// it could have seen, is durable.
///
/// # Errors
/// [`CallError`], with the handler's own error in [`CallError::Handler`].
///
/// # Cancel safety
/// Dropped before its first poll, nothing was sent. Dropped while its message is queued, the message is skipped. Dropped
/// once the handler has begun, the handler runs to its end and its writes stand, unobserved.
#[must_use = "a call is sent when it is awaited"]
pub struct Call<A: Actor, T, E = Infallible> {
    dispatch: Dispatch<A>,
    extract: fn(A::Reply) -> Option<Result<T, E>>,
    sent: Option<Sent<A>>,
    timer: Option<Pin<Box<Sleep>>>,
}

struct Sent<A: Actor> {
    cell: Arc<ReplyCell<A::Reply>>,
    /// Where it stands; only a call with a timer of its own asks again.
    stands: Option<Standing<A>>,
}

/// A one-way message to an actor: await it to have it sent.
///
/// From outside of handlers `Ok` means that the mailbox has admitted it; it is handled and made durable later, and
/// nobody learns of it. Within a handler it is done at once: the message stands in the outbox of the handler's own
/// message, leaves when that one is committed, and vanishes if that one is rolled back.
///
/// # Errors
/// [`CallError`], always with the outcome `NotApplied`: the message was not taken.
///
/// # Cancel safety
/// Dropped before its first poll, nothing was sent. Dropped while it waits for room, it is withdrawn.
#[must_use = "a cast is sent when it is awaited"]
pub struct Cast<A: Actor> {
    dispatch: Dispatch<A>,
    waiting: Option<Standing<A>>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl<A: Actor, T, E> Call<A, T, E> {
    pub(crate) fn new(
        target: TargetResult<A>,
        message: A::Message,
        extract: fn(A::Reply) -> Option<Result<T, E>>,
    ) -> Self {
        let dispatch =
            Dispatch { target, message: Some(message), timeout: None, no_wait: false, deadline: None, gate: None };
        Call { dispatch, extract, sent: None, timer: None }
    }

    /// Sets how long the call may take; within a handler, never longer than the handler's own caller waits. A handler
    /// that has begun is not stopped by it. Kept to the millisecond below one second, and to about two tenths of a second
    /// above; a call that is with another node ends up to half a second later, since that node knows whether it was started.
    ///
    /// A [cast](Call::cast) with a time-out is not started behind it; one without is handled whenever its turn comes, and
    /// waits for room as long as a call would.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.dispatch.timeout = Some(timeout);
        self
    }

    /// Answers [`CallError::Overloaded`] at once where the mailbox is full, instead of waiting for room.
    pub fn no_wait(mut self) -> Self {
        self.dispatch.no_wait = true;
        self
    }

    /// Makes it one-way: nobody waits for an answer.
    pub fn cast(mut self) -> Cast<A> {
        let Dispatch { target, message, timeout, no_wait, .. } = &mut self.dispatch;
        // The call is over with this; what is left of it goes nowhere.
        let target = std::mem::replace(target, Err(CallError::NoNode));
        let message = message.take();
        let dispatch = Dispatch { target, message, timeout: *timeout, no_wait: *no_wait, deadline: None, gate: None };
        Cast { dispatch, waiting: None, timer: None }
    }

    fn answer(&self, answer: Answer<A::Reply>) -> Result<T, CallError<E>> {
        let answered = self.answered(answer);
        if let Err(error) = &answered {
            self.dispatch.count_failure(error);
        }
        answered
    }

    fn answered(&self, answer: Answer<A::Reply>) -> Result<T, CallError<E>> {
        match answer {
            Answer::Reply { reply, outcome } => {
                let reply = self.dispatch.encoded(reply, Outcome::Unknown).map_err(widen)?;
                match (self.extract)(reply) {
                    Some(result) => result.map_err(|error| CallError::Handler { error, outcome }),
                    None => Err(CallError::WrongReply),
                }
            }
            Answer::Failed(error) => Err(widen(error)),
        }
    }

    /// Sends the message.
    fn poll_sent(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), CallError>> {
        if self.dispatch.leaves_at_once() {
            let route = self.dispatch.route_outside();
            return Poll::Ready(route.and_then(|route| self.send(route, cx)));
        }
        let Poll::Ready(route) = self.dispatch.poll_route(cx) else {
            // No mailbox has the call yet, so that nobody else keeps its deadline.
            if self.timer.is_none()
                && let Ok(target) = &self.dispatch.target
            {
                self.timer = Some(Box::pin(target.shared().runtime.timer(self.dispatch.time_left())));
            }
            if let Some(timer) = &mut self.timer {
                ready!(timer.as_mut().poll(cx));
            }
            return Poll::Ready(Err(CallError::TimedOut { outcome: Outcome::NotApplied }));
        };
        Poll::Ready(route.and_then(|route| self.send(route, cx)))
    }

    fn send(&mut self, route: Route, cx: &mut Context<'_>) -> Result<(), CallError> {
        let message = self.dispatch.take_message()?;
        let target = self.dispatch.target()?;
        let cell = Arc::new(ReplyCell::new(cx.waker().clone(), Sample::begin(|| target.meter())));
        let envelope = Envelope {
            message,
            reply: Some(cell.clone()),
            deadline: route.deadline,
            waiting: route.waiting,
            timer: None,
            ticket: None,
            trace: trace::outgoing(),
            way: Way::Straight,
        };
        let own = self.dispatch.timeout.filter(|timeout| *timeout < COARSE_FROM);
        let timed = self.timer.is_some() || own.is_some();
        let stands = target.send(envelope, route.sender, self.dispatch.no_wait, timed)?;
        if route.inside {
            scope::with(|scope| scope.map(|scope| scope.sent = true));
        }
        if self.timer.is_none() {
            self.timer = own.map(|timeout| Box::pin(target.shared().runtime.timer(timeout)));
        }
        self.sent = Some(Sent { cell, stands });
        Ok(())
    }

    /// Gives the call up once its own timer has run out.
    fn poll_timer(&mut self, cx: &mut Context<'_>) -> Poll<Result<T, CallError<E>>> {
        let (Some(sent), Some(timer)) = (&self.sent, &mut self.timer) else { return Poll::Pending };
        ready!(timer.as_mut().poll(cx));
        if sent.stands.is_none() && Held::is_started(&*sent.cell) {
            // It is on its way to another node, or there. Whether it was started is told by who carries it, soon.
            self.timer = None;
            return Poll::Pending;
        }
        let given_up = sent.cell.give_up();
        let answer = match sent.cell.poll(cx) {
            Poll::Ready(answer) if given_up == GivenUp::Answered => answer,
            _ => {
                let admitted = sent.stands.as_ref().is_none_or(|(slot, place)| slot.is_admitted(place));
                let unsent = self.dispatch.target().ok().and_then(Destination::unsent);
                Answer::Failed(match unsent {
                    Some(error) if given_up == GivenUp::NotStarted => error,
                    _ => timed_out(given_up, admitted),
                })
            }
        };
        (self.sent, self.timer) = (None, None);
        Poll::Ready(self.answer(answer))
    }
}

impl<A: Actor, T, E> Future for Call<A, T, E> {
    type Output = Result<T, CallError<E>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // Right behind its sending there is nothing to look for: the cell has the waker.
        if let Some(sent) = &self.sent {
            if let Poll::Ready(answer) = sent.cell.poll(cx) {
                self.sent = None;
                return Poll::Ready(self.answer(answer));
            }
        } else if let Err(error) = ready!(self.poll_sent(cx)) {
            self.dispatch.count_failure(&error);
            return Poll::Ready(Err(widen(error)));
        }
        if self.timer.is_some() { self.poll_timer(cx) } else { Poll::Pending }
    }
}

impl<A: Actor, T, E> Drop for Call<A, T, E> {
    fn drop(&mut self) {
        if let Some(sent) = &self.sent {
            sent.cell.give_up();
        }
    }
}

impl<A: Actor, T, E> Unpin for Call<A, T, E> {}

impl<A: Actor> Future for Cast<A> {
    type Output = Result<(), CallError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let cast = self.poll_cast(cx);
        if let Poll::Ready(Err(error)) = &cast {
            self.dispatch.count_failure(error);
        }
        cast
    }
}

impl<A: Actor> Cast<A> {
    fn poll_cast(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), CallError>> {
        if self.waiting.is_none() {
            if self.dispatch.leaves_at_once() {
                ready!(self.poll_room(cx))?;
            }
            let sent = self.send()?;
            match sent {
                None => return Poll::Ready(Ok(())),
                Some(waiting) => self.waiting = Some(waiting),
            }
        }
        let Cast { waiting: Some((slot, place)), timer, dispatch } = self else { return Poll::Pending };
        if slot.poll_admitted(place, cx.waker()) {
            let settled = slot.settle(place);
            self.waiting = None;
            return Poll::Ready(settled);
        }
        let timer = timer.get_or_insert_with(|| {
            let timeout = dispatch.timeout.unwrap_or(slot.shared().settings.call_timeout);
            Box::pin(slot.shared().runtime.timer(timeout))
        });
        ready!(timer.as_mut().poll(cx));
        let withdrawn = place.ticket.as_ref().is_none_or(|ticket| ticket.claim());
        self.waiting = None;
        Poll::Ready(if withdrawn { Err(CallError::Overloaded(Overload::Mailbox)) } else { Ok(()) })
    }

    /// Waits until there is room for one more message to another node, if messages go there.
    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), CallError>> {
        let target = self.dispatch.target()?;
        if target.poll_room(cx).is_ready() || self.dispatch.no_wait {
            return Poll::Ready(Ok(()));
        }
        let shared = target.shared();
        let timeout = self.dispatch.timeout.unwrap_or(shared.settings.call_timeout);
        let timer = match &mut self.timer {
            Some(timer) => timer,
            None => {
                let timer = Box::pin(shared.runtime.timer(timeout));
                self.timer.insert(timer)
            }
        };
        ready!(timer.as_mut().poll(cx));
        let target = self.dispatch.target()?;
        Poll::Ready(Err(target.unsent().unwrap_or(CallError::Overloaded(Overload::Routes))))
    }

    /// Sends the message, or puts it into the outbox of the handler that this is polled in. `Some`: it waits for room.
    fn send(&mut self) -> Result<Option<Standing<A>>, CallError> {
        let route =
            if self.dispatch.leaves_at_once() { self.dispatch.route_outside()? } else { self.dispatch.route(false)? };
        let message = self.dispatch.take_message()?;
        // Without a time-out of its own it is handled whenever its turn comes.
        let deadline = self.dispatch.timeout.map_or(u64::MAX, |_| route.deadline);
        let trace = trace::outgoing();
        let envelope = Envelope {
            message,
            reply: None,
            deadline,
            waiting: None,
            timer: None,
            ticket: None,
            trace,
            way: Way::Straight,
        };
        let (sender, no_wait) = (route.sender, self.dispatch.no_wait);
        if !route.inside {
            return self.dispatch.target()?.send(envelope, sender, no_wait, false);
        }
        let target = self.dispatch.target.clone()?;
        let sent = scope::with(|scope| {
            let scope = scope.filter(|scope| scope.outbox.len() < OUTBOX_MESSAGES_MAX)?;
            scope.outbox.push(Box::new(move || {
                if let Err(error) = target.send(envelope, sender, no_wait, false) {
                    target.shared().count_dropped_cast(target.address(), &error);
                }
            }));
            Some(())
        });
        sent.ok_or(CallError::Overloaded(Overload::Outbox))?;
        Ok(None)
    }
}

impl<A: Actor> Drop for Cast<A> {
    fn drop(&mut self) {
        if let Some(ticket) = self.waiting.as_ref().and_then(|(_, place)| place.ticket.as_ref()) {
            ticket.claim();
        }
    }
}

impl<A: Actor> Unpin for Cast<A> {}

impl<A: Actor, T, E> fmt::Debug for Call<A, T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").field("kind", &A::KIND).field("sent", &self.sent.is_some()).finish_non_exhaustive()
    }
}

impl<A: Actor> fmt::Debug for Cast<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cast").field("kind", &A::KIND).finish_non_exhaustive()
    }
}

/// A message that has not left yet.
struct Dispatch<A: Actor> {
    target: TargetResult<A>,
    message: Option<A::Message>,
    timeout: Option<Duration>,
    no_wait: bool,
    /// When it expires, from its first poll on.
    deadline: Option<u64>,
    /// Open when the earlier messages of the actor that makes the call are durable.
    gate: Option<(oneshot::Receiver<()>, Arc<ActorRows>)>,
}

/// How a message is to be sent.
struct Route {
    deadline: u64,
    waiting: Option<Arc<Chain>>,
    sender: Sender,
    /// Whether a handler sends it.
    inside: bool,
}

impl<A: Actor> Dispatch<A> {
    /// Whether no handler sends it.
    fn leaves_at_once(&self) -> bool {
        self.gate.is_none() && !scope::is_inside()
    }

    /// The way of a message that no handler sends.
    fn route_outside(&mut self) -> Result<Route, CallError> {
        let shared = self.target()?.shared();
        let deadline = match self.deadline {
            Some(deadline) => deadline,
            None => shared.deadline(self.timeout.unwrap_or(shared.settings.call_timeout)),
        };
        self.deadline = Some(deadline);
        Ok(Route { deadline, waiting: None, sender: Sender::Outside, inside: false })
    }

    /// The way of the message; `waits` says whether the sender waits for an answer.
    fn route(&mut self, waits: bool) -> Result<Route, CallError> {
        let outside = self.route_outside()?;
        let own = outside.deadline;
        let target = self.target.as_ref().map_err(Clone::clone)?;
        let shared = target.shared();
        scope::with(|scope| {
            let Some(scope) = scope else { return Ok(outside) };
            let neighbour = scope.engine.ptr_eq(&shared.engine);
            let mut waiting = None;
            if waits {
                if scope.would_wait_for_itself(&shared.engine, target.address()) {
                    return Err(CallError::CallCycle);
                }
                let chain = scope.link();
                if chain.length > CALL_CHAIN_MAX {
                    return Err(CallError::CallChainTooLong);
                }
                waiting = Some(chain);
            }
            // What is left of the handler's own time, by the clock of the other node, if it is another.
            let left = scope.deadline.saturating_sub(scope.rows.now());
            let deadline = if waits { own.min(shared.now().saturating_add(left)) } else { own };
            self.deadline = Some(deadline);
            let sender = if neighbour { Sender::Actor } else { Sender::Outside };
            Ok(Route { deadline, waiting, sender, inside: true })
        })
    }

    /// As [`Dispatch::route`] for a call, when it may leave: within a handler, when the actor's earlier messages are
    /// durable.
    fn poll_route(&mut self, cx: &mut Context<'_>) -> Poll<Result<Route, CallError>> {
        let route = self.route(true)?;
        if route.inside && self.gate.is_none() {
            self.gate = scope::with(|scope| {
                let scope = scope.filter(|scope| !scope.rows.may_leave(scope.gate, scope.generation))?;
                let (open, gate) = oneshot::channel();
                scope.rows.gate(scope.gate, scope.generation, Waiting::Call(open));
                Some((gate, scope.rows.clone()))
            });
        }
        if let Some((gate, rows)) = &mut self.gate
            && ready!(Pin::new(gate).poll(cx)).is_err()
        {
            return Poll::Ready(Err(rows.why_refused()));
        }
        Poll::Ready(Ok(route))
    }

    /// How long a call that has been polled may still take.
    fn time_left(&self) -> Duration {
        let Ok(target) = &self.target else { return Duration::ZERO };
        let shared = target.shared();
        let left = self.deadline.map_or(0, |deadline| deadline.saturating_sub(shared.now()));
        self.timeout.unwrap_or(shared.settings.call_timeout).min(Duration::from_millis(left))
    }

    /// Where the message goes.
    fn target(&self) -> Result<&dyn Destination<A>, CallError> {
        self.target.as_deref().map_err(Clone::clone)
    }

    /// The sender is told an error.
    fn count_failure<E>(&self, error: &CallError<E>) {
        if let Ok(target) = &self.target {
            target.shared().counts.count_failure(error);
        }
    }

    fn take_message(&mut self) -> Result<A::Message, CallError> {
        let message = self.message.take().ok_or(CallError::TimedOut { outcome: Outcome::Unknown })?;
        self.encoded(message, Outcome::NotApplied)
    }

    /// `value` as it would arrive from another node, where the settings ask for that.
    fn encoded<V: Serialize + DeserializeOwned>(&self, value: V, outcome: Outcome) -> Result<V, CallError> {
        match &self.target {
            Ok(target) if target.shared().settings.encodes_messages() => crate::codec::round_trip(&value)
                .map_err(|error| CallError::Codec { reason: error.to_string(), outcome }),
            _ => Ok(value),
        }
    }
}

/// The error of a call with a handler's error type that it does not hold.
fn widen<E>(error: CallError) -> CallError<E> {
    error.map_handler_error(|never| match never {})
}
