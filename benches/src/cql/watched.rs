//! The CQL store under a node, with a hand on the journals that the node has opened.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use dna_core::{
    ActorName, ClusterError, ClusterStore, NodeId, NodeJournals, OpenJournalsError, Replayed, SealError, Shard, Swap,
    Timestamp, ViewRegister,
};
use dna_storage::{Scylla, ScyllaJournals, journaled::JournaledStats};
use futures_util::future::BoxFuture;

use crate::{error::Error, measure::Lag};

/// Does what the store in it does. A clone is the same one.
#[derive(Debug, Clone)]
pub(super) struct Watched {
    store: Scylla,
    journals: Arc<Mutex<Option<Arc<ScyllaJournals>>>>,
}

impl Watched {
    pub(super) fn new(store: Scylla) -> Self {
        Watched { store, journals: Arc::default() }
    }

    /// The journals that were opened last.
    pub(super) fn journals(&self) -> Result<Arc<ScyllaJournals>, Error> {
        let journals = self.journals.lock().unwrap_or_else(PoisonError::into_inner).clone();
        journals.ok_or(Error::Gone("no journals were opened"))
    }

    /// Gives up the journals.
    pub(super) fn forget(&self) {
        *self.journals.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Waits until every row is in its place.
    pub(super) async fn drain(&self) -> Result<(), Error> {
        self.journals()?.drain().await.map_err(|error| Error::Drain(error.to_string()))
    }
}

/// How far the rows of these journals are behind, and how many groups were committed.
pub(super) fn read(journals: &ScyllaJournals) -> (Lag, u64) {
    let stats = journals.stats();
    let lag = stats.iter().map(lag_of).fold(Lag::default(), Lag::most);
    (lag, stats.iter().map(|lane| lane.groups).sum())
}

fn lag_of(lane: &JournaledStats) -> Lag {
    let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    Lag {
        groups: count(lane.lag_entries),
        operations: count(lane.lag_operations),
        bytes: count(lane.lag_bytes),
        age: lane.lag_age,
    }
}

impl ClusterStore for Watched {
    fn agreement(&self) -> String {
        self.store.agreement()
    }

    fn read_view(&self) -> BoxFuture<'_, Result<ViewRegister, ClusterError>> {
        self.store.read_view()
    }

    fn swap_view(&self, expected: u64, new: Bytes) -> BoxFuture<'_, Result<Swap, ClusterError>> {
        self.store.swap_view(expected, new)
    }

    fn beat(&self, node: NodeId, beat: u64) -> BoxFuture<'_, Result<(), ClusterError>> {
        self.store.beat(node, beat)
    }

    fn beats(&self) -> BoxFuture<'_, Result<Vec<(NodeId, u64)>, ClusterError>> {
        self.store.beats()
    }

    fn open_journals(
        &self,
        node: NodeId,
        lanes: u16,
        ts_floor: Timestamp,
    ) -> BoxFuture<'_, Result<Arc<dyn NodeJournals>, OpenJournalsError>> {
        Box::pin(async move {
            let journals = Arc::new(self.store.journals(node, lanes, ts_floor).await?);
            *self.journals.lock().unwrap_or_else(PoisonError::into_inner) = Some(journals.clone());
            Ok(journals as Arc<dyn NodeJournals>)
        })
    }

    fn seal_and_replay(&self, node: NodeId, lanes: u16) -> BoxFuture<'_, Result<Replayed, SealError>> {
        self.store.seal_and_replay(node, lanes)
    }

    fn register_name<'a>(&'a self, actor: &'a ActorName, shard: Shard) -> BoxFuture<'a, Result<Shard, ClusterError>> {
        self.store.register_name(actor, shard)
    }
}
