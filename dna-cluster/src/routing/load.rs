//! How many messages wait for other nodes, or for their answers: counted, and bounded, in all and for each actor.
//!
//! An actor that is slow has its own callers wait, not those of others: what waits for it counts against its own bound
//! first. Actors share a counter where their names have the same hash.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
};

use dna_core::ActorName;
use parking_lot::Mutex;

use crate::limits::{ROUTED_ACTOR_CASTS_MAX, ROUTED_ACTOR_MESSAGES_MAX, ROUTED_CASTS_MAX, ROUTED_MESSAGES_MAX};

/// How many counters there are for all actors.
const COUNTERS: usize = 4096;

/// The messages that this node has routed, and that are not settled.
#[derive(Debug)]
pub(crate) struct Load {
    messages: AtomicUsize,
    actors: Box<[AtomicUsize]>,
    /// Casts that wait for room, and the counter of their actor.
    waiting: Mutex<Vec<(usize, Waker)>>,
    /// How many these are: looked at without the lock.
    waiters: AtomicUsize,
}

/// One message, counted until it is dropped.
#[derive(Debug)]
pub(crate) struct Counted {
    load: Arc<Load>,
    counter: usize,
}

impl Default for Load {
    fn default() -> Self {
        Load {
            messages: AtomicUsize::new(0),
            actors: (0..COUNTERS).map(|_| AtomicUsize::new(0)).collect(),
            waiting: Mutex::default(),
            waiters: AtomicUsize::new(0),
        }
    }
}

impl Load {
    /// Counts one more, unless there are as many as may be.
    pub(crate) fn count(self: &Arc<Self>, actor: &ActorName) -> Option<Counted> {
        let (counted, in_all, of_actor) = self.add(actor);
        // Dropped, it is counted out again.
        (in_all < ROUTED_MESSAGES_MAX && of_actor < ROUTED_ACTOR_MESSAGES_MAX).then_some(counted)
    }

    /// Counts one more, however many there are: it was counted elsewhere until now.
    pub(crate) fn count_returned(self: &Arc<Self>, actor: &ActorName) -> Counted {
        self.add(actor).0
    }

    /// Counts one more, and says how many there were before, in all and for the actor.
    fn add(self: &Arc<Self>, actor: &ActorName) -> (Counted, usize, usize) {
        let counter = counter_of(actor);
        let in_all = self.messages.fetch_add(1, Ordering::SeqCst);
        let of_actor = self.actors.get(counter).map_or(0, |actor| actor.fetch_add(1, Ordering::SeqCst));
        (Counted { load: self.clone(), counter }, in_all, of_actor)
    }

    /// Ends when there is room for one more that can wait.
    pub(crate) fn poll_room(&self, actor: &ActorName, cx: &mut Context<'_>) -> Poll<()> {
        let counter = counter_of(actor);
        if self.has_room(counter) {
            return Poll::Ready(());
        }
        self.waiting.lock().push((counter, cx.waker().clone()));
        self.waiters.fetch_add(1, Ordering::SeqCst);
        // One that was counted out meanwhile may have missed the waker.
        if self.has_room(counter) { Poll::Ready(()) } else { Poll::Pending }
    }

    /// How many there are.
    pub(crate) fn messages(&self) -> usize {
        self.messages.load(Ordering::Relaxed)
    }

    fn of_actor(&self, counter: usize) -> usize {
        self.actors.get(counter).map_or(0, |actor| actor.load(Ordering::SeqCst))
    }

    fn has_room(&self, counter: usize) -> bool {
        self.messages.load(Ordering::SeqCst) < ROUTED_CASTS_MAX && self.of_actor(counter) < ROUTED_ACTOR_CASTS_MAX
    }

    /// Wakes so many of those who wait for this actor, the first ones first.
    fn wake(&self, counter: usize, mut count: usize) {
        let mut woken = Vec::new();
        self.waiting.lock().retain(|(waits_for, waker)| {
            let goes = *waits_for == counter && count > 0;
            if goes {
                count -= 1;
                woken.push(waker.clone());
            }
            !goes
        });
        self.waiters.fetch_sub(woken.len(), Ordering::SeqCst);
        woken.into_iter().for_each(Waker::wake);
    }

    fn wake_all(&self) {
        let waiting = std::mem::take(&mut *self.waiting.lock());
        self.waiters.fetch_sub(waiting.len(), Ordering::SeqCst);
        waiting.into_iter().for_each(|(_, waker)| waker.wake());
    }
}

/// The counter of an actor. The namespace of a node is always the same.
fn counter_of(actor: &ActorName) -> usize {
    let mut hasher = DefaultHasher::new();
    (actor.kind(), actor.name()).hash(&mut hasher);
    usize::try_from(hasher.finish() % COUNTERS as u64).unwrap_or_default()
}

impl Drop for Counted {
    fn drop(&mut self) {
        let Counted { load, counter } = self;
        let in_all = load.messages.fetch_sub(1, Ordering::SeqCst);
        let of_actor = load.actors.get(*counter).map_or(0, |actor| actor.fetch_sub(1, Ordering::SeqCst));
        if load.waiters.load(Ordering::SeqCst) == 0 {
            return;
        }
        if in_all == ROUTED_CASTS_MAX || in_all == 1 {
            load.wake_all();
        } else if of_actor == 1 {
            // Who was woken before may have gone: nobody is left to wait for those.
            load.wake(*counter, usize::MAX);
        } else if of_actor <= ROUTED_ACTOR_CASTS_MAX {
            load.wake(*counter, ROUTED_ACTOR_CASTS_MAX + 1 - of_actor);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn actor(name: &str) -> ActorName {
        ActorName::new("default", "Cart", name).unwrap()
    }

    /// Names with counters of their own.
    fn actors() -> Vec<ActorName> {
        let mut seen = std::collections::BTreeSet::new();
        (0..64).map(|n| actor(&n.to_string())).filter(|actor| seen.insert(counter_of(actor))).collect()
    }

    fn count(load: &Arc<Load>, actor: &ActorName, messages: usize) -> Vec<Counted> {
        (0..messages).map(|_| load.count(actor).unwrap()).collect()
    }

    #[test]
    fn at_the_bounds_of_an_actor_its_casts_wait_its_calls_are_refused_and_others_have_room() {
        let load = Arc::new(Load::default());
        let (alice, bob) = (actor("alice"), actor("bob"));
        let mut cx = Context::from_waker(Waker::noop());
        let mut counted = count(&load, &alice, ROUTED_ACTOR_CASTS_MAX - 1);
        assert!(load.poll_room(&alice, &mut cx).is_ready());
        counted.extend(count(&load, &alice, 1));
        assert!(load.poll_room(&alice, &mut cx).is_pending());
        assert!(load.poll_room(&bob, &mut cx).is_ready());
        counted.extend(count(&load, &alice, ROUTED_ACTOR_MESSAGES_MAX - ROUTED_ACTOR_CASTS_MAX));
        assert!(load.count(&alice).is_none());
        assert!(load.count(&bob).is_some());
        counted.push(load.count_returned(&alice));
        counted.truncate(ROUTED_ACTOR_CASTS_MAX - 1);
        assert!(load.poll_room(&alice, &mut cx).is_ready());
        assert!(load.waiting.lock().is_empty(), "who waited was woken");
        assert_eq!((load.messages(), load.waiters.load(Ordering::SeqCst)), (ROUTED_ACTOR_CASTS_MAX - 1, 0));
    }

    #[test]
    fn at_the_bounds_of_all_every_cast_waits_and_every_call_is_refused() {
        let load = Arc::new(Load::default());
        let actors = actors();
        let mut cx = Context::from_waker(Waker::noop());
        let mut counted = Vec::new();
        for n in 0..ROUTED_MESSAGES_MAX {
            if n == ROUTED_CASTS_MAX {
                assert!(load.poll_room(&actor("somebody"), &mut cx).is_pending());
            }
            counted.push(load.count(&actors[n % actors.len()]).unwrap());
        }
        assert!(load.count(&actor("somebody")).is_none());
        counted.truncate(ROUTED_CASTS_MAX - 1);
        assert!(load.waiting.lock().is_empty(), "who waited was woken");
        assert!(load.poll_room(&actor("somebody"), &mut cx).is_ready());
    }
}
