//! A node's engine: its actors, its committer, its clock; how it starts and how it ends.

mod authority;
mod committer;
mod error;
mod lane;
mod member;
mod process;
mod role;
mod settings;
mod shared;
mod sweeper;

use std::{
    any::TypeId,
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::sync::oneshot;

use crate::{
    actor::{Actor, ActorOptions},
    call_error::Loss,
    client::Client,
    cluster::Shard,
    meter::KindMeter,
    name::ActorName,
    placing::Directory,
    registry::{AnyRegistry, Registry},
    run,
    runtime::{self, Runtime},
    slot::AnySlot,
    store::Store,
};

pub use self::{
    authority::{Authority, NodeAddress},
    error::{ShutdownError, StartError},
    member::Member,
    settings::Settings,
};
use self::{
    committer::Committer,
    lane::Lane,
    role::{Incarnation, Role},
};
pub(crate) use self::{
    process::current,
    role::Home,
    shared::{End, Shared},
};

/// How often a shutdown looks whether everything has come to rest.
const SHUTDOWN_POLL: Duration = Duration::from_millis(2);

type MakeRegistry = fn(Arc<Shared>) -> Arc<dyn AnyRegistry>;

/// The actor types of an engine.
#[derive(Default)]
pub struct Actors(Vec<ActorType>);

struct ActorType {
    id: TypeId,
    kind: &'static str,
    options: ActorOptions,
    make: MakeRegistry,
}

impl Actors {
    /// None.
    pub fn new() -> Self {
        Actors::default()
    }

    /// These, and `A`.
    #[must_use]
    pub fn with<A: Actor>(mut self) -> Self {
        let make: MakeRegistry = |shared| Registry::<A>::new(shared);
        self.0.push(ActorType { id: TypeId::of::<A>(), kind: A::KIND, options: A::OPTIONS, make });
        self
    }
}

impl Actors {
    /// The names of the types.
    pub fn kinds(&self) -> impl Iterator<Item = &'static str> {
        self.0.iter().map(|actor| actor.kind)
    }

    /// The names of the types, with what each sets for itself.
    pub fn types(&self) -> impl Iterator<Item = (&'static str, ActorOptions)> {
        self.0.iter().map(|actor| (actor.kind, actor.options))
    }

    /// Whether a node can serve them.
    fn check(&self, settings: &Settings) -> Result<(), StartError> {
        ActorName::new(settings.namespace.clone(), "type", "name")?;
        let mut kinds = BTreeSet::new();
        for kind in self.kinds() {
            ActorName::new(settings.namespace.clone(), kind, "name")?;
            if !kinds.insert(kind) {
                return Err(StartError::SameType { kind: kind.to_owned() });
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Actors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.kinds()).finish()
    }
}

/// The actors of one node, running.
///
/// Dropping it ends the node at once, as a crash would: what was answered `Ok` is durable, everything else is answered
/// an error. [`shutdown`](Engine::shutdown) lets what was accepted be done first.
pub struct Engine {
    inner: Arc<EngineInner>,
    /// Closed when the committers have let go of the stores.
    committers: Vec<oneshot::Receiver<()>>,
}

pub(crate) struct EngineInner {
    pub(crate) shared: Arc<Shared>,
    registries: BTreeMap<TypeId, Arc<dyn AnyRegistry>>,
    kinds: HashMap<&'static str, TypeId>,
}

impl Engine {
    /// Claims `store` and starts a node on it that serves `actors`. Must be called within a tokio runtime with time
    /// enabled; everything of the node runs there.
    ///
    /// # Errors
    /// [`StartError`]; nothing was started.
    ///
    /// # Cancel safety
    /// Dropped before its end, nothing was started; a claim that was under way is given back.
    pub async fn start(store: Arc<dyn Store>, actors: Actors, settings: Settings) -> Result<Self, StartError> {
        actors.check(&settings)?;
        let runtime = Runtime::current().ok_or(StartError::NoRuntime)?;
        let next = store.attach().await?;
        let lane = Lane::new(store, None);
        let mut engine = Engine::of(actors, settings, runtime, Role::Single(lane.clone()));
        engine.committers.push(engine.inner.start_committer(lane, next));
        tracing::info!(namespace = %engine.inner.shared.settings.namespace, "a node has started");
        Ok(engine)
    }

    /// An engine in this role, known to the process. Its committers are still to be started.
    fn of(actors: Actors, settings: Settings, runtime: Runtime, role: Role) -> Self {
        let inner = Arc::new_cyclic(|engine| {
            let shared = Shared::new(settings, runtime, role, engine.clone());
            let kinds = actors.0.iter().map(|actor| (actor.kind, actor.id)).collect();
            let registries = actors.0.into_iter().map(|actor| (actor.id, (actor.make)(shared.clone()))).collect();
            EngineInner { shared, registries, kinds }
        });
        inner.shared.runtime.spawn(sweeper::run(inner.shared.clone()));
        process::register(&inner);
        Engine { inner, committers: Vec::new() }
    }

    /// A client of the actor `name` of type `A` on this node.
    pub fn client<A: Actor>(&self, name: impl Into<Arc<str>>) -> A::Client {
        Client::of_engine(Some(self.inner.clone()), name.into()).into()
    }

    /// Has the names of types that are placed `local` looked up in this directory. Until then messages to them wait. Nothing
    /// happens on a node alone.
    pub fn place_through(&self, directory: Arc<dyn Directory>) {
        if let Some(places) = self.inner.shared.places() {
            places.look_up_in(Some(directory));
        }
    }

    /// The shard of a name of a type that is placed `local`, if this node has met it, and knows it still.
    pub fn placed(&self, actor: &ActorName) -> Option<Shard> {
        let registry = self.inner.registry_of(actor.kind());
        let serving = registry.and_then(|registry| registry.shard_of_slot(actor.name()));
        serving.or_else(|| self.inner.shared.places()?.known.shard(actor))
    }

    /// What the node holds and has done.
    pub fn stats(&self) -> Stats {
        let shared = &self.inner.shared;
        Stats {
            active: shared.active.load(Ordering::Relaxed),
            activations: shared.activations.load(Ordering::Relaxed),
            queued: shared.queued(),
            uncommitted_bytes: shared.uncommitted_bytes(),
            cached_bytes: shared.cached_bytes(),
            groups: shared.groups(),
            dropped_casts: shared.dropped_casts.load(Ordering::Relaxed),
        }
    }

    /// How many names the node has anything of in memory: those with an activation, with messages, or with writes that
    /// wait to be committed.
    #[cfg(feature = "testing")]
    pub fn names_held(&self) -> usize {
        self.inner.registries.values().map(|registry| registry.len()).sum()
    }

    /// How many tasks of actors there are, at work or lingering.
    #[cfg(feature = "testing")]
    pub fn tasks(&self) -> usize {
        self.inner.shared.tasks()
    }

    /// Passivates every actor that is not at work, and waits until none is active. New messages start them again, so on
    /// a node that is in use it may take for ever: give it a time-out.
    ///
    /// # Cancel safety
    /// Dropped before its end, the passivation goes on.
    pub async fn passivate_all(&self) {
        while self.inner.shared.active.load(Ordering::Relaxed) > 0 && !self.inner.shared.has_ended() {
            self.inner.slots().into_iter().for_each(AnySlot::passivate);
            runtime::sleep(SHUTDOWN_POLL).await;
        }
    }

    /// Takes no more messages from outside, lets the actors handle what they have, passivates them, commits everything,
    /// and ends the node.
    ///
    /// # Errors
    /// [`ShutdownError`]: the node has ended, but not everything that it had accepted could be done.
    ///
    /// # Cancel safety
    /// Dropped before its end, the node ends at once, as when it is dropped.
    pub async fn shutdown(mut self) -> Result<(), ShutdownError> {
        let quiet = self.rest().await;
        let shared = self.inner.shared.clone();
        let ended = shared.ended();
        self.inner.end(End::Stopped);
        // Nobody but this waits for the store's own closing, which happens when its last handle is dropped.
        let closed = futures_util::future::join_all(&mut self.committers);
        runtime::within(shared.settings.shutdown_timeout, closed).await;
        match ended {
            Some(End::Lost(loss)) => Err(ShutdownError::Lost(loss)),
            _ => quiet,
        }
    }

    /// The first part of a [`shutdown`](Engine::shutdown): takes no more messages from outside, lets the actors handle
    /// what they have, and passivates them. A member leaves its cluster behind this, before it is shut down.
    ///
    /// # Errors
    /// [`ShutdownError::TimedOut`] where they did not come to rest in time.
    ///
    /// # Cancel safety
    /// Dropped before its end, the node still takes no messages.
    pub async fn rest(&self) -> Result<(), ShutdownError> {
        let shared = &self.inner.shared;
        shared.drain();
        match runtime::within(shared.settings.shutdown_timeout, self.come_to_rest()).await {
            Some(()) => Ok(()),
            None => Err(ShutdownError::TimedOut { busy: shared.busy(), queued: shared.queued() }),
        }
    }

    /// Passivates everything that has nothing to do, until nothing is left to be done.
    async fn come_to_rest(&self) {
        let shared = &self.inner.shared;
        while !shared.has_ended() && !shared.is_at_rest() {
            // What `on_stop` sends out may start actors again.
            if shared.is_idle() && shared.active.load(Ordering::Relaxed) > 0 {
                self.passivate_all().await;
            } else {
                runtime::sleep(SHUTDOWN_POLL).await;
            }
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.inner.end(End::Stopped);
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("stats", &self.stats()).finish_non_exhaustive()
    }
}

impl EngineInner {
    /// The registry of a type, if it was registered.
    pub(crate) fn registry<A: Actor>(&self) -> Option<Arc<Registry<A>>> {
        self.registries.get(&TypeId::of::<A>())?.clone().as_any().downcast().ok()
    }

    /// The registry of the type of that name.
    fn registry_of(&self, kind: &str) -> Option<&Arc<dyn AnyRegistry>> {
        self.registries.get(self.kinds.get(kind)?)
    }

    /// What is counted of each actor type.
    pub(crate) fn meters(&self) -> Vec<Arc<KindMeter>> {
        self.registries.values().map(|registry| registry.meter().clone()).collect()
    }

    fn slots(&self) -> Vec<Arc<dyn AnySlot>> {
        self.registries.values().flat_map(|registry| registry.slots()).collect()
    }

    /// Runs the committer of a lane. What is answered is closed when it has let go of the store.
    fn start_committer(&self, lane: Arc<Lane>, next: u64) -> oneshot::Receiver<()> {
        let (done, over) = oneshot::channel();
        self.shared.runtime.spawn(Committer { shared: self.shared.clone(), lane, next }.run(done));
        over
    }

    /// Ends the node, the first time that it is called: answers everything that waits, drops every activation, and
    /// lets go of the store.
    pub(crate) fn end(&self, end: End) {
        if !self.shared.mark_ended(end) {
            return;
        }
        if let End::Lost(loss) = end {
            tracing::error!(?loss, "the node has lost its store and stops");
        }
        match &self.shared.role {
            Role::Single(lane) => {
                lane.mark_ended(end);
                self.end_slots(end);
                lane.release();
            }
            Role::Member(_) => {
                if let Some(current) = self.shared.role.current() {
                    self.end_incarnation(&current, end);
                }
            }
        }
        self.shared.release();
        process::unregister(self);
    }

    /// Ends an incarnation of a member, the first time that it is called: answers everything that waits, drops every
    /// activation, and lets go of the stores.
    fn end_incarnation(&self, incarnation: &Arc<Incarnation>, end: End) {
        if !incarnation.mark_ended(end) {
            return;
        }
        if let Role::Member(membership) = &self.shared.role {
            membership.forget(incarnation);
        }
        self.end_slots(end);
        incarnation.lanes().iter().for_each(|lane| lane.release());
    }

    /// A store takes nothing any more: ends what commits through it.
    fn lose(&self, lane: &Arc<Lane>, end: End, loss: Loss) {
        match (self.shared.role.current(), lane.authority()) {
            (_, None) => self.end(end),
            (Some(current), Some(authority)) if current.has(lane) => {
                self.end_incarnation(&current, end);
                authority.lost(loss);
            }
            // It has ended already.
            _ => {}
        }
    }

    /// Ends every slot whose lane has ended.
    fn end_slots(&self, end: End) {
        for slot in self.slots() {
            run::guard("an actor's end", || slot.end(end));
        }
        for registry in self.registries.values() {
            run::guard("a type's end", || registry.clear());
        }
    }
}

/// What a node holds and has done, as of a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Activations in memory.
    pub active: usize,
    /// Activations since the start.
    pub activations: u64,
    /// Messages in mailboxes.
    pub queued: usize,
    /// Writes that wait to be committed, in bytes.
    pub uncommitted_bytes: usize,
    /// The caches of all actors, in bytes.
    pub cached_bytes: usize,
    /// Groups that were sent to the store since the start.
    pub groups: u64,
    /// Casts and scheduled messages that were admitted or sent by a handler and then not handled, or whose handler
    /// panicked or wrote what can never be committed, since the start.
    pub dropped_casts: u64,
}
