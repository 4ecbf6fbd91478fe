//! A server to test with, and a keyspace of its own for each test.

use std::{
    env,
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::Duration,
};

use dna_core::NodeId;
use dna_storage::{Scylla, ScyllaConfig, journaled::JournaledOptions};
use scylla::{
    client::session_builder::SessionBuilder,
    statement::{Consistency, Statement},
};

const HOW: &str = "no CQL server; `cargo xtask test --cql` starts one, or say where one is: DNA_CQL=127.0.0.1:9042";

/// Why nothing can be tested here.
pub fn skipped() -> Option<String> {
    env::var_os("DNA_CQL").is_none().then(|| HOW.to_owned())
}

/// Whether to go on: says so on stdout if not.
#[must_use]
pub fn has_server() -> bool {
    let skipped = skipped();
    if let Some(reason) = &skipped {
        println!("skipped: {reason}");
    }
    skipped.is_none()
}

/// Where the server is.
pub fn contact_point() -> String {
    env::var("DNA_CQL").unwrap()
}

/// How many copies a keyspace has, on a server of that many nodes.
fn replicas() -> usize {
    env::var("DNA_CQL_REPLICAS").ok().and_then(|replicas| replicas.parse().ok()).unwrap_or(1)
}

/// A keyspace with the tables in it, which is dropped with this.
pub struct Keyspace {
    pub name: String,
}

impl Keyspace {
    /// A fresh name, and nothing behind it.
    pub fn unused() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Keyspace { name: format!("dna_test_{}_{number}", std::process::id()) }
    }

    pub async fn create() -> Self {
        let keyspace = Keyspace::unused();
        Scylla::create_schema(&keyspace.config(), Some(replicas())).await.unwrap();
        keyspace
    }

    pub fn config(&self) -> ScyllaConfig {
        ScyllaConfig::new([contact_point()], &self.name)
            .connect_timeout(Duration::from_secs(60))
            .request_timeout(Duration::from_secs(30))
            .commit_timeout(Duration::from_secs(60))
            .journaled(JournaledOptions { gather_rows: Duration::ZERO, ..JournaledOptions::default() })
    }

    pub async fn connect(&self) -> Scylla {
        Scylla::connect(self.config()).await.unwrap()
    }
}

impl Drop for Keyspace {
    #[allow(clippy::disallowed_methods, reason = "a drop cannot wait in the test's own runtime")]
    fn drop(&mut self) {
        let drop = format!("DROP KEYSPACE IF EXISTS {}", self.name);
        let dropped = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(run(&drop));
        });
        // What fails here leaves a keyspace behind, and no other test sees it.
        let _ = dropped.join();
    }
}

/// The number of the last entry that is in a node's first journal, read past the store.
pub async fn head_of(keyspace: &Keyspace, node: NodeId) -> u64 {
    let session = SessionBuilder::new().known_node(contact_point()).build().await.unwrap();
    let statement =
        format!("SELECT head FROM {}.journal WHERE node = {node} AND lane = 0 AND slot = -1", keyspace.name);
    let mut statement = Statement::new(statement);
    statement.set_consistency(Consistency::Serial);
    let answer = session.query_unpaged(statement, ()).await.unwrap();
    let (head,) = answer.into_rows_result().unwrap().single_row::<(i64,)>().unwrap();
    u64::try_from(head).unwrap()
}

/// Runs a statement, past the store.
pub async fn run(statement: &str) {
    let session = SessionBuilder::new().known_node(contact_point()).build().await.unwrap();
    session.query_unpaged(statement, ()).await.unwrap();
}
