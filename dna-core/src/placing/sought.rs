//! An actor whose shard is not known yet: what is sent to it waits, in its order, until the shard is found out, and goes
//! there then.

use std::{
    collections::VecDeque,
    sync::{Arc, OnceLock},
    task::{Context, Poll, Waker},
};

use parking_lot::Mutex;

use crate::{
    actor::Actor,
    call_error::{CallError, Overload, PlacingProblem},
    client::{Destination, Standing, destination_at, destination_at_once},
    cluster::Shard,
    engine::{End, Shared},
    limits::CLOCK_TICK,
    mailbox::Envelope,
    meter::KindMeter,
    name::ActorName,
    outcome::Outcome,
    reply::{Held, ReplyCell},
    run::drop_user,
    runtime,
    slot::Sender,
};

use super::{Places, known::Known};

/// An actor whose shard is to be found out.
pub(crate) struct Sought<A: Actor> {
    shared: Arc<Shared>,
    places: Arc<Places>,
    address: ActorName,
    /// Where its messages go, once nothing waits here any more.
    found: OnceLock<Arc<dyn Destination<A>>>,
    waiting: Mutex<Waiting<A>>,
}

struct Waiting<A: Actor> {
    /// Whether a task is at it.
    sought: bool,
    queue: VecDeque<Parked<A>>,
    /// Casts that wait for room.
    room: Vec<Waker>,
}

/// A message that waits for its shard.
struct Parked<A: Actor> {
    envelope: Envelope<A>,
    sender: Sender,
    no_wait: bool,
}

impl<A: Actor> Sought<A> {
    pub(crate) fn new(shared: Arc<Shared>, places: Arc<Places>, address: ActorName) -> Arc<Self> {
        let waiting = Mutex::new(Waiting { sought: false, queue: VecDeque::new(), room: Vec::new() });
        Arc::new(Sought { shared, places, address, found: OnceLock::new(), waiting })
    }

    /// Finds the shard out, and sends there what waits.
    async fn seek(self: Arc<Self>) {
        let lookup = Known::look_up(&self.places, &self.address, A::OPTIONS.version);
        loop {
            match runtime::within(CLOCK_TICK, lookup.clone()).await {
                Some(Ok(shard)) => {
                    self.send_waiting(shard);
                    break;
                }
                Some(Err(error)) => {
                    self.fail(&error);
                    break;
                }
                None => {
                    if let Some(end) = self.shared.ended() {
                        self.fail(&end.error(Outcome::NotApplied));
                        break;
                    }
                    if !self.expire(self.shared.now()) {
                        break;
                    }
                }
            }
        }
        self.places.known.leave(&self.address, lookup);
    }

    /// Sends what waits, one after the other; what is sent meanwhile waits behind it.
    fn send_waiting(&self, shard: Shard) {
        let destination = match destination_at::<A>(&self.shared, self.address.clone(), shard) {
            Ok(destination) => destination,
            Err(error) => return self.fail(&error),
        };
        loop {
            let mut waiting = self.waiting.lock();
            let Some(Parked { envelope, sender, no_wait }) = waiting.queue.pop_front() else {
                waiting.sought = false;
                // Under the lock: whoever finds it sends behind all that waited.
                let _ = self.found.set(destination);
                let room = std::mem::take(&mut waiting.room);
                drop(waiting);
                return room.into_iter().for_each(Waker::wake);
            };
            drop(waiting);
            self.shared.uncount_queued(1);
            let reply = envelope.reply.clone();
            if let Err(error) = destination.send(envelope, sender, no_wait, false) {
                self.tell(reply.as_deref(), error);
            }
        }
    }

    /// Tells all that wait that they were not sent, and why. Who comes later has it tried again.
    fn fail(&self, error: &CallError) {
        let (queue, room) = {
            let mut waiting = self.waiting.lock();
            waiting.sought = false;
            (std::mem::take(&mut waiting.queue), std::mem::take(&mut waiting.room))
        };
        self.give_up(queue, room, error);
    }

    /// Tells those whose deadline has passed. `false`: nobody waits any more, and nobody is at it.
    fn expire(&self, now: u64) -> bool {
        let (expired, room, goes_on) = {
            let mut waiting = self.waiting.lock();
            let is_over = |parked: &Parked<A>| {
                let is_dropped = parked.envelope.reply.as_ref().is_some_and(|reply| !reply.is_queued());
                parked.envelope.deadline <= now || is_dropped
            };
            let (expired, queue): (VecDeque<_>, VecDeque<_>) =
                std::mem::take(&mut waiting.queue).into_iter().partition(is_over);
            waiting.queue = queue;
            waiting.sought = !waiting.queue.is_empty();
            (expired, std::mem::take(&mut waiting.room), waiting.sought)
        };
        self.give_up(expired, room, &self.late());
        goes_on
    }

    fn give_up(&self, parked: VecDeque<Parked<A>>, room: Vec<Waker>, error: &CallError) {
        self.shared.uncount_queued(parked.len());
        room.into_iter().for_each(Waker::wake);
        for Parked { envelope, .. } in parked {
            self.tell(envelope.reply.as_deref(), error.clone());
            drop_user(envelope);
        }
    }

    fn tell(&self, reply: Option<&ReplyCell<A::Reply>>, error: CallError) {
        match reply {
            Some(reply) => reply.fail(error),
            None => self.shared.count_dropped_cast(&self.address, &error),
        }
    }

    fn late(&self) -> CallError {
        CallError::NotPlaced { actor: self.address.to_string(), problem: PlacingProblem::TimedOut }
    }

    /// Whether a message may wait here.
    fn admits(&self, queued: usize, sender: Sender, no_wait: bool) -> Result<(), CallError> {
        if let Some(end) = self.shared.ended() {
            return Err(end.error(Outcome::NotApplied));
        }
        if sender == Sender::Outside && self.shared.is_draining() {
            return Err(End::Stopped.error(Outcome::NotApplied));
        }
        if no_wait && queued >= self.shared.settings.mailbox_messages_max {
            return Err(CallError::Overloaded(Overload::Mailbox));
        }
        if self.shared.count_queued() { Ok(()) } else { Err(CallError::Overloaded(Overload::Node)) }
    }
}

impl<A: Actor> Destination<A> for Arc<Sought<A>> {
    fn address(&self) -> &ActorName {
        &self.address
    }

    fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    fn meter(&self) -> Option<&Arc<KindMeter>> {
        self.found.get()?.meter()
    }

    fn send(
        &self,
        envelope: Envelope<A>,
        sender: Sender,
        no_wait: bool,
        keeps_place: bool,
    ) -> Result<Option<Standing<A>>, CallError> {
        if let Some(found) = self.found.get() {
            return found.send(envelope, sender, no_wait, keeps_place);
        }
        let mut waiting = self.waiting.lock();
        if !waiting.sought
            && self.found.get().is_none()
            && let Some(found) = destination_at_once::<A>(&self.shared, &self.address)
        {
            let _ = self.found.set(found);
        }
        if let Some(found) = self.found.get() {
            drop(waiting);
            return found.send(envelope, sender, no_wait, keeps_place);
        }
        if let Err(error) = self.admits(waiting.queue.len(), sender, no_wait) {
            drop(waiting);
            drop_user(envelope);
            return Err(error);
        }
        waiting.queue.push_back(Parked { envelope, sender, no_wait });
        if !std::mem::replace(&mut waiting.sought, true) {
            drop(waiting);
            self.shared.runtime.spawn(self.clone().seek());
        }
        Ok(None)
    }

    fn poll_room(&self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(found) = self.found.get() {
            return found.poll_room(cx);
        }
        let mut waiting = self.waiting.lock();
        if waiting.queue.len() < self.shared.settings.mailbox_messages_max {
            return Poll::Ready(());
        }
        if !waiting.room.iter().any(|waker| waker.will_wake(cx.waker())) {
            waiting.room.push(cx.waker().clone());
        }
        Poll::Pending
    }

    fn unsent(&self) -> Option<CallError> {
        self.found.get().is_none().then(|| self.late())
    }
}
