//! The database as nodes share it: the suite of the port, each case on a keyspace of its own.

use dna_core::{EntryProblem, NodeId, testing::ClusterUnderTest};
use dna_storage::{Scylla, ScyllaFaults};

use crate::support::{Keyspace, run, skipped};

struct OnCql;

async fn connect(keyspace: &Keyspace) -> Scylla {
    Scylla::connect(keyspace.config().faults(ScyllaFaults::default())).await.unwrap()
}

impl ClusterUnderTest for OnCql {
    type Store = Scylla;
    type Guard = Keyspace;

    fn skipped() -> Option<String> {
        skipped()
    }

    async fn open() -> (Self::Guard, Self::Store) {
        let keyspace = Keyspace::create().await;
        let scylla = connect(&keyspace).await;
        (keyspace, scylla)
    }

    async fn another(keyspace: &Self::Guard, _: &Self::Store) -> Self::Store {
        connect(keyspace).await
    }

    async fn hold_rows(_: &Self::Guard, scylla: &Self::Store) {
        scylla.faults().rows().hold();
    }

    async fn release_rows(_: &Self::Guard, scylla: &Self::Store) {
        scylla.faults().rows().release();
    }

    async fn damage_entry(keyspace: &Self::Guard, node: NodeId, lane: u16, number: u64, problem: EntryProblem) {
        let entry = match problem {
            EntryProblem::Newer { found, .. } => format!("0x{found:02x}00000000000000000000"),
            _ => "0x0100000000000000000000".to_owned(),
        };
        let (table, slot) = (format!("{}.journal", keyspace.name), number % 256);
        let key = format!("node = {node} AND lane = {lane} AND slot = {slot}");
        run(&format!("UPDATE {table} SET data = {entry} WHERE {key} IF seq = {number}")).await;
    }

    async fn lose_journal(keyspace: &Self::Guard, node: NodeId, lane: u16) {
        let key = format!("node = {node} AND lane = {lane} AND slot = -1");
        run(&format!("DELETE FROM {}.journal WHERE {key} IF EXISTS", keyspace.name)).await;
    }
}

dna_core::cluster_conformance!(OnCql);
