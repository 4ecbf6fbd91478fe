//! Every statement that a connected store uses, prepared once; the tables of them stand in the module's docs.

use std::{sync::Arc, time::Duration};

use scylla::{
    client::session::Session,
    policies::retry::FallthroughRetryPolicy,
    statement::{
        Statement,
        batch::{Batch, BatchType},
        prepared::PreparedStatement,
    },
};

use super::{consistency::Consistency, error::ScyllaError};

/// Prepared statements, each with its consistency, retries and time limit.
pub(super) struct Statements {
    pub(super) journal: JournalStatements,
    pub(super) rows: RowStatements,
    pub(super) cluster: ClusterStatements,
}

/// Of the table `journal`: all of them serial.
pub(super) struct JournalStatements {
    pub(super) create: PreparedStatement,
    pub(super) header: PreparedStatement,
    pub(super) slot: PreparedStatement,
    /// The header's condition, and the slot beside it.
    pub(super) append: Batch,
    pub(super) release: PreparedStatement,
    pub(super) seal: PreparedStatement,
    pub(super) release_sealed: PreparedStatement,
}

/// Of the table `actor`: none has a condition.
pub(super) struct RowStatements {
    pub(super) get: PreparedStatement,
    pub(super) put: PreparedStatement,
    pub(super) delete: PreparedStatement,
    pub(super) delete_range: PreparedStatement,
    pub(super) delete_tail: PreparedStatement,
    /// By whether the range has an end, and whether it is read against the order.
    pub(super) scan: [[PreparedStatement; 2]; 2],
    /// An empty batch with what holds for each of one partition's rows.
    pub(super) batch: Batch,
}

/// Of the tables `view` and `name`. Those of `heartbeat` belong to a session of their own.
pub(super) struct ClusterStatements {
    pub(super) view: PreparedStatement,
    pub(super) view_create: PreparedStatement,
    pub(super) view_swap: PreparedStatement,
    pub(super) name_register: PreparedStatement,
}

const HEADER: &str = "WHERE node = ? AND lane = ? AND slot = -1";
const PLACE: &str = "WHERE namespace = ? AND type = ? AND name = ? AND module = ?";

/// Prepares statements of one keyspace.
pub(super) struct Preparer<'a> {
    pub(super) session: &'a Session,
    pub(super) keyspace: &'a str,
    pub(super) consistency: Consistency,
    pub(super) timeout: Duration,
}

impl Preparer<'_> {
    pub(super) async fn all(&self, seal_refuses: bool) -> Result<Statements, ScyllaError> {
        Ok(Statements {
            journal: self.journal(seal_refuses).await?,
            rows: self.rows().await?,
            cluster: self.cluster().await?,
        })
    }

    async fn journal(&self, seal_refuses: bool) -> Result<JournalStatements, ScyllaError> {
        let table = format!("{}.\"journal\"", self.keyspace);
        let unsealed = if seal_refuses { " AND sealed = false" } else { "" };
        let append_header = format!("UPDATE {table} SET head = ?, done = ? {HEADER} IF head = ?{unsealed}");
        let append_slot = format!("UPDATE {table} SET seq = ?, data = ? WHERE node = ? AND lane = ? AND slot = ?");
        let create = format!(
            "INSERT INTO {table} (node, lane, slot, head, done, sealed) VALUES (?, ?, -1, 0, 0, false) IF NOT EXISTS"
        );
        let mut append = Batch::new(BatchType::Unlogged);
        append.append_statement(self.conditional(&append_header).await?);
        append.append_statement(self.conditional(&append_slot).await?);
        append.set_consistency(self.consistency.plain());
        append.set_serial_consistency(Some(self.consistency.serial()));
        append.set_retry_policy(Some(Arc::new(FallthroughRetryPolicy::new())));
        append.set_request_timeout(Some(self.timeout));
        Ok(JournalStatements {
            create: self.conditional(&create).await?,
            header: self.serial_read(&format!("SELECT head, done, sealed FROM {table} {HEADER}")).await?,
            slot: self
                .serial_read(&format!("SELECT seq, data FROM {table} WHERE node = ? AND lane = ? AND slot = ?"))
                .await?,
            append,
            release: self
                .conditional(&format!(
                    "UPDATE {table} SET done = ? {HEADER} IF head = ? AND sealed = false AND done < ?"
                ))
                .await?,
            seal: self.conditional(&format!("UPDATE {table} SET sealed = true {HEADER} IF sealed = false")).await?,
            release_sealed: self
                .conditional(&format!("UPDATE {table} SET done = ? {HEADER} IF head = ? AND sealed = true"))
                .await?,
        })
    }

    async fn rows(&self) -> Result<RowStatements, ScyllaError> {
        let table = format!("{}.\"actor\"", self.keyspace);
        let delete = format!("DELETE FROM {table} USING TIMESTAMP ? {PLACE}");
        let scan = format!("SELECT key, value FROM {table} {PLACE} AND key >= ?");
        let descending = "ORDER BY module DESC, key DESC";
        let mut batch = Batch::new(BatchType::Unlogged);
        batch.set_consistency(self.consistency.plain());
        batch.set_is_idempotent(true);
        batch.set_request_timeout(Some(self.timeout));
        let put = format!(
            "INSERT INTO {table} (namespace, type, name, module, key, value) VALUES (?, ?, ?, ?, ?, ?) \
             USING TIMESTAMP ?"
        );
        Ok(RowStatements {
            get: self.plain(&format!("SELECT value FROM {table} {PLACE} AND key = ?")).await?,
            put: self.plain(&put).await?,
            delete: self.plain(&format!("{delete} AND key = ?")).await?,
            delete_range: self.plain(&format!("{delete} AND key >= ? AND key < ?")).await?,
            delete_tail: self.plain(&format!("{delete} AND key >= ?")).await?,
            scan: [
                [self.plain(&scan).await?, self.plain(&format!("{scan} {descending}")).await?],
                [
                    self.plain(&format!("{scan} AND key < ?")).await?,
                    self.plain(&format!("{scan} AND key < ? {descending}")).await?,
                ],
            ],
            batch,
        })
    }

    async fn cluster(&self) -> Result<ClusterStatements, ScyllaError> {
        let view = format!("{}.\"view\"", self.keyspace);
        let name = format!("{}.\"name\"", self.keyspace);
        let view_create = format!("INSERT INTO {view} (id, version, data) VALUES (0, ?, ?) IF NOT EXISTS");
        let name_register =
            format!("INSERT INTO {name} (namespace, type, name, shard) VALUES (?, ?, ?, ?) IF NOT EXISTS");
        Ok(ClusterStatements {
            view: self.serial_read(&format!("SELECT version, data FROM {view} WHERE id = 0")).await?,
            view_create: self.conditional(&view_create).await?,
            view_swap: self
                .conditional(&format!("UPDATE {view} SET version = ?, data = ? WHERE id = 0 IF version = ?"))
                .await?,
            name_register: self.conditional(&name_register).await?,
        })
    }

    /// A read or write without a condition. The driver may repeat it: each write says when it belongs.
    pub(super) async fn plain(&self, statement: &str) -> Result<PreparedStatement, ScyllaError> {
        let mut prepared = self.prepare(statement).await?;
        prepared.set_consistency(self.consistency.plain());
        prepared.set_is_idempotent(true);
        Ok(prepared)
    }

    /// A read that settles what Paxos has begun on its partition.
    async fn serial_read(&self, statement: &str) -> Result<PreparedStatement, ScyllaError> {
        let mut prepared = self.plain(statement).await?;
        prepared.set_consistency(self.consistency.serial_read());
        Ok(prepared)
    }

    /// A write with a condition. Nobody repeats it behind our back, and the columns of its answer change with its
    /// outcome.
    async fn conditional(&self, statement: &str) -> Result<PreparedStatement, ScyllaError> {
        let mut prepared = self.prepare(statement).await?;
        prepared.set_consistency(self.consistency.plain());
        prepared.set_serial_consistency(Some(self.consistency.serial()));
        prepared.set_is_idempotent(false);
        prepared.set_retry_policy(Some(Arc::new(FallthroughRetryPolicy::new())));
        prepared.set_use_cached_result_metadata(false);
        Ok(prepared)
    }

    async fn prepare(&self, statement: &str) -> Result<PreparedStatement, ScyllaError> {
        let prepared = self.session.prepare(Statement::new(statement)).await;
        let mut prepared = prepared.map_err(|error| ScyllaError::statement(statement, error))?;
        prepared.set_request_timeout(Some(self.timeout));
        Ok(prepared)
    }
}
