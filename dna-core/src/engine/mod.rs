//! A node's engine: its actors, its committer, its clock; how it starts and how it ends.

mod committer;
mod error;
mod process;
mod settings;
mod shared;
mod sweeper;

use std::{
    any::TypeId,
    collections::{BTreeSet, HashMap},
    fmt,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::sync::oneshot;

use crate::{
    actor::Actor,
    client::Client,
    name::ActorName,
    registry::{AnyRegistry, Registry},
    run,
    runtime::{self, Runtime},
    slot::AnySlot,
    store::Store,
};

use self::committer::Committer;
pub use self::{
    error::{ShutdownError, StartError},
    settings::Settings,
};
pub(crate) use self::{
    process::current,
    shared::{End, Shared},
};

/// How often a shutdown looks whether everything has come to rest.
const SHUTDOWN_POLL: Duration = Duration::from_millis(2);

type MakeRegistry = fn(Arc<Shared>) -> Arc<dyn AnyRegistry>;

/// The actor types of an engine.
#[derive(Default)]
pub struct Actors(Vec<(TypeId, &'static str, MakeRegistry)>);

impl Actors {
    /// None.
    pub fn new() -> Self {
        Actors::default()
    }

    /// These, and `A`.
    #[must_use]
    pub fn with<A: Actor>(mut self) -> Self {
        self.0.push((TypeId::of::<A>(), A::KIND, |shared| Registry::<A>::new(shared)));
        self
    }
}

impl fmt::Debug for Actors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(_, kind, _)| kind)).finish()
    }
}

/// The actors of one node, running.
///
/// Dropping it ends the node at once, as a crash would: what was answered `Ok` is durable, everything else is answered
/// an error. [`shutdown`](Engine::shutdown) lets what was accepted be done first.
pub struct Engine {
    inner: Arc<EngineInner>,
    /// Closed when the committer has let go of the store.
    committer: oneshot::Receiver<()>,
}

pub(crate) struct EngineInner {
    pub(crate) shared: Arc<Shared>,
    registries: HashMap<TypeId, Arc<dyn AnyRegistry>>,
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
        ActorName::new(settings.namespace.clone(), "type", "name")?;
        let mut kinds = BTreeSet::new();
        for (_, kind, _) in &actors.0 {
            ActorName::new(settings.namespace.clone(), *kind, "name")?;
            if !kinds.insert(*kind) {
                return Err(StartError::SameType { kind: (*kind).to_owned() });
            }
        }
        let runtime = Runtime::current().ok_or(StartError::NoRuntime)?;
        let next = store.attach().await?;
        let inner = Arc::new_cyclic(|engine| {
            let shared = Shared::new(settings, runtime, store, engine.clone());
            let registries = actors.0.into_iter().map(|(id, _, make)| (id, make(shared.clone()))).collect();
            EngineInner { shared, registries }
        });
        let shared = inner.shared.clone();
        let (done, committer) = oneshot::channel();
        shared.runtime.spawn(Committer { shared: shared.clone(), next }.run(done));
        shared.runtime.spawn(sweeper::run(shared.clone()));
        process::register(&inner);
        tracing::info!(namespace = %shared.settings.namespace, types = ?kinds, "a node has started");
        Ok(Engine { inner, committer })
    }

    /// A client of the actor `name` of type `A` on this node.
    pub fn client<A: Actor>(&self, name: impl Into<Arc<str>>) -> A::Client {
        Client::of_engine(Some(self.inner.clone()), name.into()).into()
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
            groups: shared.groups.load(Ordering::Relaxed),
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
        let shared = self.inner.shared.clone();
        shared.drain();
        let quiet = runtime::within(shared.settings.shutdown_timeout, self.come_to_rest()).await.is_some();
        let (busy, queued) = (shared.busy(), shared.queued());
        let ended = shared.ended();
        self.inner.end(End::Stopped);
        // Nobody but this waits for the store's own closing, which happens when its last handle is dropped.
        runtime::within(shared.settings.shutdown_timeout, &mut self.committer).await;
        match ended {
            Some(End::Lost(loss)) => Err(ShutdownError::Lost(loss)),
            _ if quiet => Ok(()),
            _ => Err(ShutdownError::TimedOut { busy, queued }),
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

    fn slots(&self) -> Vec<Arc<dyn AnySlot>> {
        self.registries.values().flat_map(|registry| registry.slots()).collect()
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
        for slot in self.slots() {
            run::guard("an actor's end", || slot.end(end));
        }
        for registry in self.registries.values() {
            run::guard("a type's end", || registry.clear());
        }
        self.shared.release();
        process::unregister(self);
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
