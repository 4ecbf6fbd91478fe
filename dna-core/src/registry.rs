//! All names of one actor type on this node.

use std::{any::Any, sync::Arc};

use scc::hash_map::Entry;

use crate::{
    actor::Actor,
    call_error::CallError,
    cluster::Shard,
    engine::Shared,
    meter::KindMeter,
    name::{ActorName, NameError},
    placement::Placement,
    route::{Delivered, Inbound, Undelivered},
    runtime::RandomState,
    slot::{AnySlot, Slot},
};

pub(crate) struct Registry<A: Actor> {
    pub(crate) shared: Arc<Shared>,
    pub(crate) meter: Arc<KindMeter>,
    pub(crate) mailbox_messages_max: usize,
    pub(crate) max_batch_messages: usize,
    kind: Arc<str>,
    slots: scc::HashMap<Arc<str>, Arc<Slot<A>>, RandomState>,
}

impl<A: Actor> Registry<A> {
    pub(crate) fn new(shared: Arc<Shared>) -> Arc<Self> {
        let settings = &shared.settings;
        let bound = |own: Option<usize>, node: usize| own.unwrap_or(node).max(1);
        Arc::new(Registry {
            mailbox_messages_max: bound(A::OPTIONS.mailbox_messages_max, settings.mailbox_messages_max),
            max_batch_messages: bound(A::OPTIONS.max_batch_messages, settings.max_batch_messages),
            kind: A::KIND.into(),
            slots: scc::HashMap::default(),
            meter: KindMeter::new(const { &[A::KIND] }, shared.clone()),
            shared,
        })
    }

    /// The address of a name of this type.
    pub(crate) fn address(&self, name: Arc<str>) -> Result<ActorName, NameError> {
        ActorName::new(self.shared.settings.namespace.clone(), self.kind.clone(), name)
    }

    /// The shard of a name, if it is known here at once.
    pub(crate) fn shard_at_once(&self, name: &ActorName) -> Option<Shard> {
        match (A::OPTIONS.placement, self.shared.places()) {
            (Placement::Local, Some(places)) => self.shard_of_slot(name.name()).or_else(|| places.known.shard(name)),
            _ => Some(self.shared.shard_of(name)),
        }
    }

    /// The shard of a name that has a slot here, in a cluster.
    fn shard_of_slot(&self, name: &str) -> Option<Shard> {
        // Also one that has retired: a name never changes its shard.
        self.slots.read_sync(name, |_, slot| slot.shard()).flatten()
    }

    /// The slot in service for `name`, which is of this shard, for a message of this node's own; made if there is none and
    /// the shard is served here.
    pub(crate) fn slot(self: &Arc<Self>, name: &ActorName, shard: Shard) -> Result<Arc<Slot<A>>, CallError> {
        self.shared.may_enter(shard)?;
        self.routed_slot(name, || shard)
    }

    /// As [`Registry::slot`], for a message that a router delivers.
    pub(crate) fn routed_slot(
        self: &Arc<Self>,
        name: &ActorName,
        shard: impl FnOnce() -> Shard,
    ) -> Result<Arc<Slot<A>>, CallError> {
        if let Some(slot) = self.slots.read_sync(name.name(), |_, slot| slot.clone())
            && !slot.is_retired()
        {
            return Ok(slot);
        }
        // Within the entry: behind the end of what serves the name, and behind its shard's release, no slot is made, or
        // it is made before these look for those that there are.
        match self.slots.entry_sync(name.shared_name()) {
            Entry::Occupied(mut entry) => {
                if entry.get().is_retired() {
                    let home = self.shared.home(shard())?;
                    entry.insert(Slot::new(name.clone(), self.clone(), home));
                }
                Ok(entry.get().clone())
            }
            Entry::Vacant(entry) => {
                let home = self.shared.home(shard())?;
                Ok(entry.insert_entry(Slot::new(name.clone(), self.clone(), home)).get().clone())
            }
        }
    }

    /// Takes a retired slot out of the map.
    pub(crate) fn remove(&self, slot: &Slot<A>) {
        self.slots.remove_if_sync(slot.name().name(), |known| std::ptr::eq(&**known, slot));
    }
}

/// A registry without its type.
pub(crate) trait AnyRegistry: Send + Sync {
    fn as_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync>;

    /// Every slot there is.
    fn slots(&self) -> Vec<Arc<dyn AnySlot>>;

    /// What is counted of the type.
    fn meter(&self) -> &Arc<KindMeter>;

    /// Puts a message that another node has sent into its actor's mailbox.
    fn deliver(self: Arc<Self>, message: Inbound) -> Result<Delivered, Undelivered>;

    /// The shard of a name that has a slot here, in a cluster.
    fn shard_of_slot(&self, name: &str) -> Option<Shard>;

    /// How many slots there are.
    #[cfg(feature = "testing")]
    fn len(&self) -> usize;

    /// Forgets every slot whose lane has ended.
    fn clear(&self);
}

impl<A: Actor> AnyRegistry for Registry<A> {
    fn as_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }

    fn slots(&self) -> Vec<Arc<dyn AnySlot>> {
        let mut slots: Vec<Arc<dyn AnySlot>> = Vec::with_capacity(self.slots.len());
        self.slots.iter_sync(|_, slot| {
            slots.push(slot.clone());
            true
        });
        slots
    }

    fn meter(&self) -> &Arc<KindMeter> {
        &self.meter
    }

    fn deliver(self: Arc<Self>, message: Inbound) -> Result<Delivered, Undelivered> {
        Registry::deliver(&self, message)
    }

    fn shard_of_slot(&self, name: &str) -> Option<Shard> {
        Registry::shard_of_slot(self, name)
    }

    #[cfg(feature = "testing")]
    fn len(&self) -> usize {
        self.slots.len()
    }

    fn clear(&self) {
        self.slots.retain_sync(|_, slot| !slot.rows.is_over());
    }
}
