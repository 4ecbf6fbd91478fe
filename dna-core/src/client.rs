//! Handles to actors: from a name to a slot that takes messages.

use std::{
    borrow::Cow,
    fmt,
    sync::{Arc, OnceLock},
    task::{Context, Poll},
};

use parking_lot::Mutex;

use crate::{
    actor::Actor,
    call::Call,
    call_error::CallError,
    cluster::Shard,
    engine::{self, EngineInner, Shared},
    mailbox::{Envelope, Place},
    meter::KindMeter,
    name::{ActorName, NameError},
    outcome::Outcome,
    placement::Placement,
    placing::Sought,
    registry::Registry,
    route::{self, Routed},
    run::drop_user,
    slot::{SendError, Sender, Slot},
};

/// How often a message looks for its name on this node while its shard comes and goes.
const LOOKUPS_MAX: usize = 16;

/// A handle to one actor, typed by its messages. `#[dna::actor]` wraps it in a client with one method a message.
///
/// Making one sends nothing and cannot fail; what is wrong with it (no node, a name that cannot be one) is the answer to
/// its calls. Messages from one handle to one actor are handled in the order in which they were sent.
pub struct Client<A: Actor> {
    target: Result<Arc<dyn Destination<A>>, CallError>,
    name: Arc<str>,
}

impl<A: Actor> Client<A> {
    /// A handle through the process's node; within a handler, through the handler's own.
    ///
    /// With no node in the process, or with several, every call answers an error that says what to do.
    pub fn of_process(name: impl Into<Arc<str>>) -> Self {
        let name = name.into();
        match engine::current() {
            Ok(engine) => Client::of_engine(Some(engine), name),
            Err(error) => Client { target: Err(error), name },
        }
    }

    pub(crate) fn of_engine(engine: Option<Arc<EngineInner>>, name: Arc<str>) -> Self {
        let target = engine.ok_or(CallError::NoNode).and_then(|engine| {
            let invalid = |error: NameError| CallError::Name(error.into());
            let shared = &engine.shared;
            if let Some(registry) = engine.registry::<A>() {
                let address = registry.address(name.clone()).map_err(invalid)?;
                let destination: Arc<dyn Destination<A>> = match (registry.shard_at_once(&address), shared.places()) {
                    (None, Some(places)) => Arc::new(Sought::new(shared.clone(), places.clone(), address)),
                    (shard, _) => Arc::new(Target::new(registry, address, shard.unwrap_or(Shard(0)))),
                };
                return Ok(destination);
            }
            let address = ActorName::new(shared.settings.namespace.clone(), A::KIND, name.clone()).map_err(invalid)?;
            let places = shared.places().filter(|_| shared.router().is_some());
            let places = places.ok_or_else(|| CallError::UnknownActor { kind: A::KIND.to_owned() })?;
            let destination: Arc<dyn Destination<A>> = Arc::new(Sought::new(shared.clone(), places.clone(), address));
            Ok(destination)
        });
        Client { target, name }
    }

    /// The actor's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A call of `message`. `extract` takes the message's own reply out of the reply enum, and answers `None` for
    /// every other.
    pub fn call<T, E>(&self, message: A::Message, extract: fn(A::Reply) -> Option<Result<T, E>>) -> Call<A, T, E> {
        Call::new(self.target.clone(), message, extract)
    }
}

impl<A: Actor> Clone for Client<A> {
    fn clone(&self) -> Self {
        Client { target: self.target.clone(), name: self.name.clone() }
    }
}

impl<A: Actor> fmt::Debug for Client<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("kind", &A::KIND).field("name", &self.name).finish()
    }
}

/// Where the messages of a client go. A trait object, so that what lies behind it does not show in the types, nor in the
/// compiler's errors, of the programs that hold clients.
pub(crate) trait Destination<A: Actor>: Send + Sync {
    fn address(&self) -> &ActorName;

    fn shared(&self) -> &Arc<Shared>;

    /// What is counted of the type, if this node knows it.
    fn meter(&self) -> Option<&Arc<KindMeter>>;

    /// Puts a message into the actor's mailbox, wherever its slot is by now. Answers where it stands, if the sender
    /// `keeps_place`, or if the message has to wait for room.
    fn send(
        &self,
        envelope: Envelope<A>,
        sender: Sender,
        no_wait: bool,
        keeps_place: bool,
    ) -> Result<Option<Standing<A>>, CallError>;

    /// Waits until there is room for one more message that can wait. Calls do not ask.
    fn poll_room(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.shared().poll_room(self.address(), cx)
    }

    /// What a message is told that waits here past its deadline, where it is not known yet where messages go.
    fn unsent(&self) -> Option<CallError> {
        None
    }
}

/// Where the messages of a name go whose shard is known, if that says it at once.
pub(crate) fn destination_at_once<A: Actor>(
    shared: &Arc<Shared>,
    address: &ActorName,
) -> Option<Arc<dyn Destination<A>>> {
    let shard = match shared.engine.upgrade()?.registry::<A>() {
        Some(registry) => registry.shard_at_once(address)?,
        None => match shared.places()?.directory()?.placement(A::KIND)? {
            Placement::Hash => shared.shard_of(address),
            Placement::Local => shared.places()?.known.shard(address)?,
        },
    };
    destination_at(shared, address.clone(), shard).ok()
}

/// Where the messages of a name of this shard go.
pub(crate) fn destination_at<A: Actor>(
    shared: &Arc<Shared>,
    address: ActorName,
    shard: Shard,
) -> Result<Arc<dyn Destination<A>>, CallError> {
    let engine = shared.engine.upgrade().ok_or(CallError::Stopped { outcome: Outcome::NotApplied })?;
    Ok(match engine.registry::<A>() {
        Some(registry) => Arc::new(Target::new(registry, address, shard)),
        None => Arc::new(Foreign { shared: shared.clone(), address, shard }),
    })
}

/// Where a message stands: the slot whose mailbox it is in, and its place there.
pub(crate) type Standing<A> = (Arc<Slot<A>>, Place);

/// An actor of this node.
struct Target<A: Actor> {
    registry: Arc<Registry<A>>,
    address: ActorName,
    shard: Shard,
    /// The slot that took the first message: looked at without a lock.
    first: OnceLock<Arc<Slot<A>>>,
    /// The slot that took the last message, once the first has retired.
    last: Mutex<Option<Arc<Slot<A>>>>,
}

impl<A: Actor> Target<A> {
    fn new(registry: Arc<Registry<A>>, address: ActorName, shard: Shard) -> Self {
        Target { registry, address, shard, first: OnceLock::new(), last: Mutex::new(None) }
    }

    /// The slot to try once the first has retired, and `retired` has been tried in vain.
    fn next_slot(&self, retired: &Arc<Slot<A>>) -> Result<Arc<Slot<A>>, CallError> {
        let mut last = self.last.lock();
        if last.as_ref().is_some_and(|last| Arc::ptr_eq(last, retired)) {
            *last = None;
        }
        if let Some(last) = &*last {
            return Ok(last.clone());
        }
        Ok(last.insert(self.registry.slot(&self.address, self.shard)?).clone())
    }

    /// The slot that took the first message, or is to take it.
    fn first_slot(&self) -> Result<&Arc<Slot<A>>, CallError> {
        match self.first.get() {
            Some(first) => Ok(first),
            None => self.registry.slot(&self.address, self.shard).map(|slot| self.first.get_or_init(|| slot)),
        }
    }
}

impl<A: Actor> Destination<A> for Target<A> {
    fn address(&self) -> &ActorName {
        &self.address
    }

    fn shared(&self) -> &Arc<Shared> {
        &self.registry.shared
    }

    fn meter(&self) -> Option<&Arc<KindMeter>> {
        Some(&self.registry.meter)
    }

    fn poll_room(&self, cx: &mut Context<'_>) -> Poll<()> {
        let shared = &self.registry.shared;
        // What goes to other nodes does not hold up what stays here.
        if shared.may_enter(self.shard).is_ok() { Poll::Ready(()) } else { shared.poll_room(&self.address, cx) }
    }

    fn send(
        &self,
        envelope: Envelope<A>,
        sender: Sender,
        no_wait: bool,
        keeps_place: bool,
    ) -> Result<Option<Standing<A>>, CallError> {
        if let Some(end) = self.registry.shared.ended() {
            return Err(end.error(Outcome::NotApplied));
        }
        let mut envelope = Some(envelope);
        let mut found = self.first_slot().map(Cow::Borrowed);
        let mut lookups = 0;
        loop {
            let refusal = match found {
                Err(error) => error,
                Ok(slot) => match slot.send(&mut envelope, sender, no_wait) {
                    Ok(place) if keeps_place || place.ticket.is_some() => return Ok(Some((slot.into_owned(), place))),
                    Ok(_) => return Ok(None),
                    Err(SendError::Retired) => {
                        found = self.next_slot(&slot).map(Cow::Owned);
                        continue;
                    }
                    Err(SendError::Refused(error)) => {
                        slot.retire_if_unused();
                        error
                    }
                },
            };
            let routed = match &envelope {
                Some(envelope) => {
                    route::away(&self.registry.shared, &self.address, self.shard, envelope, (sender, no_wait), refusal)
                }
                None => Err(refusal),
            };
            match routed {
                Ok(Routed::Here) if lookups < LOOKUPS_MAX => {
                    lookups += 1;
                    found = self.registry.slot(&self.address, self.shard).map(Cow::Owned);
                }
                Ok(Routed::Here) => {
                    drop_user(envelope);
                    return Err(CallError::NotOwner { owner: None });
                }
                Ok(Routed::Away) => {
                    drop_user(envelope);
                    return Ok(None);
                }
                Err(error) => {
                    drop_user(envelope);
                    return Err(error);
                }
            }
        }
    }
}

/// An actor of a type that this node does not know, but others may.
struct Foreign {
    shared: Arc<Shared>,
    address: ActorName,
    shard: Shard,
}

impl<A: Actor> Destination<A> for Foreign {
    fn address(&self) -> &ActorName {
        &self.address
    }

    fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    fn meter(&self) -> Option<&Arc<KindMeter>> {
        None
    }

    fn send(
        &self,
        envelope: Envelope<A>,
        sender: Sender,
        no_wait: bool,
        _: bool,
    ) -> Result<Option<Standing<A>>, CallError> {
        let refusal = match self.shared.ended() {
            Some(end) => end.error(Outcome::NotApplied),
            None => CallError::NotOwner { owner: None },
        };
        let routed = route::away(&self.shared, &self.address, self.shard, &envelope, (sender, no_wait), refusal);
        drop_user(envelope);
        match routed? {
            Routed::Away => Ok(None),
            Routed::Here => Err(CallError::UnknownActor { kind: A::KIND.to_owned() }),
        }
    }
}
