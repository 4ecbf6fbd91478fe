//! Routing as what a membership runs: the engine, and the ways from and to it.

use std::{
    fmt,
    num::NonZeroU32,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use dna_core::{AttachError, Authority, Loss as EngineLoss, Member, NodeAddress, ReadError, Shard};
use dna_transport::{Config, Security, Transport};
use futures_util::future::BoxFuture;

use super::{
    Inner,
    outgoing::{Lead, Weakly},
    session::{Session, peer_id},
};
use crate::{
    host::{Host, Incarnation, Loss},
    lease::LeaseHandle,
    life::Life,
    limits::{CLOSE_DEADLINE, ROUTED_MESSAGES_MAX},
    membership::{Status, ViewSource, either},
    meter::Connections,
    seam::{self, Seam},
    view::{Owner, Seen},
};

/// How often what waits is looked after.
const LOOK: Duration = Duration::from_millis(20);

/// An engine as what a [`Membership`](crate::Membership) runs, whose messages go to the node that serves them.
pub struct Routing {
    inner: Arc<Inner>,
    cluster: String,
}

impl Routing {
    /// Has the messages of the engine behind `member` routed, in the cluster of this name, which only keeps strangers apart.
    /// `None` outside of a tokio runtime, or if the engine has a router already.
    pub fn new(
        member: Member,
        shards: NonZeroU32,
        cluster: impl Into<String>,
        security: Security,
    ) -> Option<Arc<Self>> {
        let inner = Inner::new(member, shards, security, Seam::current()?);
        Self::of(inner, cluster.into())
    }

    /// The same in a simulation.
    #[cfg(feature = "testing")]
    pub fn simulated(
        member: Member,
        shards: NonZeroU32,
        cluster: impl Into<String>,
        security: Security,
        simulated: super::Simulated,
    ) -> Option<Arc<Self>> {
        let seam = Seam::current()?.stood_still(simulated.stood_still.clone());
        let inner = Inner::simulated(member, shards, security, seam, simulated);
        Self::of(inner, cluster.into())
    }

    fn of(inner: Arc<Inner>, cluster: String) -> Option<Arc<Self>> {
        let seam = inner.seam.clone();
        if !inner.member.route_through(Arc::new(Weakly(Arc::downgrade(&inner)))) {
            return None;
        }
        let looked_after = Arc::downgrade(&inner);
        seam.spawn(async move {
            while let Some(inner) = looked_after.upgrade() {
                if inner.look_after_all() {
                    drop(inner);
                    seam::sleep(LOOK).await;
                } else {
                    let stirred = inner.stirred.clone();
                    drop(inner);
                    stirred.notified().await;
                }
            }
        });
        Some(Arc::new(Routing { inner, cluster }))
    }

    /// Lets go of the connections: answers that are under way get through, within a bound.
    pub async fn close(&self) {
        if let Some(session) = self.inner.session() {
            session.transport.close(CLOSE_DEADLINE).await;
        }
    }

    /// Follows a view as if `me`, this node, had read it: for who measures what that costs. Nothing may be sent then.
    #[doc(hidden)]
    pub fn follow(&self, seen: &Seen, me: dna_core::NodeId) {
        self.inner.follow_view(seen, me);
    }

    fn begin_session(&self, incarnation: &Incarnation) -> std::io::Result<()> {
        let mut config =
            Config::new(self.cluster.clone(), peer_id(incarnation.node)).security(self.inner.security.clone());
        config = config.observer(Arc::new(Connections::new())).asker(self.inner.me.clone());
        // What waits for a slow actor is bounded by routing, for each actor: here it must not stand in the way of others.
        config.limits.requests_per_peer = ROUTED_MESSAGES_MAX;
        config.limits.requests_per_node = ROUTED_MESSAGES_MAX;
        config.address = Some(incarnation.source.address().to_string());
        #[cfg(feature = "testing")]
        if let Some(simulated) = &self.inner.simulated {
            simulated.apply(&mut config);
        }
        let listener = incarnation.listener.accepting()?;
        let transport = Transport::serve_on(config, listener, self.inner.clone()).map_err(std::io::Error::other)?;
        let session = Session::new(transport, incarnation.source.clone(), incarnation.node);
        *self.inner.session.write() = Some(session.clone());
        let (inner, node, life) = (self.inner.clone(), incarnation.node, incarnation.life.clone());
        self.inner.seam.spawn(async move {
            let mut status = session.source.status();
            let follow = async {
                loop {
                    let now = status.borrow_and_update().clone();
                    if let Status::Member { node: me, seen } = now
                        && me == node
                    {
                        inner.take_in(&session, &seen, node);
                    }
                    if status.changed().await.is_err() {
                        return;
                    }
                }
            };
            either(life.ended(), follow).await;
        });
        Ok(())
    }
}

impl Inner {
    /// Follows a view.
    fn take_in(&self, session: &Session, seen: &Arc<Seen>, me: dna_core::NodeId) {
        session.take_in(seen.clone());
        self.version.store(seen.version, Ordering::Release);
        self.follow_view(seen, me);
    }

    fn follow_view(&self, seen: &Seen, me: dna_core::NodeId) {
        for (shard, owner) in self.shards().zip(seen.view.owners()) {
            self.lead_by_view(shard, owner, me, seen.version);
            if let Some(arrivals) = self.arrivals(shard) {
                arrivals.lock().numbers.keep(seen.version, |node| seen.view.member(node).is_some());
            }
        }
    }

    fn give_away(&self, shard: Shard) {
        self.lead(shard, Lead::Nowhere);
        if let Some(arrivals) = self.arrivals(shard) {
            let mut arrivals = arrivals.lock();
            arrivals.owned = false;
            arrivals.numbers.given_away();
        }
    }
}

impl Host for Routing {
    fn begin(&self, incarnation: Incarnation) -> BoxFuture<'_, Result<(), AttachError>> {
        Box::pin(async move {
            let stores = incarnation.journals.stores().to_vec();
            let asked = Asked {
                lease: incarnation.lease.clone(),
                #[cfg(feature = "testing")]
                ignores_lease: self.inner.without(super::RoutingRule::Lease),
                life: incarnation.life.clone(),
                source: incarnation.source.clone(),
            };
            self.inner.member.begin(stores, Arc::new(asked)).await?;
            self.begin_session(&incarnation).map_err(|error| {
                tracing::error!("cannot speak with other nodes: {error}");
                AttachError::Read(ReadError::Unavailable)
            })
        })
    }

    fn own(&self, shards: &[(Shard, u64)]) {
        shards.iter().for_each(|(shard, epoch)| self.inner.lead(*shard, Lead::Here(*epoch)));
    }

    fn release<'a>(&'a self, shards: &'a [Shard]) -> BoxFuture<'a, ()> {
        shards.iter().for_each(|shard| self.inner.give_away(*shard));
        Box::pin(self.inner.member.release(shards))
    }

    fn drop_all(&self, why: Loss) -> BoxFuture<'_, ()> {
        let loss = match why {
            Loss::LeaseLapsed => Some(EngineLoss::LeaseLapsed),
            Loss::Fenced => Some(EngineLoss::Fenced),
            _ => None,
        };
        Box::pin(async move {
            self.inner.shards().for_each(|shard| self.inner.give_away(shard));
            self.inner.member.drop_all(loss).await;
            if why == Loss::Left {
                self.inner.shards().for_each(|shard| self.inner.give_up(shard));
                self.close().await;
            }
            let session = self.inner.session.write().take();
            if let Some(session) = session {
                session.transport.abort();
            }
        })
    }
}

impl Drop for Routing {
    fn drop(&mut self) {
        let session = self.inner.session.write().take();
        if let Some(session) = session {
            session.transport.abort();
        }
        self.inner.stirred.notify_one();
    }
}

impl fmt::Debug for Routing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Routing").field("cluster", &self.cluster).finish_non_exhaustive()
    }
}

/// Whom the engine asks during one incarnation. It keeps nothing of that alive.
struct Asked {
    lease: LeaseHandle,
    #[cfg(feature = "testing")]
    ignores_lease: bool,
    life: Life,
    source: ViewSource,
}

impl Authority for Asked {
    fn holds(&self) -> bool {
        #[cfg(feature = "testing")]
        if self.ignores_lease {
            return true;
        }
        self.lease.holds()
    }

    fn owner(&self, shard: Shard) -> Option<NodeAddress> {
        let Status::Member { node, seen } = self.source.status().borrow().clone() else { return None };
        let Owner::Node(owner) = seen.view.owner(shard, node) else { return None };
        Some(NodeAddress::new(owner, seen.view.member(owner)?.address))
    }

    fn lost(&self, _: EngineLoss) {
        self.life.end(Loss::Fenced);
    }
}
