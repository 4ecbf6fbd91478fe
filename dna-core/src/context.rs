//! What an activation is given of its surroundings.

use std::{
    collections::BTreeSet,
    fmt,
    marker::PhantomData,
    sync::{Arc, Weak},
    time::Duration,
};

use parking_lot::Mutex;

use crate::{
    actor::Actor,
    client::Client,
    engine::EngineInner,
    limits::LABEL_BYTES_MAX,
    module::StorageModule,
    name::{ActorName, NameError, check_part},
    outcome::Outcome,
    partition::{ActorRows, Partition},
    schedule::{Schedule, Scheduled, Timers, TooManyScheduled},
    scope,
    slot::Slot,
};

/// What `init` is given: the actor's name, its storage, its node, and its schedule. Cheap to clone; keep it in a field
/// if handlers need it.
///
/// `Context<Self>` (or `Context<Cart>`) can schedule the actor's own messages, plain `Context` does everything else.
pub struct Context<A = AnyActor> {
    inner: Arc<Inner>,
    slot: Option<Arc<dyn std::any::Any + Send + Sync>>,
    actor: PhantomData<fn() -> A>,
}

/// Stands for the actor type in a context that does not schedule messages.
#[derive(Debug)]
pub enum AnyActor {}

struct Inner {
    rows: Arc<ActorRows>,
    engine: Weak<EngineInner>,
    timers: Arc<Timers>,
    opened: Mutex<BTreeSet<Arc<str>>>,
}

impl<A: Actor> Context<A> {
    pub(crate) fn new(slot: &Arc<Slot<A>>, timers: Arc<Timers>) -> Self {
        let weak: Weak<Slot<A>> = Arc::downgrade(slot);
        Context {
            inner: Arc::new(Inner {
                rows: slot.rows.clone(),
                engine: slot.shared().engine.clone(),
                timers,
                opened: Mutex::default(),
            }),
            slot: Some(Arc::new(weak)),
            actor: PhantomData,
        }
    }
}

impl<A> Context<A> {
    /// The actor's address.
    pub fn name(&self) -> &ActorName {
        self.inner.rows.name()
    }

    /// On a node of a cluster: the epoch since which this node owns the actor. It rises with every owner, so that what the
    /// actor does elsewhere can be fenced by it: whoever has seen a higher one refuses a lower one. `None` on a node that
    /// is alone.
    pub fn epoch(&self) -> Option<u64> {
        self.inner.rows.owned().map(|(_, epoch)| epoch)
    }

    /// Opens a storage module under a name of its own: `ctx.open("lines")`. Reads nothing yet.
    ///
    /// # Errors
    /// [`OpenError`] where the name is empty or too long, or is open already.
    pub fn open<M: StorageModule>(&self, module: impl Into<Arc<str>>) -> Result<M, OpenError> {
        let module = module.into();
        check_part("module name", &module, LABEL_BYTES_MAX)?;
        if !self.inner.opened.lock().insert(module.clone()) {
            return Err(OpenError::AlreadyOpen { module: module.to_string() });
        }
        Ok(M::open(Partition::new(self.inner.rows.clone(), module)))
    }

    /// A client of another actor of the same node or cluster.
    pub fn client<B: Actor>(&self, name: impl Into<Arc<str>>) -> B::Client {
        Client::of_engine(self.inner.engine.upgrade(), name.into()).into()
    }
}

impl<A: Actor> Context<A> {
    /// Sends `message` to the actor itself after `delay`.
    ///
    /// It is sent like a cast: where the handler that scheduled it is rolled back, it never will be. It is handled alone,
    /// never beside another handler, also where it takes `&self`. It ends with the activation: a passivated, restarted or
    /// stopped actor has no schedule, so write down what must not be forgotten and schedule it in `init`.
    ///
    /// # Errors
    /// [`TooManyScheduled`] where [`SCHEDULED_MESSAGES_MAX`](crate::limits::SCHEDULED_MESSAGES_MAX) are outstanding.
    pub fn schedule(&self, delay: Duration, message: A::Message) -> Result<Scheduled, TooManyScheduled> {
        let mut message = Some(message);
        self.begin(delay, None, Box::new(move || message.take()))
    }

    /// Sends what `message` makes to the actor itself every `period`, the first after one period.
    ///
    /// As [`schedule`](Context::schedule); a message that is due while the one before it has not been handled is left
    /// out.
    ///
    /// # Errors
    /// As [`schedule`](Context::schedule).
    pub fn schedule_every(
        &self,
        period: Duration,
        mut message: impl FnMut() -> A::Message + Send + 'static,
    ) -> Result<Scheduled, TooManyScheduled> {
        let period = period.max(Duration::from_millis(1));
        self.begin(period, Some(period), Box::new(move || Some(message())))
    }

    fn begin(
        &self,
        delay: Duration,
        period: Option<Duration>,
        message: Box<dyn FnMut() -> Option<A::Message> + Send>,
    ) -> Result<Scheduled, TooManyScheduled> {
        let slot =
            self.slot.as_deref().and_then(|slot| slot.downcast_ref::<Weak<Slot<A>>>()).cloned().unwrap_or_default();
        let schedule = Schedule::new(slot, self.inner.timers.clone(), delay, period, message)?;
        let handle = schedule.handle();
        let mut schedule = Some(schedule);
        scope::with(|scope| {
            if let Some(scope) = scope.filter(|scope| Arc::ptr_eq(&scope.rows, &self.inner.rows))
                && let Some(schedule) = schedule.take()
            {
                scope.outbox.push(Box::new(move || schedule.begin()));
            }
        });
        if let Some(schedule) = schedule {
            schedule.begin();
        }
        Ok(handle)
    }
}

impl<A> Clone for Context<A> {
    fn clone(&self) -> Self {
        Context { inner: self.inner.clone(), slot: self.slot.clone(), actor: PhantomData }
    }
}

impl<A> fmt::Debug for Context<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("actor", self.name()).finish_non_exhaustive()
    }
}

/// The forms in which an `init` may take its context: `Context<Self>`, or plain `Context`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a context that `{A}` can be given",
    note = "`init` takes `Context`, or `Context<Self>` to schedule messages"
)]
pub trait FromContext<A: Actor>: Sized {
    /// Makes this form of the context.
    fn from_context(context: Context<A>) -> Self;
}

impl<A: Actor> FromContext<A> for Context<A> {
    fn from_context(context: Context<A>) -> Self {
        context
    }
}

impl<A: Actor> FromContext<A> for Context<AnyActor> {
    fn from_context(context: Context<A>) -> Self {
        Context { inner: context.inner, slot: context.slot, actor: PhantomData }
    }
}

/// Why a storage module could not be opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The module's name cannot be one.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The activation has opened a module of this name already.
    #[error("the module `{module}` is open already; open each module once, in `init`, under a name of its own")]
    AlreadyOpen {
        /// The module's name.
        module: String,
    },
}

impl OpenError {
    /// Always `NotApplied`: nothing was opened.
    pub fn outcome(&self) -> Outcome {
        Outcome::NotApplied
    }

    /// Always `false`: the same name will never be taken.
    pub fn is_retryable(&self) -> bool {
        false
    }
}
