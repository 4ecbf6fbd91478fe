//! The cluster of a simulation, as a test sees it.

use std::{
    fmt,
    future::Future,
    net::SocketAddr,
    ops::RangeInclusive,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use dna_cluster::{RoutingRule, Simulated};
use dna_core::{Actor, MemoryCluster, ShutdownError, StartError, testing::Spawner as _};
use dna_transport::testing::Spawner;
use parking_lot::Mutex;
use tokio::{sync::oneshot, time::Instant};

use super::{
    chance::Chance,
    database::{Access, Database},
    network::{Host, Net},
    scheduler::{Process, Scheduler, Trace},
};
use crate::{Node, NodeBuilder};

/// The port of the first node.
const FIRST_PORT: u16 = 7001;

/// What every node is made of.
pub(super) type Setup = Arc<dyn Fn(NodeBuilder) -> NodeBuilder + Send + Sync>;

/// The cluster of a [`Simulation`](super::Simulation). A clone is the same one. Its nodes are numbered from 0.
///
/// # Panics
/// Its methods panic where there is no node of that number, or where it does not run and would have to.
#[derive(Clone)]
pub struct Cluster(Arc<Shared>);

struct Shared {
    scheduler: Scheduler,
    net: Net,
    database: MemoryCluster,
    setup: Setup,
    without: Option<RoutingRule>,
    database_latency: RangeInclusive<Duration>,
    state: Mutex<State>,
}

struct State {
    chance: Chance,
    nodes: Vec<Slot>,
}

/// A machine, on which a node runs or not.
struct Slot {
    address: SocketAddr,
    access: Arc<Mutex<Access>>,
    process: Option<Arc<Process>>,
    node: Option<Arc<Node>>,
    clock: MachineClock,
}

/// The clock of a machine, by which leases are counted there.
#[derive(Default)]
struct MachineClock {
    /// For how many milliseconds it has stood still.
    stood_still: Arc<AtomicU64>,
    /// Since when it does.
    stands_since: Option<Instant>,
}

/// Why a node did not start.
#[derive(Debug)]
#[non_exhaustive]
pub enum NotStarted {
    /// It could not.
    Failed(StartError),
    /// It was killed meanwhile.
    Killed,
}

impl Cluster {
    pub(super) fn new(
        scheduler: Scheduler,
        net: Net,
        database: MemoryCluster,
        setup: Setup,
        without: Option<RoutingRule>,
        database_latency: RangeInclusive<Duration>,
        chance: Chance,
    ) -> Self {
        let state = Mutex::new(State { chance, nodes: Vec::new() });
        Cluster(Arc::new(Shared { scheduler, net, database, setup, without, database_latency, state }))
    }

    /// One more machine, on which nothing runs yet: the number of its node, which [`start`](Cluster::start) starts.
    pub fn add(&self) -> usize {
        let mut state = self.0.state.lock();
        let number = state.nodes.len();
        let port = FIRST_PORT + u16::try_from(number).expect("there are fewer nodes than ports");
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let access = Access::new(state.chance.another(), self.0.database_latency.clone());
        let access = Arc::new(Mutex::new(access));
        state.nodes.push(Slot { address, access, process: None, node: None, clock: MachineClock::default() });
        self.0.net.place(number, address);
        number
    }

    /// How many nodes there are, whether they run or not.
    #[must_use]
    pub fn nodes(&self) -> usize {
        self.0.state.lock().nodes.len()
    }

    fn with<T>(&self, node: usize, run: impl FnOnce(&mut Slot) -> T) -> T {
        let mut state = self.0.state.lock();
        let count = state.nodes.len();
        run(state.nodes.get_mut(node).unwrap_or_else(|| panic!("there is no node {node}, but {count} from 0")))
    }

    fn process(&self, node: usize) -> Option<Arc<Process>> {
        self.with(node, |slot| slot.process.clone())
    }

    fn running(&self, node: usize) -> (Arc<Process>, Arc<Node>) {
        let running = self.with(node, |slot| slot.process.clone().zip(slot.node.clone()));
        running.unwrap_or_else(|| panic!("node {node} does not run"))
    }

    /// Starts a node, as a new process on its old address, in the place of the one that runs there, if one does.
    ///
    /// # Errors
    /// [`NotStarted`]. The process is gone.
    pub async fn start(&self, node: usize) -> Result<(), NotStarted> {
        self.kill(node);
        let process = self.0.scheduler.process();
        let (seeds, address, link, stood_still) = {
            let seeds = {
                let mut state = self.0.state.lock();
                [state.chance.number(), state.chance.number()]
            };
            self.with(node, |slot| {
                slot.process = Some(process.clone());
                slot.clock = MachineClock::default();
                let link = slot.access.lock().connect(&self.0.database);
                (seeds, slot.address, link, slot.clock.stood_still.clone())
            })
        };
        let spawning = process.clone();
        let simulated = Simulated {
            network: Arc::new(Host { net: self.0.net.clone(), host: node }),
            seed: seeds[0],
            stood_still,
            spawner: Spawner::new(move |task| spawning.spawn(task)),
            without: self.0.without,
        };
        let builder = (self.0.setup)(Node::builder()).store(link).listen(address).simulated(simulated, seeds[1]);
        match self.run_in(&process, async move { builder.start().await }).await {
            Some(Ok(started)) => {
                let is_current = |slot: &Slot| slot.process.as_ref().is_some_and(|now| Arc::ptr_eq(now, &process));
                let is_kept = self.with(node, |slot| is_current(slot) && slot.node.is_none());
                if !is_kept {
                    return Err(NotStarted::Killed);
                }
                self.with(node, |slot| slot.node = Some(Arc::new(started)));
                Ok(())
            }
            Some(Err(error)) => {
                process.end();
                Err(NotStarted::Failed(error))
            }
            None => Err(NotStarted::Killed),
        }
    }

    fn run_in<T: Send + 'static>(
        &self,
        process: &Arc<Process>,
        future: impl Future<Output = T> + Send + 'static,
    ) -> Running<T> {
        let (sender, receiver) = oneshot::channel();
        process.spawn(Box::pin(async move {
            // Who started it may not want to know.
            let _ = sender.send(future.await);
        }));
        Running(receiver)
    }

    /// Whether a node runs: it was started, and neither killed nor shut down.
    #[must_use]
    pub fn runs(&self, node: usize) -> bool {
        self.with(node, |slot| slot.node.is_some())
    }

    /// Ends the process of a node at once, as `kill -9` does: nothing of it runs any more. Its connections are closed, as
    /// the system does it, and what it has sent to the database is still applied. Nothing happens if it does not run.
    pub fn kill(&self, node: usize) {
        let (process, running) = self.with(node, |slot| (slot.process.take(), slot.node.take()));
        if let Some(process) = process {
            process.end();
        }
        drop(running);
    }

    /// Stops the process of a node, as `SIGSTOP` does: the time goes on without it. So do calls that the test makes through
    /// it, as soon as it is resumed.
    pub fn pause(&self, node: usize) {
        if let Some(process) = self.process(node) {
            process.pause();
        }
    }

    /// As [`pause`](Cluster::pause), but the clock of the machine stands still, too, as that of a virtual machine does that is
    /// stopped. That is outside of what leases assume: what such a node answers from memory may be old for a moment when it
    /// is resumed. What it writes is refused all the same.
    pub fn suspend(&self, node: usize) {
        self.pause(node);
        self.with(node, |slot| _ = slot.clock.stands_since.get_or_insert_with(Instant::now));
    }

    /// Has a node go on that was paused.
    pub fn resume(&self, node: usize) {
        self.with(node, |slot| {
            if let Some(since) = slot.clock.stands_since.take() {
                let millis = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
                slot.clock.stood_still.fetch_add(millis, Ordering::SeqCst);
            }
        });
        if let Some(process) = self.process(node) {
            process.resume();
        }
    }

    /// Has a node give all its names away and leave.
    ///
    /// # Errors
    /// Those of [`Node::shutdown`]; `None` where it was killed meanwhile.
    pub async fn shutdown(&self, node: usize) -> Option<Result<(), ShutdownError>> {
        let (process, running) = self.running(node);
        self.with(node, |slot| slot.node = None);
        let ended = self.run_in(&process, async move {
            let mut running = running;
            loop {
                match Arc::try_unwrap(running) {
                    Ok(node) => return node.shutdown().await,
                    // Somebody drains it, or makes a client: they end.
                    Err(shared) => running = shared,
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        });
        let ended = ended.await;
        process.end();
        self.with(node, |slot| {
            if slot.process.as_ref().is_some_and(|now| Arc::ptr_eq(now, &process)) {
                slot.process = None;
            }
        });
        ended
    }

    /// Has a node give all its names away, as [`Node::drain`] does. `false`: it was killed meanwhile.
    pub async fn drain(&self, node: usize) -> bool {
        let (process, running) = self.running(node);
        self.run_in(&process, async move { running.drain().await }).await.is_some()
    }

    /// A client of an actor through a node, as a program in that node's process has one. What it calls goes on when the node
    /// is paused or killed: what is to stop with it, [runs on it](Cluster::spawn).
    #[must_use]
    pub fn client<A: Actor>(&self, node: usize, name: impl Into<Arc<str>>) -> A::Client {
        self.running(node).1.client::<A>(name)
    }

    /// Asks a running node.
    pub fn node<T>(&self, node: usize, ask: impl FnOnce(&Node) -> T) -> T {
        ask(&self.running(node).1)
    }

    /// Runs a part of the test in the process of a node: it stands still with that, and ends with it.
    pub fn spawn<T: Send + 'static>(
        &self,
        node: usize,
        future: impl Future<Output = T> + Send + 'static,
    ) -> Running<T> {
        let process = self.process(node).unwrap_or_else(|| panic!("node {node} does not run"));
        self.run_in(&process, future)
    }

    /// Runs a part of the test beside the rest of it.
    pub fn spawn_outside<T: Send + 'static>(&self, future: impl Future<Output = T> + Send + 'static) -> Running<T> {
        let (sender, receiver) = oneshot::channel();
        self.0.scheduler.spawn_outside(Box::pin(async move {
            // Who started it may not want to know.
            let _ = sender.send(future.await);
        }));
        Running(receiver)
    }

    /// Cuts two nodes off from each other. What is on its way arrives when the partition is over; connections end when
    /// one side has heard nothing for too long.
    pub fn partition(&self, one: usize, other: usize) {
        self.partition_one_way(one, other);
        self.partition_one_way(other, one);
    }

    /// Lets nothing get from a node to another one; the way back stays open.
    pub fn partition_one_way(&self, from: usize, to: usize) {
        self.0.net.cut(from, to);
    }

    /// Cuts a node off from all others, not from the database.
    pub fn isolate(&self, node: usize) {
        (0..self.nodes()).filter(|other| *other != node).for_each(|other| self.partition(node, other));
    }

    /// Ends all partitions.
    pub fn heal(&self) {
        self.0.net.open(|_, _| true);
    }

    /// How long bytes take from node to node from now on.
    pub fn slow(&self, latency: RangeInclusive<Duration>) {
        self.0.net.set_latency(latency);
    }

    /// The connections of all nodes to the database.
    #[must_use]
    pub fn database(&self) -> Database {
        Database(self.0.state.lock().nodes.iter().map(|slot| slot.access.clone()).collect())
    }

    /// The connection of one node to the database.
    #[must_use]
    pub fn database_of(&self, node: usize) -> Database {
        Database(vec![self.with(node, |slot| slot.access.clone())])
    }

    /// Waits for so long, in simulated time.
    pub async fn sleep(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    /// Numbers that follow from the seed.
    #[must_use]
    pub fn chance(&self) -> Chance {
        self.0.state.lock().chance.another()
    }

    /// What has run so far.
    #[must_use]
    pub fn trace(&self) -> Trace {
        self.0.scheduler.trace()
    }

    /// Kills everything.
    pub(super) fn end(&self) {
        (0..self.nodes()).for_each(|node| self.kill(node));
    }
}

/// A part of a test that runs by itself. Dropped, it goes on.
#[derive(Debug)]
pub struct Running<T>(oneshot::Receiver<T>);

impl<T> Future for Running<T> {
    /// `None`: its node was killed.
    type Output = Option<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        Pin::new(&mut self.0).poll(cx).map(Result::ok)
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster").field("nodes", &self.nodes()).finish_non_exhaustive()
    }
}
