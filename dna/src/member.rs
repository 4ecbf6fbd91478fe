//! A node of a cluster: tells the engine what the membership says, and the membership what the engine meets.

use std::{
    net::SocketAddr,
    num::{NonZeroU16, NonZeroU32},
    sync::Arc,
    time::Duration,
};

use dna_cluster::{Config, Host, Incarnation, Membership, Owner, Placement, Status};
use dna_core::{
    Actors, AttachError, Authority, ClusterStore, Engine, Error, ErrorKind, Loss, Member, NodeAddress, Settings, Shard,
    ShutdownError, StartError,
};
use futures_util::future::BoxFuture;
use parking_lot::Mutex;

/// What a node says of itself to its cluster, beside its actor types.
#[derive(Debug, Clone, Default)]
pub(crate) struct ClusterSettings {
    pub(crate) listen: Option<SocketAddr>,
    pub(crate) shards: Option<NonZeroU32>,
    pub(crate) lease: Option<Duration>,
    pub(crate) lanes: Option<NonZeroU16>,
}

/// The only version of an actor type that there is so far.
const TYPE_VERSION: u32 = 1;

/// How many shards a cluster has, unless its first node says otherwise.
const SHARDS: NonZeroU32 = NonZeroU32::new(256).unwrap();

impl ClusterSettings {
    /// The first setting that a node alone has no use for.
    pub(crate) fn any(&self) -> Option<&'static str> {
        [
            (self.listen.is_some(), ".listen(…)"),
            (self.shards.is_some(), ".shards(…)"),
            (self.lease.is_some(), ".lease(…)"),
            (self.lanes.is_some(), ".journal_lanes(…)"),
        ]
        .into_iter()
        .find_map(|(is_set, setting)| is_set.then_some(setting))
    }

    fn config(&self, listen: SocketAddr, actors: &Actors) -> Config {
        let mut config = Config::new(listen).shards(self.shards.unwrap_or(SHARDS));
        for kind in actors.kinds() {
            config = config.actor_type(kind, TYPE_VERSION, Placement::Hash);
        }
        if let Some(lease) = self.lease {
            config = config.lease(lease);
        }
        if let Some(lanes) = self.lanes {
            config = config.lanes(lanes);
        }
        config
    }
}

/// A node's membership, from its start to its end. Dropped, it ends.
#[derive(Debug)]
pub(crate) struct Belonging(Shared);

/// Empty before the first joining and behind the end.
type Shared = Arc<Mutex<Option<Membership>>>;

impl Belonging {
    /// Starts an engine, and joins with it.
    pub(crate) async fn start(
        store: Arc<dyn ClusterStore>,
        actors: Actors,
        settings: Settings,
        cluster: &ClusterSettings,
    ) -> Result<(Engine, Self), StartError> {
        let listen = cluster.listen.ok_or(StartError::NoAddress)?;
        let config = cluster.config(listen, &actors);
        let (engine, member) = Engine::member(actors, settings, cluster.shards.unwrap_or(SHARDS))?;
        let shared = Shared::default();
        let host = Arc::new(EngineHost { member, membership: shared.clone() });
        let membership = Membership::start(store, host, config).await.map_err(|error| {
            let (outcome, retryable) = (error.outcome(), error.is_retryable());
            let error = Error::with_kind(ErrorKind::Node, error).with_outcome(outcome).with_retryable(retryable);
            StartError::Join(error)
        })?;
        *shared.lock() = Some(membership);
        Ok((engine, Belonging(shared)))
    }

    /// Where the node listens.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        self.0.lock().as_ref().map(Membership::address)
    }

    /// Leaves the cluster.
    pub(crate) async fn leave(self) -> Result<(), ShutdownError> {
        let membership = self.0.lock().take();
        let Some(membership) = membership else { return Ok(()) };
        membership.leave().await.map_err(|error| {
            tracing::warn!(%error, "the node could not leave its cluster");
            ShutdownError::NotLeft
        })
    }
}

impl Drop for Belonging {
    fn drop(&mut self) {
        let membership = self.0.lock().take();
        drop(membership);
    }
}

/// What the membership runs: the engine.
struct EngineHost {
    member: Member,
    membership: Shared,
}

impl Host for EngineHost {
    fn begin(&self, incarnation: Incarnation) -> BoxFuture<'_, Result<(), AttachError>> {
        let stores = incarnation.journals.stores().to_vec();
        let asked = Asked { incarnation, membership: self.membership.clone() };
        Box::pin(self.member.begin(stores, Arc::new(asked)))
    }

    fn own(&self, shards: &[(Shard, u64)]) {
        self.member.own(shards);
    }

    fn release<'a>(&'a self, shards: &'a [Shard]) -> BoxFuture<'a, ()> {
        Box::pin(self.member.release(shards))
    }

    fn drop_all(&self, why: dna_cluster::Loss) -> BoxFuture<'_, ()> {
        let loss = match why {
            dna_cluster::Loss::LeaseLapsed => Some(Loss::LeaseLapsed),
            dna_cluster::Loss::Fenced => Some(Loss::Fenced),
            _ => None,
        };
        Box::pin(self.member.drop_all(loss))
    }
}

/// Whom the engine asks during one incarnation.
struct Asked {
    incarnation: Incarnation,
    membership: Shared,
}

impl Authority for Asked {
    fn holds(&self) -> bool {
        self.incarnation.lease.holds()
    }

    fn owner(&self, shard: Shard) -> Option<NodeAddress> {
        let status = self.membership.lock().as_ref()?.status();
        let Status::Member { node, seen } = status else { return None };
        let Owner::Node(owner) = seen.view.owner(shard, node) else { return None };
        Some(NodeAddress::new(owner, seen.view.member(owner)?.address))
    }

    fn lost(&self, _: Loss) {
        self.incarnation.report_fenced();
    }
}
