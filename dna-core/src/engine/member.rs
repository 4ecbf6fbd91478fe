//! An engine as a member of a cluster: what whoever keeps the membership tells it.

use std::{
    num::NonZeroU32,
    sync::{Arc, atomic::Ordering},
};

use crate::{
    call_error::{CallError, Loss},
    cluster::Shard,
    route::{Delivered, Inbound, Router, Undelivered},
    runtime::{self, Runtime},
    slot::AnySlot,
    store::{AttachError, ReadError, Store},
};

use super::{
    Actors, End, Engine, EngineInner, SHUTDOWN_POLL, Settings, StartError,
    authority::Authority,
    lane::Lane,
    role::{Incarnation, Membership, Role},
};

/// Tells an engine that is a member of a cluster what it is and what it owns, from one incarnation to the next.
///
/// The calls come one after the other: `begin`, then any number of `own` and `release`, then `drop_all`; then, perhaps,
/// `begin` again, with other stores. In between every call to an actor is answered
/// [`CallError::Joining`](crate::CallError::Joining). Handles to actors go on with the next incarnation.
pub struct Member {
    engine: Arc<EngineInner>,
}

impl Engine {
    /// Starts a node that is to be a member of a cluster of so many shards. It serves nothing until the member is told to
    /// [begin](Member::begin) and to [own](Member::own) shards.
    ///
    /// # Errors
    /// [`StartError`]; nothing was started.
    pub fn member(actors: Actors, settings: Settings, shards: NonZeroU32) -> Result<(Self, Member), StartError> {
        actors.check(&settings)?;
        let runtime = Runtime::current().ok_or(StartError::NoRuntime)?;
        let engine = Engine::of(actors, settings, runtime, Role::member(shards));
        let member = Member { engine: engine.inner.clone() };
        Ok((engine, member))
    }
}

impl Member {
    fn membership(&self) -> Option<&Membership> {
        match &self.engine.shared.role {
            Role::Member(membership) => Some(membership),
            Role::Single(_) => None,
        }
    }

    /// Claims the stores, one for each lane, and serves through them what it will own.
    ///
    /// # Errors
    /// Where a store could not be claimed, or the node has ended, nothing has begun.
    ///
    /// # Cancel safety
    /// Dropped before its end, nothing has begun; claims that were made are given back.
    pub async fn begin(&self, stores: Vec<Arc<dyn Store>>, authority: Arc<dyn Authority>) -> Result<(), AttachError> {
        let closed = AttachError::Read(ReadError::Closed);
        let membership = self.membership().ok_or(closed)?;
        let mut claims = Claims(Vec::with_capacity(stores.len()));
        for store in stores {
            let next = store.attach().await?;
            claims.0.push((Lane::new(store, Some(authority.clone())), next));
        }
        let claimed = std::mem::take(&mut claims.0);
        let lanes: Vec<_> = claimed.iter().map(|(lane, _)| lane.clone()).collect();
        let committers = claimed.into_iter().map(|(lane, next)| self.engine.start_committer(lane, next)).collect();
        let incarnation = Incarnation::new(lanes, authority, membership.shards(), committers);
        // Under the lock under which its end looks for it.
        if membership.begin(&incarnation, || !self.engine.shared.has_ended()) {
            return Ok(());
        }
        self.engine.end_incarnation(&incarnation, End::Stopped);
        Err(closed)
    }

    /// These shards are this node's, each since that epoch.
    pub fn own(&self, shards: &[(Shard, u64)]) {
        if let Some(current) = self.engine.shared.role.current() {
            shards.iter().for_each(|(shard, epoch)| current.own(*shard, *epoch));
        }
    }

    /// Has messages to names that are not served here taken by `router`, instead of answering
    /// [`CallError::NotOwner`](crate::CallError::NotOwner) and [`CallError::Joining`](crate::CallError::Joining). `false`:
    /// there is one already.
    pub fn route_through(&self, router: Arc<dyn Router>) -> bool {
        self.membership().is_some_and(|membership| membership.route_through(router))
    }

    /// This shard is this node's since that epoch, and what is [delivered](Member::deliver) to it is handled; messages of
    /// this node's own are still given to the router, until the member is told to [own](Member::own) it.
    pub fn own_routed(&self, shard: Shard, epoch: u64) {
        if let Some(current) = self.engine.shared.role.current() {
            current.own_routed(shard, epoch);
        }
    }

    /// Puts a message that another node has sent into its actor's mailbox. Messages that are delivered one after the
    /// other are handled in that order.
    ///
    /// # Errors
    /// [`Undelivered`]; the message was not started, and never will be.
    pub fn deliver(&self, message: Inbound) -> Result<Delivered, Undelivered> {
        if message.actor.namespace() != &*self.engine.shared.settings.namespace {
            // What this node serves never changes: sent back it would come again for ever.
            let kind = format!("{}/{}", message.actor.namespace(), message.actor.kind());
            return Err(Undelivered::Refused(CallError::UnknownActor { kind }));
        }
        let unknown = || CallError::UnknownActor { kind: message.actor.kind().to_owned() };
        let registry = self.engine.registry_of(message.actor.kind());
        let registry = registry.ok_or_else(|| Undelivered::Refused(unknown()))?.clone();
        registry.deliver(message)
    }

    /// Serves these shards no longer: takes nothing more for them, has their actors handle what they have begun and the
    /// casts that were admitted, passivates them, and waits until all that they wrote is committed. What is still queued
    /// then is given to the router; without one, calls are answered [`CallError::NotOwner`](crate::CallError::NotOwner).
    ///
    /// # Cancel safety
    /// Dropped before its end, the shards stay given up, and what runs for them goes on to its end;
    /// [`drop_all`](Member::drop_all) ends it.
    pub async fn release(&self, shards: &[Shard]) {
        let Some(current) = self.engine.shared.role.current() else { return };
        shards.iter().for_each(|shard| current.disown(*shard));
        // Behind that no slot is made for them.
        let is_released = |slot: &Arc<dyn AnySlot>| slot.shard().is_some_and(|shard| shards.contains(&shard));
        let mut leaving: Vec<_> = self.engine.slots().into_iter().filter(is_released).collect();
        loop {
            leaving.retain(|slot| !slot.clone().leave());
            if leaving.is_empty() {
                return;
            }
            runtime::sleep(SHUTDOWN_POLL).await;
        }
    }

    /// Ends the incarnation: answers everything that waits, without an answer that claims anything, and waits until the
    /// last activation is dropped. With no loss it ends like a node that was stopped.
    ///
    /// # Cancel safety
    /// Dropped before its end, all the same everything is dropped.
    pub async fn drop_all(&self, loss: Option<Loss>) {
        let end = loss.map_or(End::Stopped, End::Lost);
        let shared = &self.engine.shared;
        let current = shared.role.current();
        if let Some(current) = &current {
            self.engine.end_incarnation(current, end);
        }
        while shared.busy() > 0 || shared.active.load(Ordering::Acquire) > 0 {
            runtime::sleep(SHUTDOWN_POLL).await;
        }
        if let Some(current) = current {
            futures_util::future::join_all(current.take_committers()).await;
        }
    }
}

impl std::fmt::Debug for Member {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Member").finish_non_exhaustive()
    }
}

/// Stores that were claimed, and are to be let go of unless all could be.
struct Claims(Vec<(Arc<Lane>, u64)>);

impl Drop for Claims {
    fn drop(&mut self) {
        for (lane, _) in &self.0 {
            lane.mark_ended(End::Stopped);
            lane.release();
        }
    }
}
