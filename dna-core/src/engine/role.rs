//! What an engine serves: every name through one store, or, as a member of a cluster, the names of some shards through
//! the journals of its current incarnation.

use std::{
    num::{NonZeroU16, NonZeroU32},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
};

use parking_lot::{Mutex, RwLock};
use tokio::sync::oneshot;

use crate::{call_error::CallError, cluster::Shard, name::ActorName, placing::Places, route::Router};

use super::{End, authority::Authority, lane::Lane};

/// What an engine is.
pub(crate) enum Role {
    /// The only node on its store.
    Single(Arc<Lane>),
    /// A member of a cluster.
    Member(Membership),
}

/// A member of a cluster: what it has over all its incarnations.
pub(crate) struct Membership {
    shards: NonZeroU32,
    /// Takes the messages to names that are not served here, if there is one.
    router: OnceLock<Arc<dyn Router>>,
    places: Arc<Places>,
    /// The current incarnation, if there is one.
    current: RwLock<Option<Arc<Incarnation>>>,
}

/// Of an owned shard: only what a router delivers may enter.
const ROUTED: u64 = 1 << 63;

/// A member under one id.
pub(crate) struct Incarnation {
    /// At least one.
    lanes: Box<[Arc<Lane>]>,
    authority: Arc<dyn Authority>,
    /// For each shard the epoch since which it is owned, plus one; zero where it is not. With [`ROUTED`], messages of
    /// this node's own have to wait.
    owned: Box<[AtomicU64]>,
    /// Closed when the committers have let go of the stores.
    committers: Mutex<Vec<oneshot::Receiver<()>>>,
}

/// Where a name is served on this node.
pub(crate) struct Home {
    pub(crate) lane: Arc<Lane>,
    /// Of a member: the name's shard, and the epoch since which this node owns it.
    pub(crate) owned: Option<(Shard, u64)>,
}

impl Role {
    pub(super) fn member(shards: NonZeroU32) -> Self {
        let (router, places) = (OnceLock::new(), Arc::new(Places::new()));
        Role::Member(Membership { shards, router, places, current: RwLock::new(None) })
    }

    /// The shard of a name that is placed by its hash. A node alone has one shard.
    pub(super) fn shard_of(&self, name: &ActorName) -> Shard {
        match self {
            Role::Single(_) => Shard(0),
            Role::Member(membership) => Shard::of(name, membership.shards),
        }
    }

    /// What a member knows of where names are placed.
    pub(super) fn places(&self) -> Option<&Arc<Places>> {
        match self {
            Role::Single(_) => None,
            Role::Member(membership) => Some(&membership.places),
        }
    }

    /// Where the names of a shard are served; the error of their callers, where they are not served here.
    pub(super) fn home(&self, shard: Shard) -> Result<Home, CallError> {
        match self {
            Role::Single(lane) => Ok(Home { lane: lane.clone(), owned: None }),
            Role::Member(membership) => membership.home(shard),
        }
    }

    /// Whether messages of this node's own may look for names of a shard here. A look at the map of names does not say so.
    pub(super) fn may_enter(&self, shard: Shard) -> Result<(), CallError> {
        let Role::Member(membership) = self else { return Ok(()) };
        match &*membership.current.read() {
            Some(current) if current.is_open(shard) => Ok(()),
            // Who routes it finds out who serves it.
            Some(_) if membership.router.get().is_some() => Err(CallError::NotOwner { owner: None }),
            Some(current) => Err(CallError::NotOwner { owner: current.authority.owner(shard) }),
            None => Err(CallError::Joining),
        }
    }

    /// Who carries messages to other nodes, of a member that has one who does.
    pub(super) fn router(&self) -> Option<&Arc<dyn Router>> {
        match self {
            Role::Single(_) => None,
            Role::Member(membership) => membership.router.get(),
        }
    }

    /// What is committed through at present.
    pub(super) fn lanes(&self) -> Vec<Arc<Lane>> {
        match self {
            Role::Single(lane) => vec![lane.clone()],
            Role::Member(_) => self.current().map_or_else(Vec::new, |current| current.lanes().to_vec()),
        }
    }

    /// The incarnation that is current, of a member.
    pub(super) fn current(&self) -> Option<Arc<Incarnation>> {
        match self {
            Role::Single(_) => None,
            Role::Member(membership) => membership.current.read().clone(),
        }
    }

    /// The error of who calls a name of this shard, which is not served here.
    pub(super) fn not_owner(&self, shard: Shard) -> CallError {
        match self.current() {
            Some(current) => CallError::NotOwner { owner: current.authority.owner(shard) },
            None => CallError::Joining,
        }
    }
}

impl Membership {
    fn home(&self, shard: Shard) -> Result<Home, CallError> {
        let current = self.current.read();
        let Some(current) = &*current else { return Err(CallError::Joining) };
        let Some(epoch) = current.epoch(shard) else {
            return Err(CallError::NotOwner { owner: current.authority.owner(shard) });
        };
        let lane = current.lane(shard).filter(|lane| !lane.has_ended()).ok_or(CallError::Joining)?;
        Ok(Home { lane: lane.clone(), owned: Some((shard, epoch)) })
    }

    /// Sets who carries messages to other nodes. `false`: there was one already.
    pub(super) fn route_through(&self, router: Arc<dyn Router>) -> bool {
        self.router.set(router).is_ok()
    }

    pub(super) fn shards(&self) -> NonZeroU32 {
        self.shards
    }

    /// Makes an incarnation the current one, if `may` still says so.
    pub(super) fn begin(&self, incarnation: &Arc<Incarnation>, may: impl FnOnce() -> bool) -> bool {
        let mut current = self.current.write();
        let may = may();
        if may {
            *current = Some(incarnation.clone());
        }
        may
    }

    /// Takes an incarnation out of service, if it is the current one.
    pub(super) fn forget(&self, incarnation: &Arc<Incarnation>) {
        let mut current = self.current.write();
        if current.as_ref().is_some_and(|current| Arc::ptr_eq(current, incarnation)) {
            *current = None;
        }
    }
}

impl Incarnation {
    pub(super) fn new(
        lanes: Vec<Arc<Lane>>,
        authority: Arc<dyn Authority>,
        shards: NonZeroU32,
        committers: Vec<oneshot::Receiver<()>>,
    ) -> Arc<Self> {
        let owned = (0..shards.get()).map(|_| AtomicU64::new(0)).collect();
        Arc::new(Incarnation { lanes: lanes.into(), authority, owned, committers: Mutex::new(committers) })
    }

    pub(super) fn lanes(&self) -> &[Arc<Lane>] {
        &self.lanes
    }

    pub(super) fn has(&self, lane: &Arc<Lane>) -> bool {
        self.lanes.iter().any(|own| Arc::ptr_eq(own, lane))
    }

    pub(super) fn take_committers(&self) -> Vec<oneshot::Receiver<()>> {
        std::mem::take(&mut self.committers.lock())
    }

    /// The lane of a shard.
    fn lane(&self, shard: Shard) -> Option<&Arc<Lane>> {
        let lanes = NonZeroU16::new(u16::try_from(self.lanes.len()).ok()?)?;
        self.lanes.get(usize::from(shard.lane(lanes)))
    }

    fn owned(&self, shard: Shard) -> Option<&AtomicU64> {
        self.owned.get(usize::try_from(shard.0).ok()?)
    }

    /// Since when a shard is owned, if it is.
    fn epoch(&self, shard: Shard) -> Option<u64> {
        (self.owned(shard)?.load(Ordering::Acquire) & !ROUTED).checked_sub(1)
    }

    /// Whether it is owned, and messages of this node's own need not wait.
    fn is_open(&self, shard: Shard) -> bool {
        self.owned(shard).is_some_and(|owned| owned.load(Ordering::Acquire).wrapping_sub(1) < ROUTED - 1)
    }

    /// As [`Incarnation::own`], but messages of this node's own have to wait until it is.
    pub(super) fn own_routed(&self, shard: Shard, epoch: u64) {
        if let Some(owned) = self.owned(shard) {
            owned.store(epoch.saturating_add(1) | ROUTED, Ordering::Release);
        }
    }

    pub(super) fn own(&self, shard: Shard, epoch: u64) {
        if let Some(owned) = self.owned(shard) {
            owned.store(epoch.saturating_add(1), Ordering::Release);
        }
    }

    pub(super) fn disown(&self, shard: Shard) {
        if let Some(owned) = self.owned(shard) {
            owned.store(0, Ordering::Release);
        }
    }

    /// Marks it as ended. `false`: it has ended already.
    pub(super) fn mark_ended(&self, end: End) -> bool {
        // The first lane settles who was first; the others have no end of their own.
        self.lanes.iter().map(|lane| lane.mark_ended(end)).fold(None, |first, now| first.or(Some(now))).unwrap_or(false)
    }
}
