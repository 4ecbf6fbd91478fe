//! A process that is told to end, by SIGTERM or SIGINT, does first what it has accepted, and ends well.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods, clippy::print_stdout, reason = "tests")]

use std::{
    env,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use dna::prelude::*;

const STORE_VARIABLE: &str = "DNA_SIGNAL_CHILD_STORE";
const CASTS: u64 = 500;

struct Counter {
    total: Value<u64>,
}

#[dna::actor]
impl Counter {
    async fn init(ctx: Context) -> dna::Result<Self> {
        Ok(Counter { total: ctx.open("total")? })
    }

    pub async fn add(&mut self, amount: u64) -> dna::Result<u64> {
        let total = self.total.get().await?.unwrap_or(0) + amount;
        self.total.set(total);
        Ok(total)
    }

    /// Ends with its process only.
    pub async fn hang(&mut self) {
        loop {
            tokio::time::sleep(Duration::from_secs(60)).await;
        }
    }
}

#[test]
fn a_child_runs_until_a_signal() {
    let Ok(path) = env::var(STORE_VARIABLE) else {
        println!("this is what the other tests start as a process of its own");
        return;
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let ended = runtime.block_on(async {
        let builder = Node::builder().store(Embedded::open(path).unwrap()).actor::<Counter>();
        let node = builder.shutdown_timeout(Duration::from_secs(600)).start().await.unwrap();
        let hangs = env::args().any(|argument| argument == "hangs");
        let counter = node.client::<Counter>("a");
        for _ in 0..CASTS {
            counter.add(1).cast().await.unwrap();
        }
        if hangs {
            node.client::<Counter>("b").hang().cast().await.unwrap();
        }
        let run = node.run_until_signal();
        let mut run = std::pin::pin!(run);
        // Polled once, it is told of signals.
        assert!(futures_util::poll!(&mut run).is_pending());
        println!("ready");
        std::io::stdout().flush().unwrap();
        run.await
    });
    println!("{ended:?}");
    runtime.shutdown_background();
}

fn start(store: &Path, more: &[&str]) -> (Child, BufReader<std::process::ChildStdout>) {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", "a_child_runs_until_a_signal", "--nocapture"]).args(more);
    let mut child = command.env(STORE_VARIABLE, store).stdout(Stdio::piped()).spawn().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    until(&mut output, "ready");
    (child, output)
}

/// Reads up to the line that ends like this.
fn until(output: &mut impl BufRead, end: &str) {
    let mut line = String::new();
    while !line.trim_end().ends_with(end) {
        line.clear();
        assert!(output.read_line(&mut line).unwrap() > 0, "it ended without `{end}`");
    }
}

fn send(signal: &str, child: &Child) {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "kill -s \"$0\" \"$1\"", signal, &child.id().to_string()]);
    assert!(command.status().unwrap().success());
}

#[tokio::test]
async fn a_node_that_is_told_to_end_handles_what_it_has_accepted_and_ends_well() {
    for signal in ["TERM", "INT"] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.dna");
        let (mut child, mut output) = start(&path, &[]);
        send(signal, &child);
        until(&mut output, "Ok(())");
        assert!(child.wait().unwrap().success());
        let node = Node::builder().store(Embedded::open(path).unwrap()).actor::<Counter>().start().await.unwrap();
        assert_eq!(node.client::<Counter>("a").add(0).await.unwrap(), CASTS, "SIG{signal}");
        node.shutdown().await.unwrap();
    }
}

#[test]
fn a_node_that_is_told_twice_does_not_wait_for_what_does_not_end() {
    let folder = tempfile::tempdir().unwrap();
    let (mut child, mut output) = start(&folder.path().join("store.dna"), &["hangs"]);
    send("TERM", &child);
    // Told twice at once it may hear it once.
    while child.try_wait().unwrap().is_none() {
        send("INT", &child);
        std::thread::sleep(Duration::from_millis(50));
    }
    let mut rest = String::new();
    std::io::Read::read_to_string(&mut output, &mut rest).unwrap();
    assert!(rest.contains("a second time"), "{rest}");
}
