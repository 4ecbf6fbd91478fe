//! The database: what `cargo xtask scylla-up` starts.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use dna::Scylla;

use crate::node::Place;

/// Where the database of the demo answers.
pub(crate) const DATABASE: &str = "127.0.0.1:9142";
const PORT: &str = "9142";
/// What `cargo xtask scylla-status` calls it.
const INSTANCE: &str = "cluster_example";
/// How many copies of each row, where the database has as many nodes.
const REPLICAS_MAX: usize = 3;

/// A database that runs. It is stopped, and its data removed, if it was started for this.
pub(crate) struct Database {
    is_ours: bool,
}

impl Database {
    /// Has it run, with the tables of the cluster in it.
    pub(crate) async fn up(place: &Place) -> dna::Result<Self> {
        let runs = place.database != DATABASE || xtask(&["scylla-status", "--name", INSTANCE], Stdio::null())?;
        let up = ["scylla-up", "--name", INSTANCE, "--port", PORT, "--no-schema"];
        if !runs && !xtask(&up, Stdio::inherit())? {
            return Err(dna::Error::new("the database did not start; what it said is above"));
        }
        let database = Database { is_ours: !runs };
        Scylla::create_schema(&place.config(), Some(REPLICAS_MAX)).await?;
        Ok(database)
    }

    /// Stops it, if it was started for this.
    pub(crate) fn down(self) -> dna::Result<()> {
        if self.is_ours && !xtask(&["scylla-down", "--name", INSTANCE, "--wipe"], Stdio::inherit())? {
            return Err(dna::Error::new("the database did not stop; `cargo xtask scylla-status` shows it"));
        }
        Ok(())
    }
}

/// Runs a command of the workspace; whether it went well.
fn xtask(args: &[&str], stdout: Stdio) -> dna::Result<bool> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut command = Command::new(option_env!("CARGO").unwrap_or("cargo"));
    command.args(["--quiet", "xtask"]).args(args).current_dir(root).stdin(Stdio::null());
    Ok(command.stdout(stdout).status()?.success())
}
