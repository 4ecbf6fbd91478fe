//! A bounded queue of messages: first come, first served, also for those that wait for room.
//!
//! Messages beyond the bound stand in the same queue and are *admitted* as those before them are taken; a cast is done
//! when it is admitted. So a sender that waits for room keeps its place, and order never depends on who wakes first.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    task::Waker,
};

use crate::{
    actor::Actor,
    call_error::Overload,
    reply::{Held, ReplyCell},
    schedule::Timer,
    scope::Chain,
    trace::TraceParent,
};

/// How many calls a mailbox keeps an eye on before it looks for those that it may forget.
const CALLS_MIN: usize = 1024;

/// A message on its way.
pub(crate) struct Envelope<A: Actor> {
    pub(crate) message: A::Message,
    /// Where the answer goes; a cast has none.
    pub(crate) reply: Option<Arc<ReplyCell<A::Reply>>>,
    /// When it expires, on the node's coarse clock.
    pub(crate) deadline: u64,
    /// Who waits for its answer.
    pub(crate) waiting: Option<Arc<Chain>>,
    /// The schedule that sent it.
    pub(crate) timer: Option<Arc<Timer>>,
    /// Where it is a cast that had to wait for room.
    pub(crate) ticket: Option<Ticket>,
    /// The trace that it belongs to.
    pub(crate) trace: Option<Arc<TraceParent>>,
    pub(crate) way: Way,
}

/// By which way a message has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// From a client of this node.
    Straight,
    /// From a client of this node, by way of the router.
    Routed,
    /// From another node.
    Afar,
}

impl<A: Actor> Envelope<A> {
    /// Whether somebody still waits for the message to be started. A cast that was admitted is always wanted.
    fn is_wanted(&self) -> bool {
        self.reply.as_ref().is_none_or(|reply| reply.is_queued()) && !self.is_withdrawn()
    }

    /// Whether it is a cast that waited for room, and that its sender has taken back.
    pub(crate) fn is_withdrawn(&self) -> bool {
        self.ticket.as_ref().is_some_and(Ticket::is_settled)
    }
}

/// Settles whether a cast that waits for room is started, withdrawn, or refused: who is first decides.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ticket(Arc<AtomicU8>);

/// Nobody was first so far.
const FREE: u8 = 0;
/// Whoever claimed it sees to the cast.
const CLAIMED: u8 = 1;
/// The cast is refused, and its sender is to be told.
const REFUSED: u8 = 2;

impl Ticket {
    /// `false`: another side was first.
    pub(crate) fn claim(&self) -> bool {
        self.settle(CLAIMED)
    }

    /// `false`: another side was first.
    pub(crate) fn refuse(&self) -> bool {
        self.settle(REFUSED)
    }

    fn settle(&self, as_: u8) -> bool {
        self.0.compare_exchange(FREE, as_, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// Whether one of the sides was first already.
    pub(crate) fn is_settled(&self) -> bool {
        self.0.load(Ordering::Acquire) != FREE
    }

    /// Whether its sender is to be told that it is refused.
    pub(crate) fn is_refused(&self) -> bool {
        self.0.load(Ordering::Acquire) == REFUSED
    }
}

/// What a mailbox has for its actor's task.
pub(crate) enum Next {
    /// Messages were moved into the batch.
    Batch,
    /// Commits have come in since the last time.
    Committed,
    /// The activation is to be dropped.
    Passivate,
    /// Nothing has come for a while: the task may end.
    Rest,
}

/// Where a message stands in its mailbox.
#[derive(Debug)]
pub(crate) struct Place {
    number: u64,
    /// Of a cast that has to wait for room.
    pub(crate) ticket: Option<Ticket>,
}

pub(crate) struct Mailbox<A: Actor> {
    queue: VecDeque<Envelope<A>>,
    capacity: usize,
    /// How many messages have ever been taken out.
    taken: u64,
    /// Calls that may still have to be told that their deadline has passed, in the order of their coming.
    calls: VecDeque<Outstanding>,
    /// How many of them there have to be before they are looked through for what was answered behind the oldest.
    look_through_at: usize,
    /// No call's deadline is earlier.
    earliest_deadline: u64,
    /// Casts that wait to be admitted, by their places.
    room: VecDeque<(u64, Waker)>,
    /// No place from this one on will be admitted: what stood there was sent back.
    bounced_from: u64,
    /// Something is to be done between batches.
    pub(crate) committed: bool,
    pub(crate) passivate: bool,
    pub(crate) rest: bool,
}

struct Outstanding {
    place: u64,
    deadline: u64,
    cell: Arc<dyn Held>,
}

impl<A: Actor> Mailbox<A> {
    pub(crate) fn new(capacity: usize) -> Self {
        Mailbox {
            queue: VecDeque::new(),
            capacity,
            taken: 0,
            calls: VecDeque::new(),
            look_through_at: CALLS_MIN,
            earliest_deadline: u64::MAX,
            room: VecDeque::new(),
            bounced_from: u64::MAX,
            committed: false,
            passivate: false,
            rest: false,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.queue.len()
    }

    pub(crate) fn has_calls(&self) -> bool {
        !self.calls.is_empty()
    }

    /// How many messages have ever come.
    pub(crate) fn received(&self) -> u64 {
        self.taken + self.queue.len() as u64
    }

    /// Takes a message out of `envelope` and puts it at the end of the queue. With `no_wait` a message that would have to
    /// wait for room is refused.
    pub(crate) fn push(&mut self, envelope: &mut Option<Envelope<A>>, no_wait: bool) -> Result<Place, Overload> {
        let is_full = self.queue.len() >= self.capacity;
        if no_wait && is_full {
            return Err(Overload::Mailbox);
        }
        let mut place = Place { number: self.received(), ticket: None };
        let Some(mut envelope) = envelope.take() else { return Ok(place) };
        if let Some(reply) = &envelope.reply {
            self.earliest_deadline = self.earliest_deadline.min(envelope.deadline);
            if self.calls.len() >= self.look_through_at {
                self.calls.retain(|call| !call.cell.is_answered());
                self.look_through_at = CALLS_MIN.max(2 * self.calls.len());
            }
            let (place, deadline) = (place.number, envelope.deadline);
            self.calls.push_back(Outstanding { place, deadline, cell: reply.clone() });
        } else if is_full {
            let ticket = Ticket::default();
            envelope.ticket = Some(ticket.clone());
            place.ticket = Some(ticket);
        }
        self.queue.push_back(envelope);
        Ok(place)
    }

    /// Whether the mailbox has had room for a message.
    pub(crate) fn is_admitted(&self, place: &Place) -> bool {
        self.admits(place.number)
    }

    fn admits(&self, place: u64) -> bool {
        place < self.bounced_from && place < self.taken + self.capacity as u64
    }

    /// Has `waker` woken when the message at `place` is admitted.
    pub(crate) fn wait_for_room(&mut self, place: &Place, waker: &Waker) {
        match self.room.binary_search_by_key(&place.number, |(waiting, _)| *waiting) {
            Ok(known) => {
                if let Some((_, known)) = self.room.get_mut(known) {
                    known.clone_from(waker);
                }
            }
            Err(at) => self.room.insert(at, (place.number, waker.clone())),
        }
    }

    /// Says what the task is to do next, and moves up to `max` messages into `batch` if that is it. The wakers are those
    /// of casts that were admitted by this.
    pub(crate) fn next(&mut self, batch: &mut VecDeque<Envelope<A>>, max: usize) -> Option<(Next, Vec<Waker>)> {
        if std::mem::take(&mut self.committed) {
            return Some((Next::Committed, Vec::new()));
        }
        if !self.queue.is_empty() {
            self.rest = false;
            let count = self.queue.len().min(max);
            if count == self.queue.len() && batch.is_empty() {
                std::mem::swap(&mut self.queue, batch);
            } else {
                batch.extend(self.queue.drain(..count));
            }
            self.taken += count as u64;
            self.forget_answered();
            return Some((Next::Batch, self.admit()));
        }
        if std::mem::take(&mut self.passivate) {
            return Some((Next::Passivate, Vec::new()));
        }
        std::mem::take(&mut self.rest).then(|| (Next::Rest, Vec::new()))
    }

    /// The calls whose handlers have begun and not ended.
    pub(crate) fn started(&self) -> Vec<Arc<dyn Held>> {
        self.calls.iter().filter(|call| call.cell.is_started()).map(|call| call.cell.clone()).collect()
    }

    /// Takes out what stands behind the last cast that was admitted, since its sender has been told that it will be
    /// handled, and so will be everything before it; nothing more may come then. The wakers are those of casts that will
    /// not be admitted any more.
    pub(crate) fn bounce(&mut self) -> (VecDeque<Envelope<A>>, Vec<Waker>) {
        let is_promised =
            |envelope: &Envelope<A>| envelope.reply.is_none() && envelope.timer.is_none() && !envelope.is_withdrawn();
        let kept = self.queue.iter().take(self.capacity).rposition(is_promised).map_or(0, |last| last + 1);
        self.bounced_from = self.taken + kept as u64;
        let bounced = self.queue.split_off(kept);
        (bounced, std::mem::take(&mut self.room).into_iter().map(|(_, waker)| waker).collect())
    }

    /// Takes messages again behind a [`bounce`](Mailbox::bounce).
    pub(crate) fn go_on(&mut self) {
        self.bounced_from = u64::MAX;
        self.passivate = false;
    }

    /// Everything that is queued, for good.
    pub(crate) fn drain(&mut self) -> (VecDeque<Envelope<A>>, Vec<Waker>) {
        let queue = std::mem::take(&mut self.queue);
        (queue, std::mem::take(&mut self.room).into_iter().map(|(_, waker)| waker).collect())
    }

    /// Gives back memory that a burst has left behind.
    pub(crate) fn shrink(&mut self) {
        if self.queue.is_empty() {
            self.queue = VecDeque::new();
        }
        self.forget_answered();
        if self.calls.is_empty() {
            self.calls = VecDeque::new();
        }
    }

    /// Takes out what stands in a full mailbox and nobody waits for any more, so that it takes no room from others. The
    /// wakers are those of casts that were admitted by this.
    pub(crate) fn purge(&mut self) -> (VecDeque<Envelope<A>>, Vec<Waker>) {
        if self.queue.len() <= self.capacity {
            return (VecDeque::new(), Vec::new());
        }
        let (wanted, unwanted) = std::mem::take(&mut self.queue).into_iter().partition(Envelope::is_wanted);
        self.queue = wanted;
        let unwanted: VecDeque<_> = unwanted;
        self.taken += unwanted.len() as u64;
        (unwanted, self.admit())
    }

    /// The calls whose deadline has passed; forgets those that are answered.
    pub(crate) fn expire(&mut self, now: u64) -> Vec<(Arc<dyn Held>, bool)> {
        self.forget_answered();
        if now < self.earliest_deadline {
            return Vec::new();
        }
        let mut expired = Vec::new();
        let mut kept = VecDeque::with_capacity(self.calls.len());
        self.earliest_deadline = u64::MAX;
        for call in std::mem::take(&mut self.calls) {
            if call.deadline <= now {
                expired.push((call.cell, self.admits(call.place)));
            } else if !call.cell.is_answered() {
                self.earliest_deadline = self.earliest_deadline.min(call.deadline);
                kept.push_back(call);
            }
        }
        self.calls = kept;
        expired
    }

    /// Drops the oldest calls that need no eye on them any more. Done as soon as they are answered, it is their callers
    /// that are the last to let go of them.
    pub(crate) fn forget_answered(&mut self) {
        while self.calls.front().is_some_and(|call| call.cell.is_answered()) {
            self.calls.pop_front();
        }
    }

    fn admit(&mut self) -> Vec<Waker> {
        let mut admitted = Vec::new();
        while self.room.front().is_some_and(|(place, _)| self.admits(*place)) {
            admitted.extend(self.room.pop_front().map(|(_, waker)| waker));
        }
        admitted
    }
}
