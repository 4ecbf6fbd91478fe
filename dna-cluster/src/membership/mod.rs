//! A membership: this process as a node of a cluster, from its first joining to its leave, under one id after the other.
//! Only does what [`decide`](crate::decide) says.

mod driver;
mod join;
mod leave;
mod watch;

use std::{
    net::{SocketAddr, TcpListener},
    sync::Arc,
};

use dna_core::{ClusterStore, NodeId, Shard};
use tokio::sync::{oneshot, watch as channel};

use self::driver::{Driver, Request};
use crate::{
    config::Config,
    decide::beat_interval,
    error::{LeaveError, StartError},
    host::Host,
    register::Register,
    seam::{self, Seam},
    view::{Machine, Owner, Seen, Settings},
};

/// This process as a node of a cluster.
///
/// It joins when it is started; beats, watches the others and takes over from the dead; joins again under a new id when
/// it has lost its membership; and leaves when it is told to. Dropped without [`leave`](Membership::leave) it just ends,
/// and the others take over once its lease has run out.
#[derive(Debug)]
pub struct Membership {
    address: SocketAddr,
    status: channel::Receiver<Status>,
    requests: Option<oneshot::Sender<Request>>,
}

/// What a membership is at present.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Status {
    /// A member, under this id, with this view as the last one that it has read.
    Member {
        /// Its id.
        node: NodeId,
        /// The view.
        seen: Arc<Seen>,
    },
    /// No member: it has lost its membership and joins again as soon as it can.
    Joining,
    /// No member any more: it has left.
    Left,
}

impl Membership {
    /// Joins the cluster of this store, or begins it, and runs `host` on the shards that this process comes to own.
    ///
    /// Call it within the tokio runtime on which everything is to run. The heartbeats have a thread of their own.
    ///
    /// # Errors
    /// [`StartError`]; nothing is left running then.
    ///
    /// # Cancel safety
    /// If it is dropped the process may have become a member, without anybody behind it: the others take over from it
    /// once its lease has run out.
    pub async fn start(
        store: Arc<dyn ClusterStore>,
        host: Arc<dyn Host>,
        config: Config,
    ) -> Result<Membership, StartError> {
        let seam = seam_for(&config).ok_or(StartError::NoRuntime)?;
        let in_use = |error| StartError::Address { address: config.listen, error };
        let (listener, address) = seam::listen(config.listen).map_err(in_use)?;
        let settings = Settings {
            shards: config.shards,
            agreement: store.agreement(),
            lease: config.lease,
            placements: config.types.iter().map(|(kind, (_, placement))| (kind.clone(), *placement)).collect(),
        };
        let (status_sender, status) = channel::channel(Status::Joining);
        let node = Node {
            register: Register::new(store.clone(), beat_interval(config.lease) / SWAPS_PER_BEAT),
            seam: seam.clone(),
            store,
            host,
            config,
            settings,
            address,
            machine: Machine::of_this_process(),
            _listener: listener,
        };
        let mut driver = Driver::new(node, status_sender);
        driver.join().await?;
        let (requests, receiver) = oneshot::channel();
        seam.spawn(driver.run(receiver));
        Ok(Membership { address, status, requests: Some(requests) })
    }

    /// Where this process listens, as the other members see it.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it is at present.
    pub fn status(&self) -> Status {
        self.status.borrow().clone()
    }

    /// Its id, while it is a member.
    pub fn node(&self) -> Option<NodeId> {
        match &*self.status.borrow() {
            Status::Member { node, .. } => Some(*node),
            _ => None,
        }
    }

    /// Who owns a shard, by the last view that was read. Nobody while this process is no member.
    pub fn owner(&self, shard: Shard) -> Owner {
        match &*self.status.borrow() {
            Status::Member { node, seen } => seen.view.owner(shard, *node),
            _ => Owner::Nobody,
        }
    }

    /// Waits until it is as `is` wants it, and says what it is then.
    ///
    /// # Cancel safety
    /// Safe: waiting changes nothing.
    pub async fn wait_until(&self, is: impl FnMut(&Status) -> bool) -> Status {
        let mut status = self.status.clone();
        // Once the sender is gone nothing changes any more.
        let found = status.wait_for(is).await.map(|status| status.clone());
        found.unwrap_or_else(|_| self.status())
    }

    /// Leaves the cluster: ends what runs, gives the shards to the others, and goes.
    ///
    /// # Errors
    /// [`LeaveError`]. What ran has ended all the same, and the others take over once the lease has run out.
    ///
    /// # Cancel safety
    /// Dropping it cancels nothing: the node still leaves.
    pub async fn leave(mut self) -> Result<(), LeaveError> {
        let (answer, left) = oneshot::channel();
        if let Some(requests) = self.requests.take() {
            // A driver that is gone answers nothing, and this is told below.
            let _ = requests.send(Request::Leave(answer));
        }
        left.await.unwrap_or(Err(LeaveError::NotAMember))
    }
}

/// How often a swap without an answer is sent in the time between two heartbeats.
const SWAPS_PER_BEAT: u32 = 10;

/// What is the same for all incarnations of a process.
struct Node {
    register: Register,
    seam: Seam,
    store: Arc<dyn ClusterStore>,
    host: Arc<dyn Host>,
    config: Config,
    settings: Settings,
    address: SocketAddr,
    machine: Option<Machine>,
    /// Tells others on this machine, as long as it is there, that something may still run here.
    _listener: TcpListener,
}

#[cfg(feature = "testing")]
fn seam_for(config: &Config) -> Option<Seam> {
    if config.simulated { Seam::simulated() } else { Seam::current() }
}

#[cfg(not(feature = "testing"))]
fn seam_for(_: &Config) -> Option<Seam> {
    Seam::current()
}
