//! The databases: one that is there, of which a test takes a keyspace, and instances of one's own, which may be stopped
//! and killed.

use std::{
    env,
    process::{Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use dna::{Scylla, ScyllaConfig};

use crate::{child::signal_process, setting};

const HOW: &str = "no CQL server; `cargo xtask test --cql` starts one, or say where one is: DNA_CQL=127.0.0.1:9042";

/// Whether to go on: says so on stdout if not.
pub(crate) fn has_server() -> bool {
    let has = env::var_os("DNA_CQL").is_some();
    if !has {
        println!("skipped: {HOW}");
    }
    has
}

/// The tables, for one test.
pub(crate) struct Keyspace {
    pub(crate) contact: String,
    pub(crate) name: String,
    /// The rule that the processes there do not keep, if any.
    pub(crate) without: &'static str,
    /// How many journals each process there has.
    pub(crate) lanes: u16,
}

impl Keyspace {
    /// On the server that is there.
    pub(crate) fn create() -> Self {
        Keyspace::create_at(env::var("DNA_CQL").unwrap())
    }

    fn create_at(contact: String) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("dna_owners_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let timeout = Duration::from_secs(60);
        let config = ScyllaConfig::new([&contact], &name).connect_timeout(timeout).request_timeout(timeout);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let replicas = usize::try_from(setting("DNA_CQL_REPLICAS", 1)).unwrap();
        runtime.block_on(Scylla::create_schema(&config, Some(replicas))).unwrap();
        Keyspace { contact, name, without: "", lanes: 1 }
    }
}

/// A server of one's own, which is a process of this machine, so that it can be stopped and killed. It is removed with
/// this.
pub(crate) struct Database {
    name: &'static str,
    address: &'static str,
    pid: u32,
}

/// The port of such a server; each has an address of its own.
const PORT: u16 = 9142;

impl Database {
    /// Starts one that answers a write when it is on disk.
    pub(crate) fn start(name: &'static str, address: &'static str) -> Self {
        let mut database = Database { name, address, pid: 0 };
        database.down(&["--wipe"]);
        database.up();
        database
    }

    /// Starts it again, with what it has on disk.
    pub(crate) fn up(&mut self) {
        let port = PORT.to_string();
        xtask(&[
            "scylla-up",
            "--engine",
            "cassandra",
            "--name",
            self.name,
            "--address",
            self.address,
            "--port",
            &port,
            "--durable",
            "--no-schema",
        ]);
        let shown = xtask(&["scylla-status", "--name", self.name]);
        let pid = shown.split_whitespace().skip_while(|word| *word != "pid").nth(1).and_then(|pid| pid.parse().ok());
        self.pid = pid.unwrap_or_else(|| panic!("a database in a container cannot be stopped by its number:\n{shown}"));
    }

    pub(crate) fn kill(&self) {
        self.down(&["--kill"]);
    }

    fn down(&self, how: &[&str]) {
        xtask(&[&["scylla-down", "--name", self.name], how].concat());
    }

    /// Has it stand still, or go on.
    pub(crate) fn signal(&self, signal: &str) {
        signal_process(self.pid, signal);
    }

    pub(crate) fn keyspace(&self) -> Keyspace {
        Keyspace::create_at(format!("{}:{PORT}", self.address))
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        self.down(&["--kill"]);
        self.down(&["--wipe"]);
    }
}

/// Runs a developer command of the workspace: what it printed.
fn xtask(args: &[&str]) -> String {
    let started = Instant::now();
    let mut command = Command::new(env!("CARGO"));
    command.args(["run", "--quiet", "--package", "xtask", "--"]).args(args).stdin(Stdio::null());
    let output = command.stderr(Stdio::inherit()).output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let may_fail = args[0] == "scylla-status" || args.contains(&"--wipe");
    assert!(output.status.success() || may_fail, "{args:?} after {:?}:\n{printed}", started.elapsed());
    printed
}
