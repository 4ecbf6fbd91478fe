//! A slot's task: takes batches from the mailbox and runs the handlers.
//!
//! `&mut self` handlers run alone and in order; consecutive `&self` handlers run concurrently, and only those that
//! suspend cost more than a function call. The task never waits for a commit: replies wait at the gate.

use std::{collections::VecDeque, future::poll_fn, sync::Arc, task::Poll};

use futures_util::{StreamExt, stream::FuturesUnordered};

use crate::{
    activation::Activation,
    actor::{Access, Actor, Handled},
    call_error::CallError,
    context::Context,
    error::Error,
    events, finish,
    mailbox::{Envelope, Next},
    outcome::Outcome,
    pace::Pace,
    reply::{Answer, Held, ReplyCell},
    run::{SharedRun, Stop, Suspended, drop_user, supervise},
    runtime,
    schedule::Timers,
    scope::{Chain, Scope},
    slot::Slot,
    trace::TraceParent,
    turn::Turn,
};

pub(crate) struct Worker<A: Actor> {
    slot: Arc<Slot<A>>,
    activation: Option<Box<Activation<A>>>,
    /// Of the handler that runs, or of the next one.
    scope: Option<Box<Scope>>,
    batch: VecDeque<Envelope<A>>,
    pace: Pace,
    turn: Turn,
    progress: Progress,
}

/// How far a task has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// It was never polled.
    Unpolled,
    /// It waits for something to do.
    Waiting,
    /// It counts as busy.
    AtWork,
    /// It has ended by itself.
    Ended,
}

/// The message for which an actor is activated.
struct Cause<A: Actor> {
    deadline: u64,
    waiting: Option<Arc<Chain>>,
    reply: Option<Arc<ReplyCell<A::Reply>>>,
    trace: Option<Arc<TraceParent>>,
}

impl<A: Actor> Cause<A> {
    fn of(envelope: &Envelope<A>) -> Self {
        Cause {
            deadline: envelope.deadline,
            waiting: envelope.waiting.clone(),
            reply: envelope.reply.clone(),
            trace: envelope.trace.clone(),
        }
    }
}

impl<A: Actor> Worker<A> {
    pub(crate) fn new(slot: Arc<Slot<A>>, activation: Option<Box<Activation<A>>>) -> Self {
        slot.shared().count_task();
        Worker {
            slot,
            activation,
            scope: None,
            batch: VecDeque::new(),
            pace: Pace::default(),
            turn: Turn::default(),
            progress: Progress::Unpolled,
        }
    }

    pub(crate) async fn run(mut self) {
        self.progress = Progress::Waiting;
        while let Some(next) = self.slot.next(&mut self.batch, &mut self.turn).await {
            self.progress = Progress::AtWork;
            match next {
                Next::Batch => self.handle_batch().await,
                Next::Committed => self.after_persist().await,
                Next::Passivate => self.passivate().await,
                Next::Rest => {}
            }
            self.progress = Progress::Waiting;
            self.slot.pause();
            if matches!(next, Next::Passivate | Next::Rest) {
                match self.slot.rest(self.activation.take()) {
                    Ok(()) => break,
                    Err(activation) => self.activation = activation,
                }
            }
        }
        self.progress = Progress::Ended;
    }

    /// Lets others go first, since this task has run for long. What was done so far is stored meanwhile.
    async fn give_way(&mut self) {
        self.slot.rows.flush();
        runtime::give_way().await;
        self.turn.time();
    }

    /// The slot, and the scope of the handler that runs.
    fn surroundings(&mut self) -> (&Arc<Slot<A>>, &mut Scope) {
        let slot = &self.slot;
        let new = || Scope::new(slot.rows.clone(), slot.shared().engine.clone());
        (slot, self.scope.get_or_insert_with(new))
    }

    /// Opens the scope of a handler that runs on an activation of this generation: if a commit is refused meanwhile,
    /// also between the activation and this, the handler is void.
    fn begin(&mut self, access: Access, deadline: u64, waiting: Vec<Arc<Chain>>, generation: u64) {
        self.surroundings().1.begin(access, deadline, waiting, generation);
    }

    /// The generation of the activation.
    fn generation(&self) -> u64 {
        self.activation.as_ref().map_or_else(|| self.slot.rows.generation(), |activation| activation.generation)
    }

    /// The deadline of what nobody waits for.
    fn hook_deadline(&self) -> u64 {
        let shared = self.slot.shared();
        shared.deadline(shared.settings.call_timeout)
    }

    async fn handle_batch(&mut self) {
        let many = self.batch.len() > 1;
        self.pace.begin(self.slot.shared().now());
        if A::OPTIONS.handle_events {
            if self.slot.shared().is_backed_up() {
                wait_for_room(&self.slot).await;
            }
            self.turn.time();
            // Boxed, so that the tasks of all the actors without this hook are half as large.
            Box::pin(self.handle_events()).await;
            if self.turn.is_over() {
                self.give_way().await;
            }
        } else if many {
            self.turn.time();
        }
        while let Some(envelope) = self.batch.pop_front() {
            if self.slot.shared().is_backed_up() {
                wait_for_room(&self.slot).await;
            }
            // A void activation takes its schedules with it, also what they have sent.
            let is_active = self.has_valid_activation();
            if !self.is_wanted(&envelope)
                || !(is_active || self.activate(Cause::of(&envelope)).await)
                || !start(&envelope)
            {
                skip(envelope);
            } else if runs_alone(&envelope) {
                self.handle_alone(envelope).await;
            } else {
                self.handle_shared(envelope).await;
                continue;
            }
            if self.turn.is_over() {
                self.give_way().await;
            }
        }
        self.pace.end(self.slot.shared().now());
        self.slot.rows.flush();
        if many {
            // Whoever was answered goes first: what they send next makes the next batch.
            self.slot.forget_answered();
            runtime::yield_now().await;
        }
    }

    /// Whether somebody still wants the message to be handled. Who has to be told otherwise is told.
    #[inline]
    fn is_wanted(&mut self, envelope: &Envelope<A>) -> bool {
        if envelope.is_withdrawn() {
            return false;
        }
        let shared = self.slot.shared();
        let now = shared.now();
        self.pace.look(now);
        // What is late is not begun, but for the last one: so that the pace is known again if it was wrong.
        let margin = if self.batch.is_empty() { 0 } else { self.pace.margin() };
        let error = if let Some(end) = self.slot.rows.over() {
            end.error(Outcome::NotApplied)
        } else if envelope.deadline <= now.saturating_add(margin) {
            if envelope.reply.as_ref().is_none_or(|reply| reply.is_queued()) {
                shared.counts.count_expired();
            }
            CallError::TimedOut { outcome: Outcome::NotApplied }
        } else {
            self.pace.count();
            return envelope.timer.as_ref().is_none_or(|timer| timer.may_start())
                && envelope.reply.as_ref().is_none_or(|reply| reply.is_queued());
        };
        match &envelope.reply {
            Some(reply) => reply.fail(error),
            None => shared.count_dropped_cast(self.slot.name(), &error),
        }
        false
    }

    /// Sees to it that there is an activation. Where `init` fails, that is the answer to `cause`.
    async fn activate(&mut self, cause: Cause<A>) -> bool {
        let generation = self.slot.rows.generation();
        if self.activation.as_ref().is_some_and(|activation| activation.generation == generation) {
            return true;
        }
        self.drop_activation();
        let timers = Arc::new(Timers::default());
        let context = Context::new(&self.slot, timers.clone());
        self.begin(Access::Exclusive, cause.deadline, cause.waiting.into_iter().collect(), generation);
        self.surroundings().1.belongs_to(cause.trace.as_deref(), true);
        let made = supervise(&self.slot, &mut self.scope, async { A::init(context).await }).await;
        let (slot, scope) = self.surroundings();
        let outcome = finish::outcome(scope);
        let error = match made {
            Ok(Ok(actor)) => match finish::writes(slot, scope, true) {
                Ok(()) => {
                    let slot = slot.clone();
                    self.activation = Some(Activation::new(actor, generation, timers, slot.registry.meter.clone()));
                    return true;
                }
                Err(error) => error,
            },
            Ok(Err(error)) => finish::writes(slot, scope, false).err().unwrap_or(CallError::Init { error, outcome }),
            Err(stop) => match finish::stopped(slot, scope, &stop) {
                CallError::Panicked { outcome } => {
                    CallError::Init { error: Error::new("it panicked; see the node's log"), outcome }
                }
                error => error,
            },
        };
        timers.stop();
        match cause.reply {
            Some(reply) if reply.start() => finish::send(slot, scope, reply, Answer::Failed(error)),
            Some(_) => {}
            None => slot.shared().count_dropped_cast(slot.name(), &error),
        }
        false
    }

    /// Handles a message beside which no other runs.
    async fn handle_alone(&mut self, envelope: Envelope<A>) {
        let Envelope { message, reply, deadline, waiting, timer, ticket: _, trace, way: _ } = envelope;
        let access = A::access(&message);
        self.begin(access, deadline, waiting.into_iter().collect(), self.generation());
        self.surroundings().1.belongs_to(trace.as_deref(), false);
        let Some(activation) = self.activation.as_deref_mut() else { return };
        let actor = &mut activation.actor;
        let handler = async {
            match access {
                Access::Exclusive => actor.handle_mut(message).await,
                Access::Shared => actor.handle(message).await,
            }
        };
        let handled = supervise(&self.slot, &mut self.scope, handler).await;
        if let Some(timer) = timer {
            timer.handled();
        }
        let (slot, scope) = self.surroundings();
        if !finish::message(slot, scope, reply, handled) {
            self.drop_activation();
        }
    }

    /// Handles `first` and the `&self` messages behind it, concurrently.
    async fn handle_shared(&mut self, first: Envelope<A>) {
        let Some(activation) = self.activation.take() else { return };
        let slot = self.slot.clone();
        let mut survives = true;
        let mut suspended: Option<FuturesUnordered<_>> = None;
        let mut spare = None;
        let mut next = Some(first);
        while let Some(envelope) = next.take() {
            let waiting = envelope.waiting.into_iter().collect();
            self.begin(Access::Shared, envelope.deadline, waiting, activation.generation);
            self.surroundings().1.belongs_to(envelope.trace.as_deref(), false);
            let mut handler = spare.take().unwrap_or_else(|| Box::pin(None));
            handler.as_mut().set(Some(call(&activation.actor, envelope.message)));
            let mut run: SharedRun<A, _> = SharedRun { handler, scope: self.scope.take(), reply: envelope.reply };
            match poll_fn(|cx| Poll::Ready(run.poll_handler(cx))).await {
                Poll::Ready(handled) => {
                    run.handler.as_mut().set(None);
                    spare = Some(run.handler);
                    self.scope = run.scope;
                    survives &= finish::message(&slot, self.surroundings().1, run.reply, handled);
                }
                Poll::Pending => {
                    slot.rows.flush();
                    suspended.get_or_insert_default().push(Suspended(Some(run)));
                }
            }
            if self.turn.is_over() {
                self.give_way().await;
            }
            // Those behind a panic or a refusal are for a fresh activation.
            next = if survives { self.next_shared(activation.generation) } else { None };
        }
        while let Some(suspended) = &mut suspended
            && let Some((run, handled)) = poll_fn(|cx| {
                if slot.rows.is_over() {
                    return Poll::Ready(None);
                }
                let polled = suspended.poll_next_unpin(cx);
                if polled.is_pending() {
                    slot.suspend(cx.waker());
                }
                polled
            })
            .await
        {
            self.scope = run.scope;
            survives &= finish::message(&slot, self.surroundings().1, run.reply, handled);
        }
        if let Some(end) = slot.rows.over() {
            for run in suspended.iter_mut().flatten().filter_map(|suspended| suspended.0.take()) {
                drop_user(run.handler);
                self.scope = run.scope;
                finish::message(&slot, self.surroundings().1, run.reply, Err(Stop::Ended(end)));
            }
        }
        drop(suspended);
        drop(spare);
        if survives {
            self.activation = Some(activation);
        } else {
            drop_user(activation);
        }
    }

    /// The next message of the batch, if it can run beside those that are under way, on an activation of this
    /// generation.
    fn next_shared(&mut self, generation: u64) -> Option<Envelope<A>> {
        let slot = self.slot.clone();
        let may_run = || slot.rows.generation() == generation && !slot.shared().is_backed_up();
        while may_run() && self.batch.front().is_some_and(|front| !runs_alone(front)) {
            let envelope = self.batch.pop_front()?;
            if self.is_wanted(&envelope) && start(&envelope) {
                return Some(envelope);
            }
            skip(envelope);
        }
        None
    }

    /// Gives the whole batch to the actor's `handle_events`, as one message.
    async fn handle_events(&mut self) {
        let (mut given, mut replies) = (Vec::new(), Vec::new());
        let (mut deadline, mut waiting, mut timers) = (0, Vec::new(), Vec::new());
        while let Some(envelope) = self.batch.pop_front() {
            self.has_valid_activation();
            // One activation takes them all: were it replaced in vain, those before would be left without an answer.
            if !self.is_wanted(&envelope)
                || (given.is_empty() && !self.activate(Cause::of(&envelope)).await)
                || !start(&envelope)
            {
                skip(envelope);
                continue;
            }
            let (event, answer) = events::event(envelope.message);
            given.push(event);
            replies.push((envelope.reply, answer));
            deadline = deadline.max(envelope.deadline);
            waiting.extend(envelope.waiting);
            timers.extend(envelope.timer);
        }
        if given.is_empty() {
            return;
        }
        let slot = self.slot.clone();
        let Some(activation) = self.activation.as_deref_mut() else {
            // A commit was refused meanwhile: it is as if the hook had run and its writes had been refused.
            given.into_iter().for_each(drop_user);
            timers.iter().for_each(|timer| timer.handled());
            let error = slot.rows.why_refused();
            for (reply, _) in replies {
                match reply {
                    Some(reply) => reply.fail(error.clone()),
                    None => slot.shared().count_dropped_cast(slot.name(), &error),
                }
            }
            return;
        };
        let actor = &mut activation.actor;
        let handler = async { actor.handle_events(events::Events::new(given)).await };
        let new = || Scope::new(slot.rows.clone(), slot.shared().engine.clone());
        self.scope.get_or_insert_with(new).begin(Access::Exclusive, deadline, waiting, activation.generation);
        let handled = supervise(&slot, &mut self.scope, handler).await;
        timers.iter().for_each(|timer| timer.handled());
        let scope = self.surroundings().1;
        let outcome = finish::outcome(scope);
        let survives = handled.is_ok();
        let failure = match handled {
            Ok(Ok(())) => finish::writes(&slot, scope, true).err(),
            Ok(Err(error)) => {
                Some(finish::writes(&slot, scope, false).err().unwrap_or(CallError::Batch { error, outcome }))
            }
            Err(stop) => Some(finish::stopped(&slot, scope, &stop)),
        };
        if !survives {
            self.drop_activation();
        }
        for (reply, answer) in replies {
            let answer = match (&failure, answer.take()) {
                (Some(error), unsent) => {
                    drop_user(unsent);
                    Answer::Failed(error.clone())
                }
                (None, Some(reply)) => Answer::Reply { reply, outcome },
                (None, None) => Answer::Failed(CallError::Unanswered),
            };
            match (reply, answer) {
                (Some(reply), answer) => finish::send(&slot, self.surroundings().1, reply, answer),
                (None, Answer::Failed(error)) if !matches!(error, CallError::Unanswered) => {
                    slot.shared().count_dropped_cast(slot.name(), &error);
                }
                _ => {}
            }
        }
    }

    async fn after_persist(&mut self) {
        if !self.has_valid_activation() {
            return;
        }
        let deadline = self.hook_deadline();
        self.begin(Access::Shared, deadline, Vec::new(), self.generation());
        let Some(activation) = self.activation.as_deref() else { return };
        let actor = &activation.actor;
        let hook = async { actor.after_persist().await };
        let ended = supervise(&self.slot, &mut self.scope, hook).await;
        self.finish_hook(ended);
    }

    /// Runs `on_stop` and drops the activation.
    async fn passivate(&mut self) {
        if self.has_valid_activation() {
            self.slot.registry.meter.count_passivation();
            let deadline = self.hook_deadline();
            self.begin(Access::Exclusive, deadline, Vec::new(), self.generation());
            let Some(activation) = self.activation.as_deref_mut() else { return };
            activation.stop_timers();
            let actor = &mut activation.actor;
            let hook = async { actor.on_stop().await };
            let ended = supervise(&self.slot, &mut self.scope, hook).await;
            self.finish_hook(ended);
            self.slot.rows.flush();
        }
        // First: once no activation is counted, nothing of the actor is in memory.
        self.slot.rows.drop_cache();
        self.drop_activation();
    }

    #[inline]
    fn has_valid_activation(&mut self) -> bool {
        let generation = self.slot.rows.generation();
        let valid = self.activation.as_ref().is_some_and(|activation| activation.generation == generation);
        if !valid {
            self.drop_activation();
        }
        valid
    }

    fn drop_activation(&mut self) {
        drop_user(self.activation.take());
    }

    fn finish_hook(&mut self, ended: Result<(), Stop>) {
        if ended.is_err() {
            self.drop_activation();
        }
        let (slot, scope) = self.surroundings();
        let error = match ended {
            Ok(()) => finish::writes(slot, scope, true).err(),
            Err(stop) => Some(finish::stopped(slot, scope, &stop)),
        };
        if let Some(error) = error {
            tracing::warn!(actor = %slot.name(), %error, "a hook's writes are rolled back");
        }
    }
}

impl<A: Actor> Drop for Worker<A> {
    /// What the task had taken and not begun is answered, however the task ends. It may not have ended by itself:
    /// something of the user's may have panicked as it was dropped, or the runtime is gone.
    fn drop(&mut self) {
        self.slot.shared().uncount_task();
        let progress = self.progress;
        if progress == Progress::AtWork {
            self.slot.pause();
        }
        self.drop_activation();
        let outcome = Outcome::NotApplied;
        let error = self.slot.rows.over().map_or(CallError::Stopped { outcome }, |end| end.error(outcome));
        for envelope in self.batch.drain(..) {
            if let Some(reply) = &envelope.reply {
                reply.fail(error.clone());
            }
            drop_user(envelope);
        }
        if matches!(progress, Progress::Waiting | Progress::AtWork) {
            self.slot.abandon();
        }
    }
}

/// Waits while the node has too much to commit.
async fn wait_for_room<A: Actor>(slot: &Slot<A>) {
    slot.rows.flush();
    slot.shared().wait_for_room().await;
}

/// The future of a `&self` handler.
async fn call<A: Actor>(actor: &A, message: A::Message) -> Handled<A::Reply> {
    actor.handle(message).await
}

/// Whether no other handler may run beside the message's: `&mut self`, and everything that was scheduled.
fn runs_alone<A: Actor>(envelope: &Envelope<A>) -> bool {
    envelope.timer.is_some() || A::access(&envelope.message) == Access::Exclusive
}

/// Marks a message as started. `false`: nobody waits for it any more.
fn start<A: Actor>(envelope: &Envelope<A>) -> bool {
    envelope.timer.as_ref().is_none_or(|timer| timer.may_start())
        && envelope.reply.as_ref().is_none_or(|reply| reply.start())
        && envelope.ticket.as_ref().is_none_or(|ticket| ticket.claim())
}

/// Lets go a message that is not handled.
fn skip<A: Actor>(envelope: Envelope<A>) {
    if let Some(timer) = &envelope.timer {
        timer.handled();
    }
    drop_user(envelope);
}
