//! A cluster's store in memory: a database that several nodes of one process share, each over a connection of its own.
//! The reference for the port, and, with the feature `testing`, the ground on which clusters are simulated: any request
//! and any answer can be delayed, lost or doubled.
//!
//! The protocol is the one of a database with compare-and-set and rows ordered by timestamp: see `journal` for what a
//! node's journal takes, `committer` for when a group is in, `rows` for which write of a row stands, `takeover` for how
//! a node is ended.

mod clock;
mod committer;
mod database;
#[cfg(feature = "testing")]
mod faults;
mod journal;
mod lane;
mod link;
mod node;
#[cfg_attr(not(feature = "testing"), allow(dead_code, unreachable_pub, reason = "only tests make things go wrong"))]
mod plan;
mod row_writer;
mod rows;
#[cfg_attr(not(feature = "testing"), allow(dead_code, unreachable_pub, reason = "only tests make things go wrong"))]
mod rule;
mod takeover;

use std::{fmt, sync::Arc};

use bytes::Bytes;
use futures_util::future::BoxFuture;

#[cfg(feature = "testing")]
pub use self::{
    faults::ClusterFaults,
    plan::{Fate, FaultPlan, RequestKind},
    rule::Rule,
};
use self::{link::Link, node::Node};
#[cfg(not(feature = "testing"))]
use self::{plan::RequestKind, rule::Rule};
use crate::{
    cluster::{
        ClusterError, ClusterStore, NodeId, NodeJournals, OpenJournalsError, Replayed, SealError, Shard, Swap,
        Timestamp, ViewRegister,
    },
    limits::VIEW_BYTES_MAX,
    name::ActorName,
};

/// A database for the nodes of one process, which loses everything with it. Each value is one connection to it, a clone
/// is the same one, and [`another`](MemoryCluster::another) makes a second one.
///
/// Its journals need a tokio runtime: what they commit and store is done by tasks of the runtime in which they were
/// opened.
///
/// ```
/// # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
/// # runtime.block_on(async {
/// use std::sync::Arc;
/// use dna_core::{ActorName, ActorWrites, ClusterStore, Group, MemoryCluster, NodeId, Timestamp, Write, WriteKind};
///
/// let (here, there) = { let first = MemoryCluster::new(); (first.another(), first) };
/// let dead = NodeId::new();
/// let journals = there.open_journals(dead, 1, Timestamp::ZERO).await.unwrap();
/// let store = &journals.stores()[0];
/// let number = store.attach().await.unwrap();
/// let alice = ActorName::new("default", "Cart", "alice").unwrap();
/// let kind = WriteKind::Put { key: "apple".into(), value: "3".into() };
/// let writes = vec![Write { module: "lines".into(), kind }];
/// store.commit(Arc::new(Group { number, actors: vec![ActorWrites { actor: alice.clone(), writes }] })).await.unwrap();
///
/// let replayed = here.seal_and_replay(dead, 1).await.unwrap();
/// let journals = here.open_journals(NodeId::new(), 1, replayed.last).await.unwrap();
/// assert_eq!(journals.stores()[0].get(&alice, "lines", b"apple").await.unwrap(), Some("3".into()));
/// # });
/// ```
#[derive(Clone)]
pub struct MemoryCluster(Link);

impl MemoryCluster {
    /// An empty database, and a connection to it.
    pub fn new() -> Self {
        MemoryCluster(Link::to_new_database(None))
    }

    /// One more connection to the same database, with faults of its own: another node's.
    #[must_use]
    pub fn another(&self) -> Self {
        MemoryCluster(self.0.another())
    }
}

impl Default for MemoryCluster {
    fn default() -> Self {
        MemoryCluster::new()
    }
}

#[cfg(feature = "testing")]
impl MemoryCluster {
    /// As [`new`](MemoryCluster::new), but wrong: this rule is not kept, on any connection.
    pub fn without(rule: Rule) -> Self {
        MemoryCluster(Link::to_new_database(Some(rule)))
    }

    /// What can be made to go wrong with this connection.
    pub fn faults(&self) -> ClusterFaults {
        ClusterFaults::new(self.0.clone())
    }
}

impl fmt::Debug for MemoryCluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryCluster").finish_non_exhaustive()
    }
}

impl ClusterStore for MemoryCluster {
    fn agreement(&self) -> String {
        "memory".to_owned()
    }

    fn read_view(&self) -> BoxFuture<'_, Result<ViewRegister, ClusterError>> {
        let view = self.0.ask(RequestKind::ReadView, |database| database.view());
        Box::pin(async move { view.await.map_err(|no| no.of_read()) })
    }

    fn swap_view(&self, expected: u64, new: Bytes) -> BoxFuture<'_, Result<Swap, ClusterError>> {
        Box::pin(async move {
            if new.len() > VIEW_BYTES_MAX && self.0.keeps(Rule::ViewIsBounded) {
                return Err(ClusterError::ViewTooLarge { bytes: new.len(), max: VIEW_BYTES_MAX });
            }
            Ok(self.0.ask(RequestKind::SwapView, move |database| database.swap_view(expected, &new)).await?)
        })
    }

    fn beat(&self, node: NodeId, beat: u64) -> BoxFuture<'_, Result<(), ClusterError>> {
        let noted = self.0.ask(RequestKind::Beat, move |database| database.beat(node, beat));
        Box::pin(async move { Ok(noted.await?) })
    }

    fn beats(&self) -> BoxFuture<'_, Result<Vec<(NodeId, u64)>, ClusterError>> {
        let beats = self.0.ask(RequestKind::Beats, |database| database.beats());
        Box::pin(async move { beats.await.map_err(|no| no.of_read()) })
    }

    fn open_journals(
        &self,
        node: NodeId,
        lanes: u16,
        ts_floor: Timestamp,
    ) -> BoxFuture<'_, Result<Arc<dyn NodeJournals>, OpenJournalsError>> {
        Box::pin(async move {
            let journals = Node::open(self.0.clone(), node, lanes, ts_floor).await?;
            Ok(Arc::new(journals) as Arc<dyn NodeJournals>)
        })
    }

    fn seal_and_replay(&self, node: NodeId, lanes: u16) -> BoxFuture<'_, Result<Replayed, SealError>> {
        Box::pin(takeover::seal_and_replay(&self.0, node, lanes))
    }

    fn register_name<'a>(&'a self, actor: &'a ActorName, shard: Shard) -> BoxFuture<'a, Result<Shard, ClusterError>> {
        let actor = actor.clone();
        let stands = self.0.ask(RequestKind::RegisterName, move |database| database.register(&actor, shard));
        Box::pin(async move { Ok(stands.await?) })
    }
}
