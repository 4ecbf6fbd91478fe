//! Processes that a run starts: this program again, told what to do. For what one process cannot show of itself: that
//! it was killed, and what it holds in memory.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
};

use crate::{
    args::{Args, DurabilityKind, StoreKind},
    bench::Bench,
    error::Error,
    store::AnyStore,
    workloads,
};

/// A process of this program.
pub(crate) struct Child(std::process::Child);

impl Child {
    /// Starts it on the store under test: what it is to do, the path of its store, how many, and which.
    pub(crate) fn start(bench: &Bench, what: &[&str]) -> Result<Self, Error> {
        let program = std::env::current_exe().map_err(|error| Error::Child(error.to_string()))?;
        let mut command = Command::new(program);
        let store = if bench.args.store == StoreKind::Memory { "memory" } else { "embedded" };
        let durability = if bench.args.durability == DurabilityKind::Fsync { "fsync" } else { "buffered" };
        command.args(["--store", store, "--durability", durability, "--child"]).args(what);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        command.spawn().map(Child).map_err(|error| Error::Child(error.to_string()))
    }

    /// What it says first.
    pub(crate) fn line(&mut self) -> Result<String, Error> {
        let mut line = String::new();
        if let Some(output) = &mut self.0.stdout {
            BufReader::new(output).read_line(&mut line).map_err(|error| Error::Child(error.to_string()))?;
        }
        Ok(line.trim().to_owned())
    }

    /// Kills it: no flush, no shutdown, no destructor.
    pub(crate) fn kill(mut self) -> Result<(), Error> {
        let killed = self.0.kill().and_then(|()| self.0.wait());
        killed.map(drop).map_err(|error| Error::Child(error.to_string()))
    }

    /// Waits for its end, which must be a good one.
    pub(crate) fn ended(mut self) -> Result<(), Error> {
        match self.0.wait() {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(Error::Child(format!("it ended with {status}"))),
            Err(error) => Err(Error::Child(error.to_string())),
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // Where it has ended already this does nothing.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Does what a parent asked for.
pub(crate) async fn run(args: &Args) -> Result<(), Error> {
    let [what, path, count, which] = args.child.as_slice() else {
        return Err(Error::Child(format!("it does not know {:?}", args.child)));
    };
    let count = count.parse().map_err(|_| Error::Child(format!("{count} is not a number")))?;
    let store = AnyStore::open(args.store, args.durability, Path::new(path))?;
    match what.as_str() {
        "casts" => workloads::casts_of_child(store, count, which == "in-order").await,
        "idle" => workloads::idle::of_child(store, count, which).await,
        _ => Err(Error::Child(format!("it does not know `{what}`"))),
    }
}
