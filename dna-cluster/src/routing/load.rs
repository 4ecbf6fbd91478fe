//! How many messages wait for other nodes, or for their answers, and how long they are: counted, and bounded, in all and
//! for each actor.
//!
//! An actor that is slow has its own callers wait, not those of others: what waits for it counts against its own bounds
//! first. Actors share a counter where their names have the same hash.

use std::{
    hash::BuildHasher,
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
};

use dna_core::ActorName;
use foldhash::fast::FixedState;
use parking_lot::Mutex;

use super::{Inner, waiting::Waiting};
use crate::limits::{
    ROUTED_ACTOR_BYTES_MAX, ROUTED_ACTOR_CASTS_BYTES_MAX, ROUTED_ACTOR_CASTS_MAX, ROUTED_ACTOR_FREE_CASTS_MAX,
    ROUTED_ACTOR_MESSAGES_MAX, ROUTED_BYTES_MAX, ROUTED_CASTS_BYTES_MAX, ROUTED_CASTS_MAX, ROUTED_MESSAGES_MAX,
};

/// How many counters there are for all actors.
const COUNTERS: usize = 4096;

/// At how many counters of others it is looked, when a message is counted out, for who may go now.
const TURNS: usize = 64;

/// So many messages, with so many bytes in all.
#[derive(Debug, Clone, Copy)]
struct Amount {
    messages: usize,
    bytes: usize,
}

/// What may be there before there is no room for one more.
const ALL: Amount = Amount { messages: ROUTED_MESSAGES_MAX, bytes: ROUTED_BYTES_MAX };
const ALL_CASTS: Amount = Amount { messages: ROUTED_CASTS_MAX, bytes: ROUTED_CASTS_BYTES_MAX };
const ACTOR: Amount = Amount { messages: ROUTED_ACTOR_MESSAGES_MAX, bytes: ROUTED_ACTOR_BYTES_MAX };
const ACTOR_CASTS: Amount = Amount { messages: ROUTED_ACTOR_CASTS_MAX, bytes: ROUTED_ACTOR_CASTS_BYTES_MAX };

/// A number of messages in the upper bits, and of their bytes in the lower ones: so that one step counts both.
#[derive(Debug, Default)]
struct Counter(AtomicU64);

/// How many bits the bytes have: enough for a tebibyte. What is left is enough for 16 million messages.
const BYTES_BITS: u32 = 40;

const BYTES_MASK: u64 = (1 << BYTES_BITS) - 1;

/// One message of so many bytes, as it is counted.
fn one(bytes: usize) -> u64 {
    (1 << BYTES_BITS) | (bytes as u64 & BYTES_MASK)
}

fn amount(counted: u64) -> Amount {
    let part = |part| usize::try_from(part).unwrap_or(usize::MAX);
    Amount { messages: part(counted >> BYTES_BITS), bytes: part(counted & BYTES_MASK) }
}

impl Counter {
    /// Counts one more. Whether there was room for it.
    fn add(&self, bytes: usize, bound: Amount) -> bool {
        // The room for bytes is looked at before: what one message may exceed is exceeded once.
        let before = amount(self.0.fetch_add(one(bytes), Ordering::SeqCst));
        before.messages < bound.messages && before.bytes < bound.bytes
    }

    fn remove(&self, bytes: usize) {
        self.0.fetch_sub(one(bytes), Ordering::SeqCst);
    }

    fn now(&self) -> Amount {
        amount(self.0.load(Ordering::SeqCst))
    }

    fn messages(&self) -> usize {
        self.now().messages
    }

    /// For how many more there is room: at least for one, however long it is, or for none; where bytes are what there is
    /// little room for, for as many as fit if they are as long as those that are there.
    fn room(&self, bound: Amount) -> usize {
        let now = self.now();
        let left = bound.bytes.saturating_sub(now.bytes);
        if left == 0 {
            return 0;
        }
        let fit = left.saturating_mul(now.messages).checked_div(now.bytes).unwrap_or(usize::MAX);
        bound.messages.saturating_sub(now.messages).min(fit.max(1))
    }
}

/// The messages that this node has routed, and that are not settled.
#[derive(Debug)]
pub(crate) struct Load {
    routing: Weak<Inner>,
    all: Counter,
    actors: Box<[Counter]>,
    /// Casts that wait for room, each at the counter of its actor.
    waiting: Mutex<Waiting>,
    /// How many these are: looked at without the lock.
    waiters: AtomicUsize,
}

/// One message, counted until it is dropped.
#[derive(Debug)]
pub(crate) struct Counted {
    load: Arc<Load>,
    counter: usize,
    bytes: usize,
}

impl Load {
    /// What this routing has.
    pub(crate) fn of(routing: Weak<Inner>) -> Self {
        Load {
            routing,
            all: Counter::default(),
            actors: (0..COUNTERS).map(|_| Counter::default()).collect(),
            waiting: Mutex::default(),
            waiters: AtomicUsize::new(0),
        }
    }

    /// Counts one more of so many bytes, unless there is as much as may be. What was returned was counted elsewhere until
    /// now: it is counted in any case.
    pub(crate) fn count(self: &Arc<Self>, actor: &ActorName, bytes: usize, was_returned: bool) -> Option<Counted> {
        let counter = counter_of(actor);
        let fits_in_all = self.all.add(bytes, ALL);
        let fits_actor = self.actors.get(counter).is_none_or(|actor| actor.add(bytes, ACTOR));
        let counted = Counted { load: self.clone(), counter, bytes };
        // Dropped, it is counted out again.
        (was_returned || (fits_in_all && fits_actor)).then_some(counted)
    }

    /// Ends when there is room for one more that can wait.
    pub(crate) fn poll_room(&self, actor: &ActorName, cx: &mut Context<'_>) -> Poll<()> {
        let counter = counter_of(actor);
        if self.room(counter) > 0 {
            return Poll::Ready(());
        }
        {
            let mut waiting = self.waiting.lock();
            waiting.add(counter, cx.waker());
            self.waiters.store(waiting.len(), Ordering::SeqCst);
        }
        // One that was counted out meanwhile may have missed the waker.
        if self.room(counter) > 0 { Poll::Ready(()) } else { Poll::Pending }
    }

    /// How many there are.
    pub(crate) fn messages(&self) -> usize {
        self.all.messages()
    }

    /// For how many more casts of a counter there is room. A few of each do not wait for those of others.
    fn room(&self, counter: usize) -> usize {
        let Some(actor) = self.actors.get(counter) else { return usize::MAX };
        let shared = match self.all.room(ALL_CASTS) {
            0 => ROUTED_ACTOR_FREE_CASTS_MAX.saturating_sub(actor.messages()).min(self.all.room(ALL)),
            room => room,
        };
        actor.room(ACTOR_CASTS).min(shared)
    }

    /// Wakes as many as there is room for by now, since one of this counter was counted out: those of its own first, and of
    /// the others one after the other. Who was woken before and has not come leaves his room to the next ones.
    fn wake(&self, counter: usize) {
        let mut woken = Vec::new();
        {
            let mut waiting = self.waiting.lock();
            if self.all.messages() == 0 {
                // Nobody will be counted out any more for those who wait still.
                waiting.take_all(&mut woken);
            } else {
                waiting.take(counter, self.room(counter), &mut woken);
                self.take_others(counter, &mut waiting, &mut woken);
            }
            self.waiters.store(waiting.len(), Ordering::SeqCst);
        }
        woken.into_iter().for_each(Waker::wake);
    }

    /// Those of other counters, as far as the room for all reaches.
    fn take_others(&self, own: usize, waiting: &mut Waiting, taken: &mut Vec<Waker>) {
        let shared = self.all.room(ALL_CASTS);
        let room = if shared == 0 { self.all.room(ALL) } else { shared };
        for _ in 0..waiting.counters().min(TURNS) {
            let left = room.saturating_sub(taken.len());
            let Some(counter) = (left > 0).then(|| waiting.next_counter()).flatten() else { return };
            if counter != own {
                waiting.take(counter, self.room(counter).min(left), taken);
            }
        }
    }
}

/// The counter of an actor. The namespace of a node is always the same.
fn counter_of(actor: &ActorName) -> usize {
    let hash = FixedState::default().hash_one((actor.kind(), actor.name()));
    usize::try_from(hash % COUNTERS as u64).unwrap_or_default()
}

impl Counted {
    /// The routing that has it.
    pub(crate) fn routing(&self) -> &Weak<Inner> {
        &self.load.routing
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let Counted { load, counter, bytes } = self;
        load.all.remove(*bytes);
        if let Some(actor) = load.actors.get(*counter) {
            actor.remove(*bytes);
        }
        if load.waiters.load(Ordering::SeqCst) > 0 {
            load.wake(*counter);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::Wake;

    use super::*;

    const MIB: usize = 1024 * 1024;

    fn actor(name: &str) -> ActorName {
        ActorName::new("default", "Cart", name).unwrap()
    }

    /// Names with counters of their own.
    fn actors() -> Vec<ActorName> {
        let mut seen = std::collections::BTreeSet::new();
        (0..64).map(|n| actor(&n.to_string())).filter(|actor| seen.insert(counter_of(actor))).collect()
    }

    fn count(load: &Arc<Load>, actor: &ActorName, messages: usize, bytes: usize) -> Vec<Counted> {
        (0..messages).map(|_| load.count(actor, bytes, false).unwrap()).collect()
    }

    /// Counts how often a task was woken.
    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    impl Woken {
        fn polls(self: &Arc<Self>, load: &Load, actor: &ActorName) -> Poll<()> {
            load.poll_room(actor, &mut Context::from_waker(&Waker::from(self.clone())))
        }

        fn times(&self) -> usize {
            self.0.load(Ordering::SeqCst)
        }
    }

    fn waiters(load: &Load) -> usize {
        assert_eq!(load.waiting.lock().len(), load.waiters.load(Ordering::SeqCst));
        load.waiting.lock().len()
    }

    #[test]
    fn at_the_bounds_of_an_actor_its_casts_wait_its_calls_are_refused_and_others_have_room() {
        let load = Arc::new(Load::of(Weak::new()));
        let (alice, bob) = (actor("alice"), actor("bob"));
        let mut cx = Context::from_waker(Waker::noop());
        let mut counted = count(&load, &alice, ROUTED_ACTOR_CASTS_MAX - 1, 1);
        assert!(load.poll_room(&alice, &mut cx).is_ready());
        counted.extend(count(&load, &alice, 1, 1));
        assert!(load.poll_room(&alice, &mut cx).is_pending());
        assert!(load.poll_room(&bob, &mut cx).is_ready());
        counted.extend(count(&load, &alice, ROUTED_ACTOR_MESSAGES_MAX - ROUTED_ACTOR_CASTS_MAX, 1));
        assert!(load.count(&alice, 1, false).is_none());
        assert!(load.count(&bob, 1, false).is_some());
        counted.push(load.count(&alice, 1, true).unwrap());
        counted.truncate(ROUTED_ACTOR_CASTS_MAX - 1);
        assert!(load.poll_room(&alice, &mut cx).is_ready());
        assert_eq!((load.messages(), waiters(&load)), (ROUTED_ACTOR_CASTS_MAX - 1, 0), "who waited was woken");
    }

    #[test]
    fn at_the_bounds_of_all_every_cast_waits_and_every_call_is_refused() {
        let load = Arc::new(Load::of(Weak::new()));
        let actors = actors();
        let (of_many, of_few) = (Arc::new(Woken::default()), Arc::new(Woken::default()));
        let mut counted = Vec::new();
        for n in 0..ROUTED_MESSAGES_MAX {
            if n == ROUTED_CASTS_MAX {
                assert!(of_many.polls(&load, &actors[0]).is_pending());
                assert!(of_few.polls(&load, &actor("somebody")).is_ready(), "it has nothing out");
            }
            counted.push(load.count(&actors[n % actors.len()], 1, false).unwrap());
        }
        assert!(of_few.polls(&load, &actor("somebody")).is_pending());
        assert!(load.count(&actor("somebody"), 1, false).is_none());
        counted.truncate(ROUTED_MESSAGES_MAX - 1);
        assert_eq!((of_few.times(), of_many.times()), (1, 0));
        counted.truncate(ROUTED_CASTS_MAX);
        assert_eq!((of_few.times(), of_many.times()), (1, 0));
        counted.truncate(ROUTED_CASTS_MAX - 1);
        assert_eq!((waiters(&load), of_many.times()), (0, 1));
        assert!(of_many.polls(&load, &actors[0]).is_ready());
    }

    #[test]
    fn an_actor_with_a_few_messages_out_waits_for_its_own_and_not_for_those_of_others() {
        let load = Arc::new(Load::of(Weak::new()));
        let (actors, waits) = (actors(), Arc::new(Woken::default()));
        let _others = (0..ROUTED_CASTS_MAX)
            .map(|n| load.count(&actors[1 + n % (actors.len() - 1)], 1, false).unwrap())
            .collect::<Vec<_>>();
        let mut own = Vec::new();
        for _ in 0..ROUTED_ACTOR_FREE_CASTS_MAX {
            assert!(waits.polls(&load, &actors[0]).is_ready());
            own.extend(count(&load, &actors[0], 1, 1));
        }
        assert!(waits.polls(&load, &actors[0]).is_pending());
        own.pop();
        assert_eq!(waits.times(), 1, "one of its own has come to its end");
        assert!(waits.polls(&load, &actors[0]).is_ready());
    }

    #[test]
    fn a_task_that_asks_again_and_again_waits_once_at_each_counter() {
        let load = Arc::new(Load::of(Weak::new()));
        let [alice, bob] = ["alice", "bob"].map(actor);
        let waits = Arc::new(Woken::default());
        let mut counted = count(&load, &alice, ROUTED_ACTOR_CASTS_MAX, 1);
        counted.extend(count(&load, &bob, ROUTED_ACTOR_CASTS_MAX, 1));
        for _ in 0..1_000 {
            assert!(waits.polls(&load, &alice).is_pending() && waits.polls(&load, &bob).is_pending());
        }
        assert_eq!(waiters(&load), 2);
        counted.pop();
        assert_eq!((waiters(&load), waits.times()), (1, 1), "bob has room, alice has not");
        counted.clear();
        assert_eq!((waiters(&load), waits.times()), (0, 2));
    }

    #[test]
    fn those_who_wait_no_longer_hold_up_who_does_for_a_few_messages_only() {
        let load = Arc::new(Load::of(Weak::new()));
        let (alice, full) = (actor("alice"), ROUTED_ACTOR_CASTS_MAX);
        let mut counted = count(&load, &alice, full, 1);
        for _ in 0..100 {
            // It is kept by its waker, and is nowhere else.
            assert!(Arc::new(Woken::default()).polls(&load, &alice).is_pending());
        }
        let waits = Arc::new(Woken::default());
        assert!(waits.polls(&load, &alice).is_pending());
        counted.truncate(full - 14);
        assert_eq!((waiters(&load), waits.times()), (0, 1));
    }

    #[test]
    fn at_the_bounds_of_bytes_casts_wait_and_calls_are_refused_however_few_they_are() {
        let load = Arc::new(Load::of(Weak::new()));
        let (actors, waits) = (actors(), Arc::new(Woken::default()));
        let mut counted = count(&load, &actors[0], ROUTED_ACTOR_CASTS_BYTES_MAX / MIB, MIB);
        assert!(waits.polls(&load, &actors[0]).is_pending() && waits.polls(&load, &actors[1]).is_ready());
        counted.pop();
        assert_eq!(waits.times(), 1);
        counted.extend(count(
            &load,
            &actors[0],
            1 + (ROUTED_ACTOR_BYTES_MAX - ROUTED_ACTOR_CASTS_BYTES_MAX) / MIB,
            MIB,
        ));
        assert!(load.count(&actors[0], 1, false).is_none());
        // The common bound for casts is reached; who has little out goes on.
        assert!(waits.polls(&load, &actors[1]).is_ready());
        counted.extend(count(&load, &actors[1], ROUTED_ACTOR_FREE_CASTS_MAX, 1));
        assert!(waits.polls(&load, &actors[1]).is_pending());
        for others in &actors[2..5] {
            counted.extend(count(&load, others, ROUTED_ACTOR_BYTES_MAX / MIB, MIB));
        }
        assert!(load.count(&actors[5], 1, false).is_none() && waits.polls(&load, &actors[5]).is_pending());
        assert!(load.count(&actors[5], MIB, true).is_some(), "what comes back is taken in any case");
        counted.clear();
        assert_eq!((waiters(&load), load.all.now().bytes), (0, 0));
    }

    #[test]
    fn a_message_that_is_longer_than_the_room_is_taken_where_there_is_some() {
        let load = Arc::new(Load::of(Weak::new()));
        let (alice, waits) = (actor("alice"), Arc::new(Woken::default()));
        assert!(waits.polls(&load, &alice).is_ready());
        let huge = load.count(&alice, 2 * ROUTED_BYTES_MAX, false).unwrap();
        assert!(waits.polls(&load, &actor("bob")).is_pending());
        assert!(load.count(&actor("bob"), 1, false).is_none());
        drop(huge);
        assert_eq!((waiters(&load), waits.times()), (0, 1));
        assert!(load.count(&actor("bob"), 1, false).is_some());
    }

    #[test]
    fn room_in_bytes_is_counted_in_messages_as_long_as_those_that_are_there() {
        let load = Arc::new(Load::of(Weak::new()));
        let alice = actor("alice");
        let mut counted = count(&load, &alice, ROUTED_ACTOR_CASTS_BYTES_MAX / MIB, MIB);
        for _ in 0..100 {
            assert!(Arc::new(Woken::default()).polls(&load, &alice).is_pending());
        }
        counted.pop();
        assert_eq!(waiters(&load), 99, "one is woken for the room of one, and not all");
    }
}
