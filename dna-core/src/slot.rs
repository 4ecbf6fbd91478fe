//! One name on this node: its mailbox, its rows, and its activation while no task has it.
//!
//! A slot has a task only while there is something to do, and a moment beyond. It leaves the node's map ("retires") when
//! it has no activation and nothing waits; from then on it takes no message, so that a name never has two slots at work.

use std::{
    collections::VecDeque,
    future::poll_fn,
    sync::{Arc, Weak},
    task::{Poll, Waker},
};

use parking_lot::{Mutex, MutexGuard};

use crate::{
    activation::Activation,
    actor::Actor,
    call_error::{CallError, Overload},
    cluster::Shard,
    engine::{End, Home, Shared},
    mailbox::{Envelope, Mailbox, Next, Place, Ticket, Way},
    name::ActorName,
    outcome::Outcome,
    partition::{ActorRows, CommitObserver},
    registry::Registry,
    reply::Held,
    route,
    run::drop_user,
    turn::Turn,
    worker::Worker,
};

/// Who sends a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sender {
    /// Not an actor of this node: refused once the node drains.
    Outside,
    /// A handler or a schedule: served until the node has ended, so that what has begun can end.
    Actor,
}

/// Why a slot did not take a message.
pub(crate) enum SendError {
    /// The slot is no longer in the map: look the name up again.
    Retired,
    /// The message is refused.
    Refused(CallError),
}

pub(crate) struct Slot<A: Actor> {
    pub(crate) rows: Arc<ActorRows>,
    pub(crate) registry: Arc<Registry<A>>,
    state: Mutex<State<A>>,
}

struct State<A: Actor> {
    mailbox: Mailbox<A>,
    task: Task<A>,
    /// Wakes the task when it waits for something to do.
    parked: Option<Waker>,
    /// Wakes the task when a handler of it is suspended and the node has ended.
    suspended: Option<Waker>,
    closed: Option<Closed>,
    /// Its shard is being given away: it takes no message any more.
    leaving: bool,
    /// Whether it was to leave, and its shard was not given away after all. What was routed meanwhile goes before what its
    /// clients send straight to it.
    has_stayed: bool,
    /// Whether the sweeper has it in its list.
    watched: bool,
    /// Whether it stands in the queue of idle slots, and whether it was used since it was put there.
    filed: bool,
    refreshed: bool,
    idle_since: u64,
    /// What `Mailbox::received` said at the sweeper's last visit.
    received: u64,
}

enum Task<A: Actor> {
    /// There is none; the activation lies here.
    Idle(Option<Box<Activation<A>>>),
    Running,
}

#[derive(Clone, Copy)]
enum Closed {
    Retired,
    Ended(End),
}

impl<A: Actor> Slot<A> {
    pub(crate) fn new(name: ActorName, registry: Arc<Registry<A>>, home: Home) -> Arc<Self> {
        let rows = ActorRows::new(name, registry.shared.clone(), home);
        let slot = Arc::new(Slot {
            rows: rows.clone(),
            state: Mutex::new(State {
                mailbox: Mailbox::new(registry.mailbox_messages_max),
                task: Task::Idle(None),
                parked: None,
                suspended: None,
                closed: None,
                leaving: false,
                has_stayed: false,
                watched: false,
                filed: false,
                refreshed: false,
                idle_since: 0,
                received: 0,
            }),
            registry,
        });
        if A::OPTIONS.after_persist {
            let observer: Weak<Self> = Arc::downgrade(&slot);
            rows.observe(observer);
        }
        slot
    }

    pub(crate) fn name(&self) -> &ActorName {
        self.rows.name()
    }

    #[inline]
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.registry.shared
    }

    /// Whether another slot is to take its place.
    pub(crate) fn is_retired(&self) -> bool {
        matches!(self.state.lock().closed, Some(Closed::Retired)) || self.is_replaced()
    }

    /// Whether it belongs to a former incarnation of a node that goes on.
    fn is_replaced(&self) -> bool {
        self.rows.is_over() && !self.shared().has_ended()
    }

    /// Why it takes no message, other than that it has retired.
    pub(crate) fn refusal(&self) -> Option<CallError> {
        if let Some(end) = self.rows.over() {
            return Some(end.error(Outcome::NotApplied));
        }
        self.state.lock().leaving.then(|| self.not_owner())
    }

    fn not_owner(&self) -> CallError {
        let shard = self.rows.owned().map_or(Shard(0), |(shard, _)| shard);
        self.shared().not_owner(shard)
    }

    /// Whether a slot that was to leave goes on, since its shard was not given away after all.
    fn stays(&self, state: &mut State<A>) -> bool {
        let owned = self.rows.owned();
        let home = owned.and_then(|(shard, _)| self.shared().home(shard).ok());
        let stays = home.is_some_and(|home| home.owned == owned);
        if stays {
            state.leaving = false;
            state.has_stayed = true;
            state.mailbox.go_on();
        }
        stays
    }

    /// Whether a message of this node's own has to go behind others, which the router is about to deliver.
    fn waits_for_what_was_routed(&self, envelope: Option<&Envelope<A>>) -> bool {
        let is_straight = envelope.is_some_and(|sent| sent.way == Way::Straight && sent.timer.is_none());
        let may_enter = |(shard, _)| self.shared().may_enter(shard).is_ok();
        is_straight && !self.rows.owned().is_none_or(may_enter)
    }

    /// Takes a message out of `envelope`, puts it into the mailbox, and sees to it that there is a task. A message that
    /// is not taken stays where it is.
    pub(crate) fn send(
        self: &Arc<Self>,
        envelope: &mut Option<Envelope<A>>,
        sender: Sender,
        no_wait: bool,
    ) -> Result<Place, SendError> {
        let shared = self.shared();
        let mut state = self.state.lock();
        let outcome = Outcome::NotApplied;
        let is_leaving = state.leaving && state.closed.is_none() && !self.stays(&mut state);
        let refusal = match state.closed {
            Some(Closed::Retired) => return Err(SendError::Retired),
            Some(Closed::Ended(_)) if self.is_replaced() => return Err(SendError::Retired),
            Some(Closed::Ended(end)) => Some(end.error(outcome)),
            None if sender == Sender::Outside && shared.is_draining() => Some(CallError::Stopped { outcome }),
            // A schedule ends with its activation.
            None if is_leaving && envelope.as_ref().is_some_and(|sent| sent.timer.is_some()) => {
                return Err(SendError::Retired);
            }
            None if is_leaving => Some(self.not_owner()),
            None if state.has_stayed && self.waits_for_what_was_routed(envelope.as_ref()) => Some(self.not_owner()),
            None => match self.rows.over() {
                Some(_) if self.is_replaced() => return Err(SendError::Retired),
                Some(end) => Some(end.error(outcome)),
                None if shared.count_queued() => None,
                None => Some(CallError::Overloaded(Overload::Node)),
            },
        };
        if let Some(error) = refusal {
            // A name that has nothing here is not kept for a message that it does not get.
            let vacant = state.closed.is_none() && matches!(state.task, Task::Idle(None));
            let retired = vacant && self.retire(&mut state);
            drop(state);
            if retired {
                self.registry.remove(self);
            }
            return Err(SendError::Refused(error));
        }
        match state.mailbox.push(envelope, no_wait) {
            Ok(place) => {
                self.see_to_it(state);
                Ok(place)
            }
            Err(overload) => {
                shared.uncount_queued(1);
                Err(SendError::Refused(CallError::Overloaded(overload)))
            }
        }
    }

    /// Whether the message at `place` has been admitted; if not, `waker` is woken when it is.
    pub(crate) fn poll_admitted(&self, place: &Place, waker: &Waker) -> bool {
        let mut state = self.state.lock();
        let is_settled = place.ticket.as_ref().is_some_and(Ticket::is_settled);
        let admitted = state.mailbox.is_admitted(place) || is_settled || state.closed.is_some() || state.leaving;
        if !admitted {
            state.mailbox.wait_for_room(place, waker);
        }
        admitted
    }

    /// What became of a cast that waited for room, once [`Slot::poll_admitted`] has ended.
    pub(crate) fn settle(&self, place: &Place) -> Result<(), CallError> {
        if place.ticket.as_ref().is_some_and(Ticket::is_refused) {
            return Err(self.not_owner());
        }
        match self.refusal() {
            // Where another side was first, it has seen to the cast.
            Some(error) if !self.is_admitted(place) && place.ticket.as_ref().is_none_or(Ticket::claim) => Err(error),
            _ => Ok(()),
        }
    }

    /// Whether the mailbox has had room for the message at `place`.
    pub(crate) fn is_admitted(&self, place: &Place) -> bool {
        self.state.lock().mailbox.is_admitted(place)
    }

    /// Wakes the slot's task, or starts one.
    fn see_to_it(self: &Arc<Self>, mut state: MutexGuard<'_, State<A>>) {
        if let Some(parked) = state.parked.take() {
            drop(state);
            parked.wake();
            return;
        }
        if let Task::Idle(activation) = &mut state.task {
            let activation = activation.take();
            state.task = Task::Running;
            let watch = !std::mem::replace(&mut state.watched, true);
            drop(state);
            if watch {
                self.shared().watch(self.clone());
            }
            self.shared().runtime.spawn(Worker::new(self.clone(), activation).run());
        }
    }

    /// What there is to do next; waits until there is something. `None`: the node has ended. Counts the task as busy
    /// until [`Slot::pause`]. Where it waits, the task's turn begins anew.
    pub(crate) async fn next(&self, batch: &mut VecDeque<Envelope<A>>, turn: &mut Turn) -> Option<Next> {
        let shared = self.shared();
        poll_fn(|cx| {
            let mut state = self.state.lock();
            if state.closed.is_some() {
                return Poll::Ready(None);
            }
            let next = state.mailbox.next(batch, self.registry.max_batch_messages);
            let Some((next, admitted)) = next.or_else(|| shared.is_crowded().then(|| (Next::Rest, Vec::new()))) else {
                state.parked = Some(cx.waker().clone());
                turn.restart();
                return Poll::Pending;
            };
            // Woken by somebody else, nobody has taken the waker; who found it later would wake nothing.
            state.parked = None;
            drop(state);
            shared.begin_work(batch.len());
            admitted.into_iter().for_each(Waker::wake);
            Poll::Ready(Some(next))
        })
        .await
    }

    /// Lets go of calls that are answered.
    pub(crate) fn forget_answered(&self) {
        self.state.lock().mailbox.forget_answered();
    }

    /// The task has done what [`Slot::next`] gave it.
    pub(crate) fn pause(&self) {
        self.shared().end_work();
    }

    /// The task is gone, and its activation with it: tells the callers whose messages it had begun, and has the others
    /// find a fresh activation.
    pub(crate) fn abandon(self: &Arc<Self>) {
        self.rows.abandon();
        let mut state = self.state.lock();
        (state.parked, state.suspended) = (None, None);
        let started = state.mailbox.started();
        if state.closed.is_none() {
            state.task = Task::Idle(None);
        }
        if state.closed.is_none() && !state.mailbox.is_empty() {
            self.see_to_it(state);
        } else {
            drop(state);
        }
        for call in started {
            call.fail(CallError::Stopped { outcome: Outcome::Unknown });
        }
    }

    /// A handler is suspended: `waker` is woken should the node end meanwhile.
    pub(crate) fn suspend(&self, waker: &Waker) {
        let mut state = self.state.lock();
        if state.closed.is_some() {
            drop(state);
            waker.wake_by_ref();
        } else if !state.suspended.as_ref().is_some_and(|known| known.will_wake(waker)) {
            state.suspended = Some(waker.clone());
        }
    }

    /// The task ends and leaves its activation here, unless there is something to do: then it gets it back.
    pub(crate) fn rest(
        self: &Arc<Self>,
        activation: Option<Box<Activation<A>>>,
    ) -> Result<(), Option<Box<Activation<A>>>> {
        let shared = self.shared();
        let mut state = self.state.lock();
        if state.closed.is_none() && (!state.mailbox.is_empty() || state.mailbox.committed || state.mailbox.passivate) {
            return Err(activation);
        }
        state.suspended = None;
        state.mailbox.shrink();
        self.rows.shrink();
        if state.closed.is_some() {
            state.task = Task::Idle(None);
            drop(state);
            drop_user(activation);
            return Ok(());
        }
        let active = activation.is_some();
        state.task = Task::Idle(activation);
        state.idle_since = shared.now();
        if !active {
            // Where something waits for a commit, the sweeper retires it: it watches every slot that was at work.
            if self.retire(&mut state) {
                drop(state);
                self.registry.remove(self);
            }
            return Ok(());
        }
        state.refreshed = true;
        if !std::mem::replace(&mut state.filed, true) {
            state.refreshed = false;
            drop(state);
            let slot: Weak<Self> = Arc::downgrade(self);
            shared.file_idle(slot);
        }
        Ok(())
    }

    /// A message is not handled here any more. Whether it is to be [given back](Slot::give_back): else its sender waits for room,
    /// and is told, or does not want it any more.
    fn is_given_back(&self, envelope: &Envelope<A>) -> bool {
        let Some(ticket) = &envelope.ticket else { return true };
        if self.may_be_routed(envelope) {
            return ticket.claim();
        }
        ticket.refuse();
        false
    }

    /// What another node has sent that node sends anew, in order with what else it sends: passed on from here it could be
    /// overtaken.
    fn may_be_routed(&self, envelope: &Envelope<A>) -> bool {
        self.shared().router().is_some() && envelope.way != Way::Afar
    }

    /// Has a message routed that is not handled here any more, or tells its sender.
    fn give_back(&self, envelope: &Envelope<A>, error: &CallError) {
        let shard = self.rows.owned().map_or(Shard(0), |(shard, _)| shard);
        let gone = match envelope.way {
            Way::Afar => Err(error.clone()),
            _ => route::give_back(self.shared(), self.name(), shard, envelope, error.clone()),
        };
        if let Err(error) = gone {
            match &envelope.reply {
                Some(reply) => reply.fail(error),
                None => self.shared().count_dropped_cast(self.name(), &error),
            }
        }
    }

    /// Takes the slot out of service if it was made for a message that was then refused.
    pub(crate) fn retire_if_unused(self: &Arc<Self>) {
        let mut state = self.state.lock();
        let unused = state.closed.is_none() && matches!(state.task, Task::Idle(None)) && !state.filed;
        if unused && self.retire(&mut state) {
            drop(state);
            self.registry.remove(self);
        }
    }

    /// Takes a slot without activation out of service, if nothing waits for it.
    fn retire(&self, state: &mut State<A>) -> bool {
        let retires = state.mailbox.is_empty() && self.rows.is_settled();
        if retires {
            state.closed = Some(Closed::Retired);
            // Clients may keep the slot; its passivation could not drop what was not yet durable.
            self.rows.drop_cache();
        }
        retires
    }
}

impl<A: Actor> CommitObserver for Slot<A> {
    fn committed(self: Arc<Self>) {
        let mut state = self.state.lock();
        if state.closed.is_none() && !matches!(state.task, Task::Idle(None)) {
            state.mailbox.committed = true;
            self.see_to_it(state);
        }
    }
}

/// A slot without its type, as the sweeper and the node see it.
pub(crate) trait AnySlot: Send + Sync {
    /// Tells the calls whose deadline has passed, and a task that has had nothing to do since the last visit (with
    /// `press`: that has nothing to do now) to end; retires a slot without activation whose writes are durable by now.
    /// `false`: there is nothing to watch any more.
    fn sweep(&self, now: u64, press: bool) -> bool;

    /// Whether the slot, taken from the queue of idle ones, is to be passivated, put back, or forgotten.
    fn review(self: Arc<Self>, now: u64, idle_timeout: u64, press: bool) -> Review;

    /// Passivates the slot as soon as its mailbox is empty.
    fn passivate(self: Arc<Self>);

    /// On a member of a cluster: the shard of its name.
    fn shard(&self) -> Option<Shard>;

    /// Has it end with its shard: it takes nothing more, answers what is queued behind the last cast that was admitted,
    /// and is passivated. `true`: nothing of it is left, and nothing waits to be committed. To be called until then.
    fn leave(self: Arc<Self>) -> bool;

    /// Ends it, if what serves it has ended: what is queued is answered, and what is active is dropped.
    fn end(&self, end: End);
}

/// What becomes of a slot that was taken from the queue of idle ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Review {
    /// It is the least recently used one, and has time yet: it belongs at the head of the queue.
    Early,
    /// It has been used since it was put there: it belongs at the end.
    Refreshed,
    /// It is being passivated, which gives back so much of the cache: it leaves the queue.
    Passivated { cached_bytes: usize },
    /// It is at work, without activation, or retired: it leaves the queue.
    Gone,
}

impl<A: Actor> AnySlot for Slot<A> {
    fn sweep(&self, now: u64, press: bool) -> bool {
        let mut state = self.state.lock();
        let expired = state.mailbox.expire(now);
        let (purged, admitted) = state.mailbox.purge();
        let received = state.mailbox.received();
        let before = std::mem::replace(&mut state.received, received);
        let quiet = before == received;
        self.registry.meter.saw_mailbox(state.mailbox.len(), received.saturating_sub(before));
        let mut parked = None;
        if (quiet || press) && state.mailbox.is_empty() && state.parked.is_some() {
            state.mailbox.rest = true;
            parked = state.parked.take();
        }
        let (mut vacant, mut retired) = (state.closed.is_none() && matches!(state.task, Task::Idle(None)), false);
        if vacant {
            retired = self.retire(&mut state);
            vacant = !retired;
        }
        // What has ended with its incarnation has nothing to come but the end of its calls.
        let lives = state.closed.is_none();
        let at_work = (lives && matches!(state.task, Task::Running)) || vacant || state.mailbox.has_calls();
        let watch = at_work || (lives && !self.rows.shrink());
        state.watched = watch;
        drop(state);
        if retired {
            self.registry.remove(self);
        }
        self.shared().uncount_queued(purged.len());
        drop_user(purged);
        admitted.into_iter().for_each(Waker::wake);
        for (cell, admitted) in expired {
            if Held::expire(&*cell, admitted) {
                self.shared().counts.count_expired();
            }
        }
        if let Some(parked) = parked {
            parked.wake();
        }
        watch
    }

    fn review(self: Arc<Self>, now: u64, idle_timeout: u64, press: bool) -> Review {
        let mut state = self.state.lock();
        if state.closed.is_some() || !matches!(state.task, Task::Idle(Some(_))) {
            state.filed = false;
            return Review::Gone;
        }
        if std::mem::take(&mut state.refreshed) {
            return Review::Refreshed;
        }
        if !press && now.saturating_sub(state.idle_since) < idle_timeout {
            return Review::Early;
        }
        state.filed = false;
        state.mailbox.passivate = true;
        self.see_to_it(state);
        Review::Passivated { cached_bytes: self.rows.cached_bytes() }
    }

    fn passivate(self: Arc<Self>) {
        let mut state = self.state.lock();
        if state.closed.is_none() && !matches!(state.task, Task::Idle(None)) {
            state.mailbox.passivate = true;
            self.see_to_it(state);
        }
    }

    fn shard(&self) -> Option<Shard> {
        self.rows.owned().map(|(shard, _)| shard)
    }

    fn leave(self: Arc<Self>) -> bool {
        let mut state = self.state.lock();
        if state.closed.is_some() {
            return true;
        }
        let (bounced, room) =
            if std::mem::replace(&mut state.leaving, true) { Default::default() } else { state.mailbox.bounce() };
        // Settled before the lock is free: who waits for room would do it else, and tell its sender of a refusal.
        let is_given_back = |envelope: &Envelope<A>| envelope.timer.is_none() && self.is_given_back(envelope);
        let bounced: Vec<_> = bounced.into_iter().map(|envelope| (is_given_back(&envelope), envelope)).collect();
        let mut gone = false;
        if matches!(state.task, Task::Idle(None)) {
            gone = self.retire(&mut state);
            drop(state);
        } else {
            state.mailbox.passivate = true;
            self.see_to_it(state);
        }
        if gone {
            self.registry.remove(&self);
        }
        self.shared().uncount_queued(bounced.len());
        room.into_iter().for_each(Waker::wake);
        if !bounced.is_empty() {
            let error = self.not_owner();
            for (is_given_back, envelope) in bounced {
                if is_given_back {
                    self.give_back(&envelope, &error);
                }
                drop_user(envelope);
            }
        }
        gone
    }

    fn end(&self, end: End) {
        if !self.rows.is_over() {
            return;
        }
        let mut state = self.state.lock();
        if !matches!(state.closed, Some(Closed::Ended(_))) {
            state.closed = Some(Closed::Ended(end));
        }
        let (queue, room) = state.mailbox.drain();
        let activation = match &mut state.task {
            Task::Idle(activation) => activation.take(),
            Task::Running => None,
        };
        let tasks = [state.parked.take(), state.suspended.take()];
        drop(state);
        self.shared().uncount_queued(queue.len());
        tasks.into_iter().flatten().chain(room).for_each(Waker::wake);
        let error = end.error(Outcome::NotApplied);
        for envelope in queue {
            match &envelope.reply {
                Some(reply) => reply.fail(error.clone()),
                None if envelope.is_withdrawn() => {}
                None => self.shared().count_dropped_cast(self.name(), &error),
            }
            drop_user(envelope.message);
        }
        self.rows.end(end);
        drop_user(activation);
    }
}
