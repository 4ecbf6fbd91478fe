//! The journals of one node: a store for each lane, one clock for all.

use std::{fmt, sync::Arc};

use dna_core::{ClusterError, DrainError, NodeId, NodeJournals, OpenJournalsError, ReadError, Store, Timestamp};
use futures_util::future::{BoxFuture, try_join_all};
use tokio::runtime::Handle;

use super::{
    answer::is_applied,
    config::ScyllaConfig,
    connection::Connection,
    fate::{Fate, Kind, fate},
    journal::{CqlJournal, JournalPlace},
    rows::CqlRows,
};
use crate::journaled::{Host, HybridClock, Journaled, JournaledStats, RecoverError};

/// The journals of one node of a cluster, with the rows behind them. Made by
/// [`Scylla::open_journals`](dna_core::ClusterStore::open_journals).
pub struct ScyllaJournals {
    node: NodeId,
    clock: Arc<HybridClock>,
    lanes: Vec<Arc<Journaled<CqlJournal, CqlRows>>>,
    stores: Vec<Arc<dyn Store>>,
}

impl ScyllaJournals {
    /// Creates the journals of a node that has none.
    pub(super) async fn create(
        connection: &Arc<Connection>,
        config: &ScyllaConfig,
        node: NodeId,
        lanes: u16,
        floor: Timestamp,
    ) -> Result<Self, OpenJournalsError> {
        for lane in 0..lanes {
            create_header(connection, JournalPlace { node, lane }).await?;
        }
        ScyllaJournals::open(connection, config, node, lanes, floor).await.map_err(OpenJournalsError::Store)
    }

    /// Opens the journals of a node, with what they hold.
    pub(super) async fn open(
        connection: &Arc<Connection>,
        config: &ScyllaConfig,
        node: NodeId,
        lanes: u16,
        floor: Timestamp,
    ) -> Result<Self, ClusterError> {
        let clock = Arc::new(HybridClock::above(floor.as_micros()));
        let open = |lane| {
            let journal = CqlJournal::new(connection.clone(), JournalPlace { node, lane }, config.commit_timeout);
            let rows = CqlRows::new(connection.clone());
            let host = Host::Tokio(Handle::current());
            Journaled::open_with(journal, rows, host, config.journaled, clock.clone())
        };
        let lanes = try_join_all((0..lanes).map(open)).await.map_err(|error| {
            tracing::error!(%node, %error, "the journals of this node cannot be opened");
            match error {
                RecoverError::Journal(ReadError::Unavailable) => ClusterError::Unavailable,
                _ => ClusterError::Corrupt,
            }
        })?;
        let lanes: Vec<_> = lanes.into_iter().map(Arc::new).collect();
        let stores = lanes.iter().map(|lane| lane.clone() as Arc<dyn Store>).collect();
        Ok(ScyllaJournals { node, clock, lanes, stores })
    }

    /// What each lane has counted.
    pub fn stats(&self) -> Vec<JournaledStats> {
        self.lanes.iter().map(|lane| lane.stats()).collect()
    }
}

/// Creates one header row. Sent once: who has no answer takes another id.
async fn create_header(connection: &Connection, place: JournalPlace) -> Result<(), OpenJournalsError> {
    let create = &connection.statements.journal.create;
    let answer = match connection.session.execute_unpaged(create, place.key()).await {
        Ok(answer) => is_applied(answer).map_err(|_| ClusterError::Unknown)?,
        Err(error) => {
            tracing::warn!(?place, %error, "a journal could not be created, or was not answered");
            return Err(match fate(Kind::Conditional, &error) {
                Fate::Rejected => ClusterError::Rejected,
                Fate::NotApplied => ClusterError::Unavailable,
                Fate::Unknown => ClusterError::Unknown,
            }
            .into());
        }
    };
    if answer { Ok(()) } else { Err(OpenJournalsError::Exists { node: place.node }) }
}

impl NodeJournals for ScyllaJournals {
    fn node(&self) -> NodeId {
        self.node
    }

    fn stores(&self) -> &[Arc<dyn Store>] {
        &self.stores
    }

    fn last_timestamp(&self) -> Timestamp {
        Timestamp::from_micros(self.clock.last())
    }

    fn raise_timestamp(&self, floor: Timestamp) {
        self.clock.raise(floor.as_micros());
    }

    fn drain(&self) -> BoxFuture<'_, Result<(), DrainError>> {
        Box::pin(async move { try_join_all(self.lanes.iter().map(|lane| lane.drain())).await.map(drop) })
    }
}

impl fmt::Debug for ScyllaJournals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScyllaJournals").field("node", &self.node).field("lanes", &self.lanes.len()).finish()
    }
}
