//! What takes the place of the system for routing in a simulation, and the rules that a test can take out of it.

use std::sync::{Arc, atomic::AtomicU64};

use dna_transport::{Config, Network, testing::Spawner};

/// What takes the place of the system in a simulation.
#[derive(Debug, Clone)]
pub struct Simulated {
    /// Makes the sockets.
    pub network: Arc<dyn Network>,
    /// Where the randomness of reconnects starts.
    pub seed: u64,
    /// For how many milliseconds the machine's clock has stood still, now or later.
    pub stood_still: Arc<AtomicU64>,
    /// Runs the tasks of the process's connections.
    pub spawner: Spawner,
    /// A rule that is not kept, to see that a test misses it.
    pub without: Option<RoutingRule>,
}

/// A rule that routing keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RoutingRule {
    /// Nothing leaves without a lease.
    Lease,
    /// What was bounced once is bounced until its sender opens the stream anew.
    Bounce,
}

impl Simulated {
    pub(super) fn apply(&self, config: &mut Config) {
        config.network = self.network.clone();
        config.seed = Some(self.seed);
        config.spawner = Some(self.spawner.clone());
    }
}
