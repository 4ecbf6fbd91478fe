//! What a node says of itself when it starts.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    num::{NonZeroU16, NonZeroU32},
    time::Duration,
};

use crate::{
    limits::{PROBE_AGE_MAX, RELEASE_DEADLINE},
    view::Placement,
};

/// What a node says of itself when it starts, and what it wants the cluster to be like.
#[derive(Debug, Clone)]
pub struct Config {
    pub(crate) listen: SocketAddr,
    pub(crate) advertise: Option<SocketAddr>,
    pub(crate) types: BTreeMap<String, (u32, Placement)>,
    pub(crate) shards: NonZeroU32,
    pub(crate) lease: Duration,
    pub(crate) lanes: NonZeroU16,
    pub(crate) weight: u32,
    pub(crate) release_deadline: Duration,
    pub(crate) probe_age_max: Duration,
    #[cfg(feature = "testing")]
    pub(crate) simulated: bool,
    #[cfg(feature = "testing")]
    pub(crate) seed: Option<u64>,
    #[cfg(feature = "testing")]
    pub(crate) network: Option<std::sync::Arc<dyn dna_transport::Network>>,
    #[cfg(feature = "testing")]
    pub(crate) stood_still: std::sync::Arc<std::sync::atomic::AtomicU64>,
}

/// How many shards a cluster has, unless its first node says otherwise.
const SHARDS: NonZeroU32 = NonZeroU32::new(256).unwrap();

/// The share of the shards that a node takes, unless it says otherwise.
const WEIGHT: u32 = 100;

/// How long a lease is, unless the first node says otherwise.
const LEASE: Duration = Duration::from_secs(3);

impl Config {
    /// A node that listens on this address, which no other process may listen on; port 0 takes a free one.
    pub fn new(listen: SocketAddr) -> Self {
        Config {
            listen,
            advertise: None,
            types: BTreeMap::new(),
            shards: SHARDS,
            lease: LEASE,
            lanes: NonZeroU16::MIN,
            weight: WEIGHT,
            release_deadline: RELEASE_DEADLINE,
            probe_age_max: PROBE_AGE_MAX,
            #[cfg(feature = "testing")]
            simulated: false,
            #[cfg(feature = "testing")]
            seed: None,
            #[cfg(feature = "testing")]
            network: None,
            #[cfg(feature = "testing")]
            stood_still: std::sync::Arc::default(),
        }
    }

    /// Where the other nodes reach it, if that is not where it listens: behind address translation, or where it listens on
    /// all addresses of the machine. Started again it has to wait for its former lease then, as on another machine: only
    /// the address that it is bound to proves that the former process is gone.
    #[must_use]
    pub fn advertise(mut self, address: SocketAddr) -> Self {
        self.advertise = Some(address);
        self
    }

    /// It knows this actor type, in this version, placed like this. All nodes must place a type alike.
    #[must_use]
    pub fn actor_type(mut self, kind: impl Into<String>, version: u32, placement: Placement) -> Self {
        self.types.insert(kind.into(), (version, placement));
        self
    }

    /// The number of shards, 256 by default. All nodes must say the same.
    #[must_use]
    pub fn shards(mut self, shards: NonZeroU32) -> Self {
        self.shards = shards;
        self
    }

    /// How long a node may answer after its last heartbeat, 3 s by default. All nodes must say the same.
    #[must_use]
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    /// How many journals the node has, 1 by default, and [`JOURNAL_LANES_MAX`](dna_core::limits::JOURNAL_LANES_MAX) at the
    /// most.
    #[must_use]
    pub fn lanes(mut self, lanes: NonZeroU16) -> Self {
        self.lanes = lanes;
        self
    }

    /// Its share of the shards that are given away, relative to that of the others, 100 by default. With 0 it takes only
    /// what nobody else can.
    #[must_use]
    pub fn weight(mut self, weight: u32) -> Self {
        self.weight = weight;
        self
    }

    /// How long what it runs has to end when it leaves, 30 s by default; and how long each step of leaving may take then.
    /// When a shard moves to another node, what runs for it has less at first, and this at the most.
    #[must_use]
    pub fn release_deadline(mut self, deadline: Duration) -> Self {
        self.release_deadline = deadline;
        self
    }

    /// How long the main runtime may stand still before the node stops to beat, 10 s by default.
    #[cfg(feature = "testing")]
    #[must_use]
    pub fn probe_age_max(mut self, age: Duration) -> Self {
        self.probe_age_max = age;
        self
    }

    /// Takes the clock of the tokio runtime, which tests stop and advance, for that of the system, and starts no thread.
    #[cfg(feature = "testing")]
    #[must_use]
    pub fn simulated(mut self) -> Self {
        self.simulated = true;
        self
    }

    /// Takes the ids of this node from this seed, so that a run can be repeated. Two nodes of one cluster need two.
    #[cfg(feature = "testing")]
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Listens on this network instead of that of the system.
    #[cfg(feature = "testing")]
    #[must_use]
    pub fn network(mut self, network: std::sync::Arc<dyn dna_transport::Network>) -> Self {
        self.network = Some(network);
        self
    }

    /// The simulated clock has stood still for so many milliseconds, now or later: outside of what leases assume.
    #[cfg(feature = "testing")]
    #[must_use]
    pub fn stood_still(mut self, millis: std::sync::Arc<std::sync::atomic::AtomicU64>) -> Self {
        self.stood_still = millis;
        self
    }
}
