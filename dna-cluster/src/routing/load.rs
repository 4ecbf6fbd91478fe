//! How many messages wait for other nodes, or for their answers: counted, and bounded.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
};

use parking_lot::Mutex;

use crate::limits::{ROUTED_CASTS_MAX, ROUTED_MESSAGES_MAX};

/// The messages that this node has routed, and that are not settled.
#[derive(Debug, Default)]
pub(crate) struct Load {
    messages: AtomicUsize,
    /// Whether somebody may be among the waiting.
    is_waited_for: AtomicBool,
    waiting: Mutex<Vec<Waker>>,
}

/// One message, counted until it is dropped.
#[derive(Debug)]
pub(crate) struct Counted(Arc<Load>);

impl Load {
    /// Counts one more, unless there are as many as may be.
    pub(crate) fn count(self: &Arc<Self>) -> Option<Counted> {
        let counted = Counted(self.clone());
        let before = self.messages.fetch_add(1, Ordering::AcqRel);
        // Dropped, it is counted out again.
        (before < ROUTED_MESSAGES_MAX).then_some(counted)
    }

    /// Counts one more, however many there are: it was counted elsewhere until now.
    pub(crate) fn count_returned(self: &Arc<Self>) -> Counted {
        self.messages.fetch_add(1, Ordering::AcqRel);
        Counted(self.clone())
    }

    /// Ends when there is room for one more that can wait.
    pub(crate) fn poll_room(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.has_room() {
            return Poll::Ready(());
        }
        {
            let mut waiting = self.waiting.lock();
            waiting.push(cx.waker().clone());
            self.is_waited_for.store(true, Ordering::SeqCst);
        }
        // One that was counted out meanwhile may have missed the waker.
        if self.has_room() { Poll::Ready(()) } else { Poll::Pending }
    }

    fn has_room(&self) -> bool {
        self.messages.load(Ordering::SeqCst) < ROUTED_CASTS_MAX
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let before = self.0.messages.fetch_sub(1, Ordering::SeqCst);
        if before <= ROUTED_CASTS_MAX && self.0.is_waited_for.load(Ordering::SeqCst) {
            let waiting = {
                let mut waiting = self.0.waiting.lock();
                self.0.is_waited_for.store(false, Ordering::SeqCst);
                std::mem::take(&mut *waiting)
            };
            waiting.into_iter().for_each(Waker::wake);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_the_bounds_casts_wait_and_calls_are_refused() {
        let load = Arc::new(Load::default());
        let mut cx = Context::from_waker(Waker::noop());
        let mut counted: Vec<_> = (0..ROUTED_CASTS_MAX - 1).map(|_| load.count().unwrap()).collect();
        assert!(load.poll_room(&mut cx).is_ready());
        counted.push(load.count().unwrap());
        assert!(load.poll_room(&mut cx).is_pending());
        counted.extend((ROUTED_CASTS_MAX..ROUTED_MESSAGES_MAX).map(|_| load.count().unwrap()));
        assert!(load.count().is_none());
        counted.push(load.count_returned());
        counted.truncate(ROUTED_CASTS_MAX - 1);
        assert!(load.poll_room(&mut cx).is_ready());
        assert!(load.waiting.lock().is_empty(), "who waited was woken");
    }
}
