//! The server: a session for what is neither DNA nor a reference, and the keyspaces of this run.

use std::{
    collections::BTreeSet,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use dna_storage::Scylla;
use scylla::client::{session::Session, session_builder::SessionBuilder};

use super::space::Space;
use crate::{args::Args, error::Error};

/// A server that runs, and what this run has created on it.
#[derive(Debug)]
pub(crate) struct Server {
    pub(super) contact: String,
    pub(super) session: Session,
    release: String,
    next: AtomicU64,
    /// The keyspaces that are there.
    live: Mutex<BTreeSet<String>>,
}

impl Server {
    /// Connects to the server that was said.
    pub(crate) async fn connect(args: &Args) -> Result<Self, Error> {
        let contact = args.contact();
        let session = SessionBuilder::new().known_node(&contact).build().await;
        let session = session.map_err(Error::cql("no CQL server; `cargo xtask scylla-up` starts one"))?;
        let answer = session.query_unpaged("SELECT release_version FROM system.local WHERE key = 'local'", ());
        let answer = answer.await.map_err(Error::cql("the server's release"))?;
        let rows = answer.into_rows_result().map_err(Error::cql("the server's release"))?;
        let (release,) = rows.single_row::<(String,)>().map_err(Error::cql("the server's release"))?;
        Ok(Server { contact, session, release, next: AtomicU64::new(0), live: Mutex::default() })
    }

    /// The server as one line says it.
    pub(crate) fn about(&self) -> String {
        format!("server release {} on {}, on this machine beside this program", self.release, self.contact)
    }

    /// A keyspace that nobody has used, with the tables in it.
    pub(super) async fn fresh(&self) -> Result<Space<'_>, Error> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let name = format!("dna_bench_{}_{number}", std::process::id());
        self.live().insert(name.clone());
        let space = Space { server: self, name };
        Scylla::create_schema(&space.config(), Some(1)).await?;
        Ok(space)
    }

    /// Drops a keyspace of this run.
    pub(super) async fn drop_keyspace(&self, name: &str) -> Result<(), Error> {
        let dropped = self.session.query_unpaged(format!("DROP KEYSPACE IF EXISTS {name}"), ()).await;
        dropped.map_err(Error::cql("a keyspace of this run could not be dropped"))?;
        self.live().remove(name);
        Ok(())
    }

    /// Drops what is left.
    pub(super) async fn drop_all(&self) -> Result<(), Error> {
        let left = self.live().clone();
        for name in left {
            self.drop_keyspace(&name).await?;
        }
        Ok(())
    }

    fn live(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
