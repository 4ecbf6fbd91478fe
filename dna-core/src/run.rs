//! Polling a handler: inside its scope, with its panics caught, and ended with the node; and letting go of what is the
//! user's.

use std::{
    any::Any,
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
};

use crate::{
    actor::{Actor, Handled},
    engine::End,
    reply::ReplyCell,
    scope::{self, Scope},
    slot::Slot,
};

/// Why a handler did not end by itself.
#[derive(Debug)]
pub(crate) enum Stop {
    /// With what it said.
    Panicked(String),
    Ended(End),
}

/// What a panic said.
fn words(panic: Box<dyn Any + Send>) -> String {
    let panic = match panic.downcast::<String>() {
        Ok(words) => return *words,
        Err(panic) => panic,
    };
    match panic.downcast::<&'static str>() {
        Ok(words) => (*words).to_owned(),
        Err(panic) => {
            // It may be anything of the user's, and panic in its turn as it is dropped.
            std::mem::forget(panic);
            "a panic without words".to_owned()
        }
    }
}

/// Runs something of the user's that stands outside of every handler, on a path that must go on.
pub(crate) fn guard(what: &str, run: impl FnOnce()) {
    guarded(what, run);
}

/// As [`guard`]; nothing where it panicked.
pub(crate) fn guarded<T>(what: &str, run: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|panic| tracing::error!(panic = words(panic), "{what} panicked")).ok()
}

/// Drops something of the user's, whose `Drop` may panic, on a path that must go on.
#[inline]
pub(crate) fn drop_user<T>(value: T) {
    if std::mem::needs_drop::<T>() {
        guard("a value that was dropped", || drop(value));
    }
}

/// Polls once, inside `scope`.
fn poll_inside<F: Future + ?Sized>(
    scope: &mut Option<Box<Scope>>,
    future: Pin<&mut F>,
    cx: &mut Context<'_>,
) -> Poll<Result<F::Output, Stop>> {
    let trace = scope.as_ref().and_then(|scope| scope.trace.clone());
    let poll = || catch_unwind(AssertUnwindSafe(|| future.poll(cx)));
    let polled = match trace {
        None => scope::enter(scope, poll),
        Some(trace) => trace.enter(|| scope::enter(scope, poll)),
    };
    match polled {
        Ok(Poll::Ready(output)) => Poll::Ready(Ok(output)),
        Ok(Poll::Pending) => Poll::Pending,
        Err(panic) => Poll::Ready(Err(Stop::Panicked(words(panic)))),
    }
}

/// Runs `future` to its end, or to that of the node. When it suspends, the messages before it go to the committer, so
/// that neither their replies nor its own calls have to wait for it.
pub(crate) async fn supervise<A: Actor, F: Future>(
    slot: &Slot<A>,
    scope: &mut Option<Box<Scope>>,
    future: F,
) -> Result<F::Output, Stop> {
    let mut future = pin!(Some(future));
    let mut flushed = false;
    let ended = poll_fn(|cx| {
        if let Some(end) = slot.rows.over() {
            return Poll::Ready(Err(Stop::Ended(end)));
        }
        let Some(running) = future.as_mut().as_pin_mut() else { return Poll::Pending };
        let polled = poll_inside(scope, running, cx);
        if polled.is_pending() {
            if !std::mem::replace(&mut flushed, true) {
                slot.rows.flush();
            }
            slot.suspend(cx.waker());
        }
        polled
    })
    .await;
    guard("a handler that was dropped", || future.set(None));
    ended
}

/// A `&self` handler and what belongs to it. Its box is used again while handlers end without suspending.
pub(crate) struct SharedRun<A: Actor, F> {
    pub(crate) handler: Pin<Box<Option<F>>>,
    pub(crate) scope: Option<Box<Scope>>,
    pub(crate) reply: Option<Arc<ReplyCell<A::Reply>>>,
}

impl<A: Actor, F: Future<Output = Handled<A::Reply>>> SharedRun<A, F> {
    pub(crate) fn poll_handler(&mut self, cx: &mut Context<'_>) -> Poll<Result<Handled<A::Reply>, Stop>> {
        match self.handler.as_mut().as_pin_mut() {
            Some(handler) => poll_inside(&mut self.scope, handler, cx),
            None => Poll::Pending,
        }
    }
}

/// A suspended `&self` handler answers its own parts with its result.
pub(crate) struct Suspended<A: Actor, F>(pub(crate) Option<SharedRun<A, F>>);

impl<A: Actor, F: Future<Output = Handled<A::Reply>>> Future for Suspended<A, F> {
    type Output = (SharedRun<A, F>, Result<Handled<A::Reply>, Stop>);

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(run) = self.0.as_mut() else { return Poll::Pending };
        let Poll::Ready(handled) = run.poll_handler(cx) else { return Poll::Pending };
        match self.0.take() {
            Some(run) => Poll::Ready((run, handled)),
            None => Poll::Pending,
        }
    }
}
