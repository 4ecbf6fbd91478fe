//! Nodes of one process on a cluster's store in memory: who serves what, and what becomes of callers when that changes.
#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods, reason = "tests")]

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, Weak},
    time::Duration,
};

use bytes::Bytes;
use dna::{CallError, ClusterStore, MemoryCluster, StartError, prelude::*, testing::RequestKind};
use dna_core::{
    ActorName, ClusterError, NodeId, NodeJournals, OpenJournalsError, Replayed, SealError, Shard, Swap, Timestamp,
    ViewRegister,
};
use futures_util::future::BoxFuture;

struct Counter {
    total: Value<u64>,
    calls: u64,
}

#[dna::actor]
impl Counter {
    async fn init(ctx: Context) -> dna::Result<Self> {
        Ok(Counter { total: ctx.open("total")?, calls: 0 })
    }

    pub async fn add(&mut self, amount: u64) -> dna::Result<u64> {
        let total = self.total.get().await?.unwrap_or(0) + amount;
        self.total.set(total);
        Ok(total)
    }

    /// In memory alone.
    pub async fn count(&mut self) -> u64 {
        self.calls += 1;
        self.calls
    }
}

/// So long that a busy machine does not let it lapse by itself.
const LEASE: Duration = Duration::from_secs(3);

fn loopback() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

async fn start(cluster: &MemoryCluster) -> Node {
    let node = Node::builder().store(cluster.clone()).listen(loopback()).lease(LEASE).actor::<Counter>();
    node.start().await.unwrap()
}

/// The answer of a call that is sent again for as long as it is worth that.
async fn until_served(counter: &CounterClient, amount: u64) -> u64 {
    loop {
        match counter.add(amount).await {
            Ok(total) => return total,
            Err(error) if error.is_retryable() => tokio::task::yield_now().await,
            Err(error) => panic!("{error:?}"),
        }
    }
}

#[tokio::test]
async fn a_call_is_handled_where_its_name_is_served_until_another_node_has_taken_over() {
    let cluster = MemoryCluster::new();
    let (first, second) = (start(&cluster).await, start(&cluster.another()).await);
    let (here, there) = (first.client::<Counter>("a"), second.client::<Counter>("a"));
    assert_eq!(here.add(1).await.unwrap(), 1);
    assert_eq!(there.add(1).await.unwrap(), 2, "it is handled where it is served");
    assert_eq!(here.count().await.unwrap(), 1);
    assert_eq!(there.count().await.unwrap(), 2, "by the same activation");
    assert_eq!(second.stats().active, 0);

    first.shutdown().await.unwrap();
    assert!(matches!(here.add(1).await.unwrap_err(), CallError::Stopped { outcome: Outcome::NotApplied }));
    assert_eq!(until_served(&there, 10).await, 12);
    second.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_node_that_was_dropped_is_replaced_with_its_state_intact() {
    let cluster = MemoryCluster::new();
    let (first, second) = (start(&cluster).await, start(&cluster.another()).await);
    for n in 0..20 {
        first.client::<Counter>(format!("{n}")).add(n).await.unwrap();
    }
    drop(first);
    for n in 0..20 {
        assert_eq!(until_served(&second.client::<Counter>(format!("{n}")), 100).await, n + 100);
    }
    second.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_deposed_owner_claims_nothing_and_its_handles_work_again_when_it_is_a_member_again() {
    let database = MemoryCluster::new();
    let (cluster, elsewhere) = (database.another(), database.another());
    let (first, second) = (start(&cluster).await, start(&elsewhere).await);
    let (here, there) = (first.client::<Counter>("a"), second.client::<Counter>("a"));
    assert_eq!(here.add(1).await.unwrap(), 1);
    assert_eq!(here.count().await.unwrap(), 1);

    cluster.faults().hold([RequestKind::Beat, RequestKind::Append]);
    let late = tokio::spawn(here.add(100).into_future());
    assert_eq!(until_served(&there, 10).await, 11);
    // The other one serves: whatever is asked of the deposed one now, in memory or not, has no answer that claims anything.
    assert!(here.count().timeout(Duration::from_millis(300)).await.is_err());
    let error = late.await.unwrap().unwrap_err();
    assert!(matches!(error, CallError::Lost { outcome: Outcome::Unknown, .. }), "{error:?}");
    cluster.faults().release([RequestKind::Beat, RequestKind::Append]);

    assert_eq!(until_served(&there, 10).await, 21);
    second.shutdown().await.unwrap();
    assert_eq!(until_served(&here, 10).await, 31);
    assert_eq!(here.count().await.unwrap(), 1, "what was in memory is gone");
    first.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_node_of_a_cluster_needs_an_address_and_one_alone_has_none() {
    let shared: Arc<dyn ClusterStore> = Arc::new(MemoryCluster::new());
    let error = Node::builder().store(shared).start().await.unwrap_err();
    assert!(matches!(error, StartError::NoAddress) && error.to_string().contains(".listen("), "{error}");
    let error = Node::builder().store(Memory::new()).listen(loopback()).start().await.unwrap_err();
    assert_eq!(error, StartError::NoCluster { setting: ".listen(…)" });
}

#[tokio::test]
async fn a_node_whose_settings_differ_from_its_clusters_is_told_why_it_cannot_join() {
    let cluster = MemoryCluster::new();
    let first = start(&cluster).await;
    let other = Node::builder().store(cluster.another()).listen(loopback()).lease(2 * LEASE).actor::<Counter>();
    let error = other.start().await.unwrap_err();
    assert!(matches!(error, StartError::Join(_)) && !error.is_retryable(), "{error:?}");
    first.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_start_that_was_dropped_half_way_leaves_nothing_running_and_its_address_free() {
    let database = MemoryCluster::new();
    let address = {
        let free = std::net::TcpListener::bind(loopback()).unwrap();
        free.local_addr().unwrap()
    };
    let steps = [
        RequestKind::ReadView,
        RequestKind::Beat,
        RequestKind::OpenJournal,
        RequestKind::ReadHeader,
        RequestKind::SwapView,
    ];
    for (n, step) in (1..).zip(steps) {
        let cluster = database.another();
        let node = || {
            let node = Node::builder().store(cluster.clone()).listen(address).lease(LEASE).actor::<Counter>();
            node.start()
        };
        let faults = cluster.faults();
        faults.hold([step]);
        let mut starting = Box::pin(node());
        tokio::select! {
            started = &mut starting => panic!("{step:?}: {started:?}"),
            () = faults.held(1) => {}
        }
        drop(starting);
        faults.release([step]);
        let asked = faults.asked(RequestKind::Beat);
        tokio::time::sleep(LEASE / 3).await;
        // One that was about to be sent may have been.
        assert!(faults.asked(RequestKind::Beat) <= asked + 1, "{step:?}: somebody still beats");

        let node = node().await.unwrap();
        assert_eq!(until_served(&node.client::<Counter>("a"), 1).await, n, "{step:?}");
        node.shutdown().await.unwrap();
    }
}

/// A cluster's store that knows which of the journals that it has opened are still open.
struct Watched {
    cluster: MemoryCluster,
    opened: Mutex<Vec<Weak<dyn NodeJournals>>>,
}

impl ClusterStore for Watched {
    fn agreement(&self) -> String {
        self.cluster.agreement()
    }

    fn read_view(&self) -> BoxFuture<'_, Result<ViewRegister, ClusterError>> {
        self.cluster.read_view()
    }

    fn swap_view(&self, expected: u64, new: Bytes) -> BoxFuture<'_, Result<Swap, ClusterError>> {
        self.cluster.swap_view(expected, new)
    }

    fn beat(&self, node: NodeId, beat: u64) -> BoxFuture<'_, Result<(), ClusterError>> {
        self.cluster.beat(node, beat)
    }

    fn beats(&self) -> BoxFuture<'_, Result<Vec<(NodeId, u64)>, ClusterError>> {
        self.cluster.beats()
    }

    fn open_journals(
        &self,
        node: NodeId,
        lanes: u16,
        ts_floor: Timestamp,
    ) -> BoxFuture<'_, Result<Arc<dyn NodeJournals>, OpenJournalsError>> {
        Box::pin(async move {
            let journals = self.cluster.open_journals(node, lanes, ts_floor).await?;
            self.opened.lock().unwrap().push(Arc::downgrade(&journals));
            Ok(journals)
        })
    }

    fn seal_and_replay(&self, node: NodeId, lanes: u16) -> BoxFuture<'_, Result<Replayed, SealError>> {
        self.cluster.seal_and_replay(node, lanes)
    }

    fn register_name<'a>(&'a self, actor: &'a ActorName, shard: Shard) -> BoxFuture<'a, Result<Shard, ClusterError>> {
        self.cluster.register_name(actor, shard)
    }
}

#[tokio::test]
async fn a_handle_that_is_kept_keeps_no_journal_of_a_node_that_has_ended() {
    let store = Arc::new(Watched { cluster: MemoryCluster::new(), opened: Mutex::default() });
    let shared: Arc<dyn ClusterStore> = store.clone();
    let node = Node::builder().store(shared).listen(loopback()).lease(LEASE).actor::<Counter>().start().await.unwrap();
    let counter = node.client::<Counter>("a");
    counter.add(1).await.unwrap();
    let open = || store.opened.lock().unwrap().iter().filter(|journals| journals.strong_count() > 0).count();
    assert_eq!(open(), 1);

    node.shutdown().await.unwrap();
    let closed = async {
        while open() > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let closed = tokio::time::timeout(Duration::from_secs(10), closed).await;
    assert!(closed.is_ok(), "its journals are open");
    drop(counter);
}
