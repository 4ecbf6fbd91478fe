//! A database of one's own, brought up and down by the developer commands of the workspace, so that it can be stopped and
//! killed.

use std::{
    env,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    process::{Command, Stdio},
};

use crate::{
    ground::{Ground, Place},
    process::signal,
};

/// Says where the developer commands are, as a program; without it cargo runs them.
const VARIABLE: &str = "DNA_XTASK";
/// What it is called among the databases of the workspace.
const NAME: &str = "chaos";
const PORT: u16 = 9142;

/// The database. Dropped, it is removed with all that is in it.
pub(crate) struct Database<'a> {
    ground: &'a Ground,
    pid: u32,
}

impl<'a> Database<'a> {
    /// Starts an empty one.
    pub(crate) fn start(ground: &'a Ground) -> Self {
        let mut database = Database { ground, pid: 0 };
        database.down(&["--wipe"]);
        database.up();
        database
    }

    /// Starts it, with what it has on disk. It answers a write only when that is on disk.
    pub(crate) fn up(&mut self) {
        let (address, port) = (self.address().to_string(), PORT.to_string());
        let how = ["--engine", "cassandra", "--name", NAME, "--address", &address, "--port", &port];
        self.xtask(&[&["scylla-up"], &how[..], &["--durable", "--no-schema"]].concat(), true);
        let shown = self.xtask(&["scylla-status", "--name", NAME], true);
        let pid = shown.split_whitespace().skip_while(|word| *word != "pid").nth(1).and_then(|pid| pid.parse().ok());
        self.pid = pid.unwrap_or_else(|| panic!("the database has no process:\n{shown}"));
    }

    fn address(&self) -> IpAddr {
        self.ground.address(Place::Database)
    }

    pub(crate) fn contact(&self) -> SocketAddr {
        SocketAddr::new(self.address(), PORT)
    }

    pub(crate) fn kill(&self) {
        self.down(&["--kill"]);
    }

    /// Has it stand still, or go on.
    pub(crate) fn signal(&self, name: &str) {
        signal(self.pid, name);
    }

    fn down(&self, how: &[&str]) {
        self.xtask(&[&["scylla-down", "--name", NAME], how].concat(), false);
    }

    /// Runs a developer command: what it printed.
    fn xtask(&self, args: &[&str], must_succeed: bool) -> String {
        let mut command = match env::var_os(VARIABLE).map(PathBuf::from) {
            Some(xtask) => self.ground.command(Place::Database, xtask),
            None => {
                let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
                let mut command = self.ground.command(Place::Database, cargo);
                command.args(["run", "--quiet", "--package", "xtask", "--"]);
                command
            }
        };
        run(command.args(args), must_succeed)
    }
}

/// Runs a command to its end: what it printed.
pub(crate) fn run(command: &mut Command, must_succeed: bool) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() || !must_succeed, "{command:?}: {}\n{printed}{said}", output.status);
    printed
}

impl Drop for Database<'_> {
    fn drop(&mut self) {
        self.down(&["--kill"]);
        self.down(&["--wipe"]);
    }
}
