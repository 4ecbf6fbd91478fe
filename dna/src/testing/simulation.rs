//! A simulation: its settings, and its run.

use std::{
    env, fmt,
    future::Future,
    ops::RangeInclusive,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::Arc,
    time::Duration,
};

use dna_cluster::RoutingRule;
use dna_core::{Actor, MemoryCluster, testing::Rule};
use parking_lot::Mutex;

use super::{
    chance::Chance,
    cluster::{Cluster, Setup},
    network::Net,
    scheduler::Scheduler,
};
use crate::NodeBuilder;

/// Where [`Simulation::from_env`] looks for a seed, and what a test that does so prints when it fails.
const SEED: &str = "DNA_SEED";

/// How much simulated time a run may take, unless it says otherwise.
const LIMIT: Duration = Duration::from_secs(3600);

/// A cluster in simulated time that is to be run. See the [module](super).
#[must_use = "nothing happens before `.run(…)`"]
#[derive(Clone)]
pub struct Simulation {
    seed: u64,
    /// Whether the environment may choose another seed.
    is_from_env: bool,
    nodes: usize,
    setup: Setup,
    without: Option<Missing>,
    latency: RangeInclusive<Duration>,
    database_latency: RangeInclusive<Duration>,
    limit: Duration,
}

/// Declares the rules together with the list of all, so that none is left out of it.
macro_rules! rules {
    ($($(#[$doc:meta])* $rule:ident,)*) => {
        /// A rule that is not kept in a simulation.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum Missing {
            $($(#[$doc])* $rule,)*
        }

        impl Missing {
            /// Every rule.
            pub const ALL: &'static [Missing] = &[$(Missing::$rule),*];
        }
    };
}

rules! {
    /// The database refuses what a node commits from which others have taken over.
    Fence,
    /// A node answers only while its lease holds.
    Lease,
    /// What a dead node has committed and not stored is stored by who takes over.
    Replay,
    /// Replies wait until what they show is committed.
    Gate,
    /// What was sent back once is sent back until its sender begins anew.
    Bounce,
}

impl Simulation {
    /// Three nodes, of which all follows from this seed.
    pub fn seed(seed: u64) -> Self {
        Simulation {
            seed,
            is_from_env: false,
            nodes: 3,
            setup: Arc::new(|builder| builder),
            without: None,
            latency: Duration::from_millis(1)..=Duration::from_millis(4),
            database_latency: Duration::from_millis(2)..=Duration::from_millis(6),
            limit: LIMIT,
        }
    }

    /// As [`seed`](Simulation::seed), with the seed of the environment variable `DNA_SEED` if it is set: so a test that
    /// has failed is run again as it was.
    ///
    /// # Panics
    /// If it is no number.
    pub fn from_env(otherwise: u64) -> Self {
        let seed =
            env::var(SEED).ok().map(|seed| seed.parse().unwrap_or_else(|_| panic!("{SEED}={seed} is no number")));
        Simulation { is_from_env: true, ..Simulation::seed(seed.unwrap_or(otherwise)) }
    }

    /// How many nodes run when the test begins, 3 by default.
    pub fn nodes(mut self, nodes: usize) -> Self {
        self.nodes = nodes;
        self
    }

    /// The nodes serve actors of type `A`.
    pub fn actor<A: Actor>(self) -> Self {
        self.with(NodeBuilder::actor::<A>)
    }

    /// The nodes have these settings, too. Store and address are the simulation's own.
    pub fn with(mut self, set: impl Fn(NodeBuilder) -> NodeBuilder + Send + Sync + 'static) -> Self {
        let before = self.setup;
        self.setup = Arc::new(move |builder| set(before(builder)));
        self
    }

    /// How long bytes take from node to node, 1 to 4 ms by default. Whole milliseconds count.
    pub fn latency(mut self, latency: RangeInclusive<Duration>) -> Self {
        self.latency = latency;
        self
    }

    /// How long the database takes to answer, 2 to 6 ms by default. Whole milliseconds count.
    pub fn database_latency(mut self, latency: RangeInclusive<Duration>) -> Self {
        self.database_latency = latency;
        self
    }

    /// How much simulated time the test may take, an hour by default; it fails if it takes more.
    pub fn within(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Wrong, on purpose: this rule is not kept. A test that is worth something fails then, with some seed.
    pub fn without(mut self, rule: Missing) -> Self {
        self.without = Some(rule);
        self
    }

    /// Runs the test on the cluster, once all its nodes have joined, to the test's end; the nodes end with it.
    ///
    /// # Panics
    /// If the test does, or a node does, outside of its actors. The message ends with how the seed is run again.
    pub fn run<T, F>(self, test: impl FnOnce(Cluster) -> F) -> T
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        let repeats = match self.is_from_env {
            true => format!("{SEED}={}", self.seed),
            false => format!("`Simulation::seed({})`", self.seed),
        };
        // What is torn is dropped: the panic goes on.
        match catch_unwind(AssertUnwindSafe(|| self.run_to_its_end(test))) {
            Ok(output) => output,
            Err(panic) => {
                let repeats = format!("the simulation has failed; {repeats} repeats it");
                // The message itself was printed when it panicked.
                eprintln!("{repeats}");
                let message = panic.downcast_ref::<String>().map(String::as_str);
                match message.or(panic.downcast_ref::<&str>().copied()) {
                    Some(message) => resume_unwind(Box::new(format!("{message}; {repeats}"))),
                    None => resume_unwind(panic),
                }
            }
        }
    }

    fn run_to_its_end<T, F>(self, test: impl FnOnce(Cluster) -> F) -> T
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        let runtime = runtime.expect("a runtime without threads can be made");
        let _inside = runtime.enter();
        let Simulation { seed, nodes, mut setup, without, latency, database_latency, limit, .. } = self;
        let mut chance = Chance::new(seed);
        let scheduler = Scheduler::new(chance.another());
        let net = Net::new(chance.another(), latency);
        let database = match without {
            Some(Missing::Fence) => MemoryCluster::without(Rule::SealedRefuses),
            Some(Missing::Replay) => MemoryCluster::without(Rule::Replay),
            _ => MemoryCluster::new(),
        };
        let without_in_routing = match without {
            Some(Missing::Lease) => Some(RoutingRule::Lease),
            Some(Missing::Bounce) => Some(RoutingRule::Bounce),
            _ => None,
        };
        if without == Some(Missing::Gate) {
            let before = setup;
            setup = Arc::new(move |builder| before(builder).open_gate());
        }
        let cluster = Cluster::new(
            scheduler.clone(),
            net,
            database,
            setup,
            without_in_routing,
            database_latency,
            chance.another(),
        );
        let output = Arc::new(Mutex::new(None));
        let body = {
            let (output, cluster) = (output.clone(), cluster.clone());
            let test = test(cluster.clone());
            async move {
                for _ in 0..nodes {
                    let node = cluster.add();
                    cluster.start(node).await.unwrap_or_else(|error| panic!("node {node} does not start: {error:?}"));
                }
                let ended = tokio::time::timeout(limit, test).await;
                *output.lock() = Some(ended.unwrap_or_else(|_| panic!("the test takes more than {limit:?}")));
            }
        };
        scheduler.spawn_outside(Box::pin(body));
        let is_over = || output.lock().is_some();
        runtime.block_on(tokio::task::unconstrained(scheduler.run(is_over)));
        cluster.end();
        scheduler.end();
        let output = output.lock().take();
        output.expect("it ends when the test has")
    }
}

impl fmt::Debug for Simulation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Simulation").field("seed", &self.seed).field("nodes", &self.nodes).finish_non_exhaustive()
    }
}
