//! A node of a cluster: tells the engine what the membership says, and the membership what the engine meets.

use std::{
    net::SocketAddr,
    num::{NonZeroU16, NonZeroU32},
    sync::Arc,
    time::Duration,
};

use dna_cluster::{Config, MemberInfo, Members, MembersWatch, Membership, Owner, Routing};
use dna_core::{
    Actor, ActorName, Actors, ClusterStore, Engine, Error, ErrorKind, Member, NameError, NodeAddress, Placement,
    Settings, Shard, ShutdownError, StartError,
};
use dna_transport::Security;
use parking_lot::Mutex;

/// What a node says of itself to its cluster, beside its actor types.
#[derive(Debug, Clone, Default)]
pub(crate) struct ClusterSettings {
    pub(crate) listen: Option<SocketAddr>,
    pub(crate) advertise: Option<SocketAddr>,
    pub(crate) security: Option<Security>,
    pub(crate) shards: Option<NonZeroU32>,
    pub(crate) lease: Option<Duration>,
    pub(crate) lanes: Option<NonZeroU16>,
    pub(crate) weight: Option<u32>,
    /// What takes the place of the system, and the seed of the node's ids.
    #[cfg(feature = "testing")]
    pub(crate) simulated: Option<(dna_cluster::Simulated, u64)>,
}

/// How many shards a cluster has, unless its first node says otherwise.
const SHARDS: NonZeroU32 = NonZeroU32::new(256).unwrap();

/// What tells the cluster's connections from others. A keyspace is one cluster, and nodes know each other by their ids.
const CLUSTER: &str = "dna";

impl ClusterSettings {
    /// The first setting that a node alone has no use for.
    pub(crate) fn any(&self) -> Option<&'static str> {
        [
            (self.listen.is_some(), ".listen(…)"),
            (self.advertise.is_some(), ".advertise(…)"),
            (self.security.is_some(), ".security(…)"),
            (self.shards.is_some(), ".shards(…)"),
            (self.lease.is_some(), ".lease(…)"),
            (self.lanes.is_some(), ".journal_lanes(…)"),
            (self.weight.is_some(), ".weight(…)"),
        ]
        .into_iter()
        .find_map(|(is_set, setting)| is_set.then_some(setting))
    }

    fn config(&self, listen: SocketAddr, actors: &Actors, settings: &Settings) -> Config {
        let mut config = Config::new(listen).shards(self.shards.unwrap_or(SHARDS));
        config = config.release_deadline(settings.shutdown_timeout);
        for (kind, options) in actors.types() {
            config = config.actor_type(kind, options.version, options.placement);
        }
        if let Some(address) = self.advertise {
            config = config.advertise(address);
        }
        if let Some(lease) = self.lease {
            config = config.lease(lease);
        }
        if let Some(lanes) = self.lanes {
            config = config.lanes(lanes);
        }
        if let Some(weight) = self.weight {
            config = config.weight(weight);
        }
        #[cfg(feature = "testing")]
        if let Some((simulated, ids)) = &self.simulated {
            config = config.simulated().seed(*ids).network(simulated.network.clone());
            config = config.stood_still(simulated.stood_still.clone());
        }
        config
    }
}

impl ClusterSettings {
    fn routing(&self, member: Member, security: Security) -> Option<Arc<Routing>> {
        let shards = self.shards.unwrap_or(SHARDS);
        #[cfg(feature = "testing")]
        if let Some((simulated, _)) = &self.simulated {
            return Routing::simulated(member, shards, CLUSTER, security, simulated.clone());
        }
        Routing::new(member, shards, CLUSTER, security)
    }
}

/// A node's membership, from its start to its end. Dropped, it ends.
#[derive(Debug)]
pub(crate) struct Belonging {
    membership: Shared,
    namespace: Arc<str>,
    shutdown_timeout: Duration,
}

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
        let security = cluster.security.clone().unwrap_or_default();
        if security.is_none() && !listen.ip().to_canonical().is_loopback() {
            return Err(StartError::Insecure { address: listen });
        }
        let config = cluster.config(listen, &actors, &settings);
        let (namespace, shutdown_timeout) = (settings.namespace.clone(), settings.shutdown_timeout);
        let (engine, member) = Engine::member(actors, settings, cluster.shards.unwrap_or(SHARDS))?;
        let routing = cluster.routing(member, security);
        let host = routing.ok_or(StartError::NoRuntime)?;
        let membership = Membership::start(store, host, config).await.map_err(|error| {
            let (outcome, retryable) = (error.outcome(), error.is_retryable());
            let error = Error::with_kind(ErrorKind::Node, error).with_outcome(outcome).with_retryable(retryable);
            StartError::Join(error)
        })?;
        engine.place_through(membership.directory());
        let membership = Arc::new(Mutex::new(Some(membership)));
        Ok((engine, Belonging { membership, namespace, shutdown_timeout }))
    }

    /// Asks the membership, which is there until the node leaves.
    fn ask<T>(&self, ask: impl FnOnce(&Membership) -> T) -> Option<T> {
        self.membership.lock().as_ref().map(ask)
    }

    /// Where the node listens.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        self.ask(Membership::address)
    }

    /// The members, as the node has seen them last.
    pub(crate) fn members(&self) -> Vec<MemberInfo> {
        self.ask(|membership| membership.members().all()).unwrap_or_default()
    }

    /// Follows the members.
    pub(crate) fn watch(&self) -> Option<MembersWatch> {
        self.ask(Membership::watch)
    }

    /// Where a name is served.
    pub(crate) fn whereis<A: Actor>(&self, engine: &Engine, name: Arc<str>) -> Result<Location, NameError> {
        let name = ActorName::new(self.namespace.clone(), A::KIND, name)?;
        let Some(members) = self.ask(Membership::members) else { return Ok(Location::Nowhere) };
        let shard = match members.placement(A::KIND).unwrap_or(A::OPTIONS.placement) {
            Placement::Hash => members.shard_of(&name),
            _ => match engine.placed(&name) {
                Some(shard) => Some(shard),
                None => return Ok(Location::Unknown),
            },
        };
        Ok(shard.map_or(Location::Nowhere, |shard| located(&members, shard)))
    }

    /// Gives a shard to another node.
    #[cfg(feature = "testing")]
    pub(crate) fn give_away(&self, shard: Shard, to: dna_core::NodeId) {
        self.ask(|membership| membership.give_away(shard, to));
    }

    /// Gives everything away.
    pub(crate) async fn drain(&self) {
        let drained = self.ask(Membership::drain);
        if let Some(drained) = drained {
            // Only a node that has left cannot, and it has nothing.
            let _ = drained.await;
        }
    }

    /// Gives everything away, in the time that a shutdown has for that.
    pub(crate) async fn drain_in_time(&self) {
        let drained = self.ask(|membership| membership.drain_within(self.shutdown_timeout));
        if let Some(drained) = drained
            && !drained.await
        {
            tracing::warn!("not everything could be given away within {:?}", self.shutdown_timeout);
        }
    }

    /// Leaves the cluster.
    pub(crate) async fn leave(self) -> Result<(), ShutdownError> {
        let membership = self.membership.lock().take();
        let Some(membership) = membership else { return Ok(()) };
        membership.leave().await.map_err(|error| {
            tracing::warn!(%error, "the node could not leave its cluster");
            ShutdownError::NotLeft
        })
    }
}

impl Drop for Belonging {
    fn drop(&mut self) {
        let membership = self.membership.lock().take();
        drop(membership);
    }
}

/// Where a name is served, as far as a node knows. By the time that somebody goes there it may have moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Location {
    /// On this node.
    Here,
    /// On another node of the cluster.
    There(NodeAddress),
    /// On none that this node knows of: no node owns the name, or this one is about to join its cluster.
    Nowhere,
    /// Not known here: its type is placed `local`, and this node has not called it, nor served it, or has forgotten where
    /// it is. A call finds it out, or places it.
    Unknown,
}

fn located(members: &Members, shard: Shard) -> Location {
    match members.owner(shard) {
        Owner::Own { .. } => Location::Here,
        Owner::Node(node) => match members.address(node) {
            Some(address) => Location::There(NodeAddress::new(node, address)),
            None => Location::Nowhere,
        },
        Owner::Nobody => Location::Nowhere,
    }
}
