//! A batch, as `handle_events` sees it.

use std::{fmt, sync::Arc};

use parking_lot::Mutex;

use crate::{
    actor::{Access, Actor},
    scope,
};

/// The messages of a batch, in the order of their coming, each to be answered or dispatched.
pub struct Events<A: Actor>(std::vec::IntoIter<Event<A>>);

impl<A: Actor> Events<A> {
    pub(crate) fn new(events: Vec<Event<A>>) -> Self {
        Events(events.into_iter())
    }

    /// The messages that have not been taken out yet.
    pub fn as_slice(&self) -> &[Event<A>] {
        self.0.as_slice()
    }
}

impl<A: Actor> Iterator for Events<A> {
    type Item = Event<A>;

    fn next(&mut self) -> Option<Event<A>> {
        self.0.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl<A: Actor> ExactSizeIterator for Events<A> {}

impl<A: Actor> fmt::Debug for Events<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").field("len", &self.len()).finish_non_exhaustive()
    }
}

/// One message of a batch.
#[non_exhaustive]
pub struct Event<A: Actor> {
    /// The message.
    pub message: A::Message,
    /// Where its answer goes.
    pub responder: Responder<A>,
}

impl<A: Actor> Event<A> {
    /// Answers the message. The reply must be of the variant of the same name; it leaves when the hook has returned and
    /// the batch is committed.
    pub fn answer(self, reply: A::Reply) {
        self.responder.answer(reply);
    }

    /// Has the message handled by its own handler. Where that answers `Err`, what it wrote is taken back, and the rest
    /// of the batch stands.
    ///
    /// # Cancel safety
    /// Dropped before its end, what the handler wrote so far stays in the batch.
    pub async fn dispatch(self, actor: &mut A) {
        self.responder.dispatch(actor, self.message).await;
    }
}

impl<A: Actor> fmt::Debug for Event<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event").finish_non_exhaustive()
    }
}

/// Where the answer to one message of a batch goes. Dropped without an answer, the message's caller gets
/// [`CallError::Unanswered`](crate::CallError::Unanswered).
pub struct Responder<A: Actor>(Pending<A::Reply>);

impl<A: Actor> Responder<A> {
    /// As [`Event::answer`].
    pub fn answer(self, reply: A::Reply) {
        self.0.set(reply);
    }

    /// As [`Event::dispatch`].
    ///
    /// # Cancel safety
    /// As [`Event::dispatch`].
    pub async fn dispatch(self, actor: &mut A, message: A::Message) {
        let before = scope::with(|scope| scope.map(|scope| (scope.rows.clone(), scope.outbox.len())));
        let before = before.map(|(rows, posts)| (rows.savepoint(), rows, posts));
        let handled = match A::access(&message) {
            Access::Shared => actor.handle(message).await,
            Access::Exclusive => actor.handle_mut(message).await,
        };
        if let (true, Some((savepoint, rows, posts))) = (handled.failed, before) {
            rows.roll_back_to(savepoint);
            let unsent = scope::with(|scope| scope.map(|scope| scope.outbox.split_off(posts.min(scope.outbox.len()))));
            drop(unsent);
        }
        self.0.set(handled.reply);
    }
}

impl<A: Actor> fmt::Debug for Responder<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Responder").finish_non_exhaustive()
    }
}

/// An answer that waits for the end of the hook.
pub(crate) struct Pending<R>(Arc<Mutex<Option<R>>>);

impl<R> Pending<R> {
    fn set(&self, reply: R) {
        let before = self.0.lock().replace(reply);
        drop(before);
    }

    /// The answer, if one was given.
    pub(crate) fn take(&self) -> Option<R> {
        self.0.lock().take()
    }
}

/// An event, and the answer that it will get.
pub(crate) fn event<A: Actor>(message: A::Message) -> (Event<A>, Pending<A::Reply>) {
    let answer = Arc::new(Mutex::new(None));
    (Event { message, responder: Responder(Pending(answer.clone())) }, Pending(answer))
}
