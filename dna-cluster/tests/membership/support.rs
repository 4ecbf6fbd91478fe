//! Nodes for the tests: a membership whose host keeps a counter for each shard, in the journals that it is given.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{SocketAddr, TcpListener},
    num::NonZeroU32,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use dna_cluster::{Config, Host, Incarnation, LeaveError, Loss, Membership, Owner, Placement, StartError, Status};
use dna_core::{
    ActorName, ActorWrites, AttachError, CommitError, Group, MemoryCluster, NodeId, Shard, Write, WriteKind,
    testing::ClusterFaults,
};
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use tokio::{sync::Notify, time::Instant};

/// How many shards there are: one for each counter.
pub const SHARDS: u32 = 8;

/// The lease.
pub const LEASE: Duration = Duration::from_secs(3);

/// When others take over from a node at the latest, after it has died: lease and margin, a round of watching before and
/// behind it.
pub const TAKEN_OVER_WITHIN: Duration = Duration::from_millis(3000 + 300 + 500 + 500 + 100);

/// What a host was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    Begin(NodeId),
    Own(Vec<(Shard, u64)>),
    Release(Vec<Shard>),
    DropAll(Loss),
}

/// Keeps a counter for each shard that is its own.
#[derive(Default)]
pub struct Counters {
    state: Mutex<State>,
    /// One commit at a time.
    committing: tokio::sync::Mutex<()>,
    panics_at_own: AtomicBool,
    dropped_all: Notify,
}

#[derive(Default)]
struct State {
    events: Vec<Event>,
    incarnation: Option<Incarnation>,
    /// The number of the next group of each lane.
    numbers: Vec<u64>,
    /// The counters that are active.
    active: BTreeMap<Shard, Option<u64>>,
}

/// Why a counter did not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// It is not this node's. Nothing happened.
    NotHere,
    /// It may have counted.
    Unknown,
}

fn counter(shard: Shard) -> ActorName {
    ActorName::new("default", "Counter", shard.0.to_string()).unwrap()
}

impl Counters {
    pub fn events(&self) -> Vec<Event> {
        self.state.lock().events.clone()
    }

    /// Waits until it was told to drop everything, for this reason.
    pub async fn has_dropped_all(&self, why: Loss) {
        loop {
            let mut told = pin!(self.dropped_all.notified());
            told.as_mut().enable();
            if self.events().contains(&Event::DropAll(why)) {
                return;
            }
            told.await;
        }
    }

    /// When it is told next what it owns it panics, once.
    pub fn panic_at_next_own(&self) {
        self.panics_at_own.store(true, Ordering::SeqCst);
    }

    /// As long as this is there, what runs does not end.
    pub async fn keep_busy(&self) -> impl Drop {
        self.committing.lock().await
    }

    /// The shards whose counters it runs, or would at once.
    pub fn active(&self) -> BTreeSet<Shard> {
        self.state.lock().active.keys().copied().collect()
    }

    /// Reads the counter of a shard, as an actor would that is started for it.
    pub async fn read(&self, shard: Shard) -> Result<u64, Refused> {
        let (incarnation, loaded) = {
            let state = self.state.lock();
            let incarnation = state.incarnation.clone().ok_or(Refused::NotHere)?;
            (incarnation, *state.active.get(&shard).ok_or(Refused::NotHere)?)
        };
        let value = match loaded {
            Some(value) => value,
            None => {
                let lanes = u32::try_from(incarnation.journals.stores().len()).unwrap();
                let store = &incarnation.journals.stores()[(shard.0 % lanes) as usize];
                let stored = store.get(&counter(shard), "n", b"n").await.map_err(|_| Refused::NotHere)?;
                let value = stored.map_or(0, |bytes| u64::from_be_bytes(bytes.as_ref().try_into().unwrap()));
                let mut state = self.state.lock();
                let is_same = state.incarnation.as_ref().is_some_and(|now| now.node == incarnation.node);
                match state.active.get_mut(&shard) {
                    Some(loaded) if is_same => *loaded = Some(value),
                    _ => return Err(Refused::NotHere),
                }
                value
            }
        };
        if incarnation.lease.holds() { Ok(value) } else { Err(Refused::NotHere) }
    }

    /// Adds one to the counter of a shard: what it is then.
    pub async fn count(&self, shard: Shard) -> Result<u64, Refused> {
        let _alone = self.committing.lock().await;
        let value = self.read(shard).await? + 1;
        let (incarnation, lane, number) = {
            let mut state = self.state.lock();
            let incarnation = state.incarnation.clone().ok_or(Refused::NotHere)?;
            *state.active.get_mut(&shard).ok_or(Refused::NotHere)? = Some(value);
            let lane = shard.0 as usize % state.numbers.len();
            (incarnation, lane, state.numbers[lane])
        };
        let kind = WriteKind::Put { key: "n".into(), value: value.to_be_bytes().to_vec().into() };
        let writes = vec![Write { module: "n".into(), kind }];
        let group = Arc::new(Group { number, actors: vec![ActorWrites { actor: counter(shard), writes }] });
        loop {
            let answer = incarnation.journals.stores()[lane].commit(group.clone()).await;
            match answer {
                Ok(()) => break,
                Err(CommitError::Unknown) => {}
                Err(CommitError::NotApplied(_)) => {
                    if let Some(loaded) = self.state.lock().active.get_mut(&shard) {
                        *loaded = None;
                    }
                    return Err(Refused::NotHere);
                }
                Err(_) => {
                    incarnation.report_fenced();
                    return Err(Refused::Unknown);
                }
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let mut state = self.state.lock();
        let is_same = state.incarnation.as_ref().is_some_and(|now| now.node == incarnation.node);
        if is_same {
            state.numbers[lane] += 1;
        }
        // What is committed is committed: the journal guards it, whatever became of the lease meanwhile.
        Ok(value)
    }
}

impl Host for Counters {
    fn begin(&self, incarnation: Incarnation) -> BoxFuture<'_, Result<(), AttachError>> {
        Box::pin(async move {
            let mut numbers = Vec::new();
            for store in incarnation.journals.stores() {
                numbers.push(store.attach().await?);
            }
            let mut state = self.state.lock();
            state.events.push(Event::Begin(incarnation.node));
            state.incarnation = Some(incarnation);
            state.numbers = numbers;
            Ok(())
        })
    }

    fn own(&self, shards: &[(Shard, u64)]) {
        assert!(!self.panics_at_own.swap(false, Ordering::SeqCst), "it was told to");
        let mut state = self.state.lock();
        state.events.push(Event::Own(shards.to_vec()));
        state.active.extend(shards.iter().map(|(shard, _)| (*shard, None)));
    }

    fn release<'a>(&'a self, shards: &'a [Shard]) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            {
                let mut state = self.state.lock();
                state.events.push(Event::Release(shards.to_vec()));
                state.active.retain(|shard, _| !shards.contains(shard));
            }
            drop(self.committing.lock().await);
        })
    }

    fn drop_all(&self, why: Loss) -> BoxFuture<'_, ()> {
        let mut state = self.state.lock();
        state.events.push(Event::DropAll(why));
        state.active.clear();
        state.incarnation = None;
        drop(state);
        self.dropped_all.notify_waiters();
        Box::pin(async {})
    }
}

/// A node: its connection, what it runs, and its membership.
pub struct TestNode {
    pub database: MemoryCluster,
    pub counters: Arc<Counters>,
    pub membership: Membership,
}

pub fn config() -> Config {
    real_config().simulated()
}

/// With threads and the system's clock.
pub fn real_config() -> Config {
    Config::new(([127, 0, 0, 1], 0).into()).shards(NonZeroU32::new(SHARDS).unwrap()).lease(LEASE).actor_type(
        "Counter",
        1,
        Placement::Hash,
    )
}

impl TestNode {
    /// A node with a connection of its own.
    pub async fn start(database: &MemoryCluster) -> TestNode {
        TestNode::start_with(database.another(), config()).await.unwrap()
    }

    pub async fn start_with(database: MemoryCluster, config: Config) -> Result<TestNode, StartError> {
        let counters = Arc::new(Counters::default());
        let membership = Membership::start(Arc::new(database.clone()), counters.clone(), config).await?;
        Ok(TestNode { database, counters, membership })
    }

    pub fn faults(&self) -> ClusterFaults {
        self.database.faults()
    }

    pub fn id(&self) -> NodeId {
        self.membership.node().unwrap()
    }

    pub async fn leave(self) -> Result<(), LeaveError> {
        self.membership.leave().await
    }

    /// The process is gone from one moment to the next: nothing of it reaches the database any more.
    pub fn die(self) {
        self.faults().cut();
        drop(self.membership);
    }

    /// Which shards are this node's, as its view says and as its host was told.
    pub fn shards(&self) -> usize {
        let owned = (0..SHARDS).filter(|shard| matches!(self.membership.owner(Shard(*shard)), Owner::Own { .. }));
        let owned = owned.count();
        assert_eq!(self.counters.state.lock().active.len(), owned, "the host knows what the view says");
        owned
    }

    /// Waits until all shards are this node's; how long that took.
    pub async fn owns_all(&self) -> Duration {
        let since = Instant::now();
        let all = |status: &Status| match status {
            Status::Member { node, seen } => seen.view.shards_of(*node).count() == SHARDS as usize,
            _ => false,
        };
        self.until(all).await;
        since.elapsed()
    }

    /// Waits until it sees that a node is no member any more.
    pub async fn sees_gone(&self, gone: NodeId) {
        let is_gone =
            |status: &Status| matches!(status, Status::Member { seen, .. } if seen.view.member(gone).is_none());
        self.until(is_gone).await;
    }

    /// Waits until it is a member again, under another id.
    pub async fn has_new_id(&self, former: NodeId) -> NodeId {
        self.until(|status| matches!(status, Status::Member { node, .. } if *node != former)).await;
        self.id()
    }

    pub async fn until(&self, is: impl FnMut(&Status) -> bool) -> Status {
        let patience = Duration::from_secs(120);
        let found = tokio::time::timeout(patience, self.membership.wait_until(is)).await;
        found.unwrap_or_else(|_| panic!("still {:?}; {:?}", self.membership.status(), self.counters.events()))
    }
}

/// Waits until nobody listens there any more.
pub async fn until_closed(address: SocketAddr) {
    while TcpListener::bind(address).is_err() {
        tokio::task::yield_now().await;
    }
}

/// Waits until these nodes have all read one version of the view, and until another round of watching has passed.
pub async fn agree(nodes: &[&TestNode]) {
    tokio::time::sleep(LEASE / 3).await;
    let version = |node: &TestNode| match node.membership.status() {
        Status::Member { seen, .. } => seen.version,
        other => panic!("{other:?}"),
    };
    let versions = nodes.iter().map(|node| version(node)).collect::<Vec<_>>();
    assert!(versions.windows(2).all(|pair| pair[0] == pair[1]), "{versions:?}");
}
