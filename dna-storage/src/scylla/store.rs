//! The handle: connects, creates the schema, and answers what a cluster asks of its database.

use std::{fmt, sync::Arc};

use bytes::Bytes;
use dna_core::{
    ActorName, ClusterError, ClusterStore, NodeId, NodeJournals, OpenJournalsError, Replayed, SealError, Shard, Swap,
    Timestamp, ViewRegister,
    limits::{CLOCK_OFFSET_MAX, JOURNAL_LANES_MAX, TIMESTAMP_AHEAD_MAX, VIEW_BYTES_MAX},
};
use futures_util::future::BoxFuture;

use super::{
    beats::Beats,
    config::ScyllaConfig,
    connection::Connection,
    consistency::Consistency,
    error::ScyllaError,
    journals::ScyllaJournals,
    register,
    rows::CqlRows,
    schema,
    session::{self, ClockReading},
    statements::Preparer,
    takeover::Takeover,
};

/// A keyspace of ScyllaDB or Apache Cassandra that the nodes of one cluster share. A clone is the same connection.
///
/// It uses the tokio runtime that it was connected on, and a thread of its own for the heartbeats.
///
/// ```no_run
/// # async fn run() -> Result<(), dna_storage::ScyllaError> {
/// use dna_storage::{Scylla, ScyllaConfig};
///
/// let config = ScyllaConfig::new(["127.0.0.1:9042"], "shop");
/// Scylla::create_schema(&config, Some(3)).await?; // once for a keyspace
/// let scylla = Scylla::connect(config).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Scylla(Arc<Inner>);

struct Inner {
    config: ScyllaConfig,
    connection: Arc<Connection>,
    rows: CqlRows,
    beats: Beats,
}

impl Scylla {
    /// Connects to a keyspace whose tables are there, and creates nothing.
    ///
    /// # Errors
    /// [`ScyllaError`]: nobody answers, the keyspace or its tables are missing or differ, it would not exclude two
    /// owners, or its clock and the one here are too far apart.
    ///
    /// # Cancel safety
    /// A dropped connect has no effect.
    pub async fn connect(config: ScyllaConfig) -> Result<Self, ScyllaError> {
        let session = session::open(&config, session::work_pool(&config)).await?;
        let consistency = session::probe(&config, &session).await?;
        let preparer =
            Preparer { session: &session, keyspace: &config.keyspace, consistency, timeout: config.request_timeout };
        #[cfg(feature = "testing")]
        let seals_refuse = config.faults.seals_refuse();
        #[cfg(not(feature = "testing"))]
        let seals_refuse = true;
        let statements = preparer.all(seals_refuse).await?;
        let beats = Beats::start(&config, consistency).await?;
        let connection = Arc::new(Connection {
            session,
            consistency,
            statements,
            #[cfg(feature = "testing")]
            faults: config.faults.clone(),
        });
        let rows = CqlRows::new(connection.clone());
        Ok(Scylla(Arc::new(Inner { config, connection, rows, beats })))
    }

    /// Creates the tables that are not there, and before them the keyspace, if `replicas` says how many copies it is to
    /// keep: that many, or as many as the datacenter has nodes. Waits until the nodes of the database agree, and answers
    /// the statements that were run.
    ///
    /// One process does this, once, before any other connects. What is there is left as it is.
    ///
    /// # Errors
    /// [`ScyllaError`]
    ///
    /// # Cancel safety
    /// What a dropped call has created stays; calling it again creates the rest.
    pub async fn create_schema(config: &ScyllaConfig, replicas: Option<usize>) -> Result<Vec<String>, ScyllaError> {
        let session = session::open(config, session::work_pool(config)).await?;
        let mut statements = Vec::new();
        if let Some(replicas) = replicas {
            let create = session::create_keyspace(config, &session, replicas).await?;
            schema::run(&session, &create).await?;
            schema::agree(&session).await?;
            statements.push(create);
        }
        statements.extend(schema::create(&session, &config.keyspace).await?);
        Ok(statements)
    }

    /// The consistency that everything has: as it was set, or as the keyspace needs it.
    pub fn consistency(&self) -> Consistency {
        self.0.connection.consistency
    }

    /// What can be made to go wrong.
    #[cfg(feature = "testing")]
    pub fn faults(&self) -> &super::faults::ScyllaFaults {
        &self.0.config.faults
    }

    /// Opens the journals of a node that were opened before, with what they hold. For tests: the protocol uses an id
    /// once.
    ///
    /// # Errors
    /// [`ClusterError`]
    #[cfg(feature = "testing")]
    pub async fn reopen_journals(&self, node: NodeId, lanes: u16) -> Result<ScyllaJournals, ClusterError> {
        ScyllaJournals::open(&self.0.connection, &self.0.config, node, lanes, Timestamp::ZERO).await
    }

    /// As [`ClusterStore::open_journals`], with what only these journals can tell.
    ///
    /// # Errors
    /// [`OpenJournalsError`]
    ///
    /// # Cancel safety
    /// After a dropped call the id cannot be used: take a fresh one.
    pub async fn journals(
        &self,
        node: NodeId,
        lanes: u16,
        ts_floor: Timestamp,
    ) -> Result<ScyllaJournals, OpenJournalsError> {
        if !(1..=JOURNAL_LANES_MAX).contains(&lanes) {
            return Err(OpenJournalsError::Lanes { lanes, max: JOURNAL_LANES_MAX });
        }
        let clock = session::database_clock(&self.0.connection.session).await.map_err(|error| {
            tracing::warn!(%error, "the clock of the database cannot be read");
            ClusterError::Unavailable
        })?;
        check_clocks(clock, ts_floor)?;
        ScyllaJournals::create(&self.0.connection, &self.0.config, node, lanes, ts_floor).await
    }
}

/// Whether timestamps made here would shadow those of other nodes, or be shadowed.
fn check_clocks(clock: ClockReading, floor: Timestamp) -> Result<(), OpenJournalsError> {
    let database = Timestamp::from_micros(clock.database);
    if clock.apart() > CLOCK_OFFSET_MAX {
        return Err(OpenJournalsError::ClockOffset { here: Timestamp::from_micros(clock.after), database });
    }
    let ahead_max = u64::try_from(TIMESTAMP_AHEAD_MAX.as_micros()).unwrap_or(u64::MAX);
    if floor.as_micros() > clock.database.saturating_add(ahead_max) {
        return Err(OpenJournalsError::FloorAhead { floor, database });
    }
    Ok(())
}

impl ClusterStore for Scylla {
    fn agreement(&self) -> String {
        format!("consistency {}", self.consistency().as_str())
    }

    fn read_view(&self) -> BoxFuture<'_, Result<ViewRegister, ClusterError>> {
        Box::pin(register::read_view(&self.0.connection))
    }

    fn swap_view(&self, expected: u64, new: Bytes) -> BoxFuture<'_, Result<Swap, ClusterError>> {
        Box::pin(async move {
            if new.len() > VIEW_BYTES_MAX {
                return Err(ClusterError::ViewTooLarge { bytes: new.len(), max: VIEW_BYTES_MAX });
            }
            register::swap_view(&self.0.connection, expected, &new).await
        })
    }

    fn beat(&self, node: NodeId, beat: u64) -> BoxFuture<'_, Result<(), ClusterError>> {
        Box::pin(self.0.beats.beat(node, beat))
    }

    fn beats(&self) -> BoxFuture<'_, Result<Vec<(NodeId, u64)>, ClusterError>> {
        Box::pin(self.0.beats.beats())
    }

    fn open_journals(
        &self,
        node: NodeId,
        lanes: u16,
        ts_floor: Timestamp,
    ) -> BoxFuture<'_, Result<Arc<dyn NodeJournals>, OpenJournalsError>> {
        Box::pin(async move {
            let journals = self.journals(node, lanes, ts_floor).await?;
            Ok(Arc::new(journals) as Arc<dyn NodeJournals>)
        })
    }

    fn seal_and_replay(&self, node: NodeId, lanes: u16) -> BoxFuture<'_, Result<Replayed, SealError>> {
        Box::pin(async move {
            let Inner { config, connection, rows, .. } = &*self.0;
            Takeover { connection, rows, node, timeout: config.commit_timeout }.run(lanes).await
        })
    }

    fn register_name<'a>(&'a self, actor: &'a ActorName, shard: Shard) -> BoxFuture<'a, Result<Shard, ClusterError>> {
        Box::pin(register::register_name(&self.0.connection, actor, shard))
    }
}

impl fmt::Debug for Scylla {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scylla").field("config", &self.0.config).finish_non_exhaustive()
    }
}
