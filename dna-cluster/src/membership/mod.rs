//! A membership: this process as a node of a cluster, from its first joining to its leave, under one id after the other.
//! Only does what [`decide`](crate::decide) says.

mod asked;
mod deaths;
mod driver;
mod join;
mod leave;
mod moves;
mod source;
mod tenure;
mod watch;

use std::{
    future::Future,
    io,
    net::{SocketAddr, TcpListener},
    sync::Arc,
    time::Duration,
};

use dna_core::{ClusterStore, Directory, NodeId, Shard};
use tokio::sync::{oneshot, watch as channel};

use self::{
    asked::Asked,
    driver::{Driver, Leaving},
};
pub(crate) use self::{driver::either, source::ViewSource};
use crate::{
    config::Config,
    decide::{beat_interval, gone_from_this_address},
    error::{LeaveError, StartError},
    host::Host,
    limits::SAME_ADDRESS_TAKEOVER_MAX,
    members::{Members, MembersWatch},
    meter,
    names::Names,
    register::Register,
    seam::{self, Seam, Socket},
    view::{Machine, Owner, Seen, Settings},
};

/// This process as a node of a cluster.
///
/// It joins when it is started; beats, watches the others and takes over from the dead; gives shards to newcomers that
/// they belong to; joins again under a new id when it has lost its membership; and leaves when it is told to. Dropped
/// without [`leave`](Membership::leave) it just ends, and the others take over once its lease has run out.
#[derive(Debug)]
pub struct Membership {
    address: SocketAddr,
    status: channel::Receiver<Status>,
    asked: Arc<Asked>,
    leaving: Option<oneshot::Sender<Leaving>>,
    listener: Arc<Socket>,
    names: Names,
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

impl Status {
    /// Whether it is a member that takes no shards, and has none.
    fn is_drained(&self) -> bool {
        let Status::Member { node, seen } = self else { return false };
        let drains = seen.view.member(*node).is_some_and(|member| !member.is_active());
        drains && seen.view.shards_of(*node).next().is_none()
    }

    /// Whether it has taken over from whoever had its address before.
    fn has_its_address_alone(&self) -> bool {
        let Status::Member { node, seen } = self else { return true };
        seen.view.member(*node).is_none_or(|me| gone_from_this_address(&seen.view, me).is_empty())
    }
}

impl Membership {
    /// Joins the cluster of this store, or begins it, and runs `host` on the shards that this process comes to own.
    ///
    /// Call it within the tokio runtime on which everything is to run. The heartbeats have a thread of their own.
    ///
    /// Where it is the same process started again, on the address that it had before, it has taken over from itself when
    /// this ends, unless that takes longer than [`SAME_ADDRESS_TAKEOVER_MAX`]: then it goes on with that.
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
        meter::describe();
        let reached_at = config.advertise.unwrap_or(config.listen);
        if reached_at.ip().is_unspecified() || (config.advertise.is_some() && reached_at.port() == 0) {
            return Err(StartError::Unreachable { address: reached_at });
        }
        let in_use = |error| StartError::Address { address: config.listen, error };
        let (listener, bound) = Socket::listen(&config).await.map_err(in_use)?;
        let address = config.advertise.unwrap_or(bound);
        let listener = Arc::new(listener);
        let settings = Settings {
            shards: config.shards,
            agreement: store.agreement(),
            lease: config.lease,
            placements: config.types.iter().map(|(kind, (_, placement))| (kind.clone(), *placement)).collect(),
        };
        let (status_sender, status) = channel::channel(Status::Joining);
        let asked = Arc::new(Asked::default());
        let names = Names::new(store.clone(), ViewSource::new(asked.clone(), status.clone(), address));
        let node = Node {
            register: Register::new(store.clone(), beat_interval(config.lease) / SWAPS_PER_BEAT),
            seam: seam.clone(),
            store,
            host,
            config,
            settings,
            address,
            machine: if address == bound { Machine::of_this_process() } else { None },
            listener: listener.clone(),
        };
        let mut driver = Driver::new(node, asked.clone(), status_sender);
        driver.join().await?;
        let (leaving, receiver) = oneshot::channel();
        seam.spawn(driver.run(receiver));
        let membership = Membership { address, status, asked, leaving: Some(leaving), listener, names };
        let is_alone = membership.wait_until(Status::has_its_address_alone);
        if seam::within(SAME_ADDRESS_TAKEOVER_MAX, is_alone).await.is_none() {
            tracing::warn!(%address, "the takeover from the process that had this address before takes long");
        }
        Ok(membership)
    }

    /// Where the other members reach this process.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The socket that this process listens on, which nobody else can bind; nobody accepts on it here. A clone: drop it no
    /// later than the membership ends, since the others take a node for gone whose address can be bound.
    ///
    /// # Errors
    /// Where the system has no more file descriptors.
    pub fn listener(&self) -> io::Result<TcpListener> {
        self.listener.try_clone()
    }

    /// Where the names of the cluster are placed. It keeps the store, and nothing of the membership.
    pub fn directory(&self) -> Arc<dyn Directory> {
        Arc::new(self.names.clone())
    }

    /// The cluster as this process has seen it last.
    pub fn members(&self) -> Members {
        Members::of(&self.status.borrow())
    }

    /// Follows the cluster as this process sees it.
    pub fn watch(&self) -> MembersWatch {
        MembersWatch::new(self.status.clone())
    }

    /// Has the view read now, because a newer one is said to be there, and waits until one of at least this version is
    /// known, or the read has ended without it: a version that does not exist is not waited for, nor is a database that is
    /// away, nor that this process is a member again. What is known then. Many who ask at once cause one read.
    ///
    /// # Cancel safety
    /// Safe: the view is read all the same.
    pub fn refresh(&self, version: u64) -> impl Future<Output = Members> + Send + use<> {
        let source = ViewSource::new(self.asked.clone(), self.status.clone(), self.address);
        async move { source.refresh(version).await }
    }

    /// Has this process give a shard to another member, wherever it belongs; that one gives it back, if it belongs here and
    /// the members have been the same for a while. Nothing happens if the shard is not its own by then.
    #[cfg(feature = "testing")]
    pub fn give_away(&self, shard: Shard, to: NodeId) {
        self.asked.want_move(shard, to);
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

    /// Who owns a shard, by the last view that was read. Nobody while this process is no member. A shard that this process
    /// is just giving away is its own until that is done, though it serves it no more.
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

    /// Takes no more shards from now on, and gives away all that it has, batch by batch; ends when it has none. It stays a
    /// member that serves nothing, also where it has to join again, until it [leaves](Membership::leave). What no active
    /// member can take is nobody's until one joins. An actor that does not end keeps its shard here, served in between
    /// tries: who has no patience leaves.
    ///
    /// # Errors
    /// [`LeaveError::NotAMember`] where it has left.
    ///
    /// # Cancel safety
    /// Dropping it cancels nothing: once polled, the node drains.
    pub fn drain(&self) -> impl Future<Output = Result<(), LeaveError>> + Send + use<> {
        let (asked, mut status) = (self.asked.clone(), self.status.clone());
        async move {
            asked.drain();
            let is_over = |status: &Status| status.is_drained() || matches!(status, Status::Left);
            let is_drained = status.wait_for(is_over).await.is_ok_and(|status| status.is_drained());
            if is_drained { Ok(()) } else { Err(LeaveError::NotAMember) }
        }
    }

    /// [Drains](Membership::drain) for so long at the most; whether it has no shards then. It goes on draining if it has.
    ///
    /// # Cancel safety
    /// As that of [`drain`](Membership::drain).
    pub fn drain_within(&self, deadline: Duration) -> impl Future<Output = bool> + Send + use<> {
        let drained = self.drain();
        async move { matches!(seam::within(deadline, drained).await, Some(Ok(()))) }
    }

    /// Leaves the cluster: gives the shards away batch by batch, as [`drain`](Membership::drain) does, for as long as
    /// [`release_deadline`](Config::release_deadline) says; ends what still runs; and goes. Whatever it still owns then
    /// goes to the others with it.
    ///
    /// # Errors
    /// [`LeaveError`]. What ran has ended all the same, and the others take over once the lease has run out.
    ///
    /// # Cancel safety
    /// Dropping it cancels nothing: the node still leaves.
    pub async fn leave(mut self) -> Result<(), LeaveError> {
        let (answer, left) = oneshot::channel();
        self.asked.drain();
        if let Some(leaving) = self.leaving.take() {
            // A driver that is gone answers nothing, and this is told below.
            let _ = leaving.send(answer);
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
    listener: Arc<Socket>,
}

#[cfg(feature = "testing")]
fn seam_for(config: &Config) -> Option<Seam> {
    let seam = Seam::current()?;
    let seam = if config.simulated { seam.stood_still(config.stood_still.clone()) } else { seam };
    Some(match config.seed {
        Some(seed) => seam.with_seed(seed),
        None => seam,
    })
}

#[cfg(not(feature = "testing"))]
fn seam_for(_: &Config) -> Option<Seam> {
    Seam::current()
}
