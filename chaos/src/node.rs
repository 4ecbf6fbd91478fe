//! A node of the cluster, and the clients in it. It is told on its standard input:
//!
//! | Word | What it does | What it says |
//! |---|---|---|
//! | | is a member, told to end by SIGTERM | `ready` |
//! | `quiet` | its clients call no more | `quiet` when all have ended |
//! | `read` | reads all registers | `read` |
//! | `dump` | the same, and writes down all trails | `dump` |

use std::{
    io::{self, BufRead},
    net::SocketAddr,
    path::PathBuf,
    process::ExitCode,
    thread,
    time::Duration,
};

use dna::{Node, Scylla, ScyllaConfig, Secret};
use dna_core::testing::history::Recorder;
use tokio::sync::mpsc;

use crate::{
    actors::Trail,
    clock,
    load::{Files, Load, Names},
    recorded::Lines,
    register::Register,
};

/// The database's tables.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Tables {
    #[arg(long)]
    pub(crate) contact: SocketAddr,
    #[arg(long)]
    pub(crate) keyspace: String,
}

/// What a node is told at its start.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    tables: Tables,
    #[command(flatten)]
    names: Names,
    /// What it is called: no other process of the run is called so.
    #[arg(long)]
    name: String,
    #[arg(long)]
    listen: SocketAddr,
    #[arg(long)]
    lease_ms: u64,
    #[arg(long)]
    seed: u64,
    /// Where it writes down what was called.
    #[arg(long)]
    dir: PathBuf,
}

/// Nobody else reaches the networks of a run.
const SECRET: &[u8] = b"known to all the nodes of a run!";
/// How long a call may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a request to the database may take.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(2);

impl Tables {
    fn config(&self) -> ScyllaConfig {
        ScyllaConfig::new([self.contact.to_string()], &self.keyspace)
    }
}

/// Makes the tables.
pub(crate) fn create_schema(tables: &Tables) -> ExitCode {
    let timeout = Duration::from_secs(60);
    let config = tables.config().connect_timeout(timeout).request_timeout(timeout);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(Scylla::create_schema(&config, Some(1))).unwrap();
    ExitCode::SUCCESS
}

/// Runs until SIGTERM, or until there is nobody any more who could want something.
pub(crate) fn run(options: &Options) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(serve(options))
}

async fn serve(options: &Options) -> ExitCode {
    let words = words();
    let file = |kind: &str| Lines::create(&options.dir.join(format!("{}.{kind}", options.name)));
    let recorder = Recorder::of_one_process(clock::micros, file("history"));
    let files = Files { trails: file("trail"), probes: file("probes"), errors: file("errors") };
    let load = Load::new(&options.name, options.names, recorder, files);
    let node = loop {
        match start(options).await {
            Ok(node) => break node,
            // The database may be away.
            Err(error) => load.note_error(&format!("Start: {error}")),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    let mut run = std::pin::pin!(node.run_until_signal());
    // Polled once, it is told of signals.
    assert!(futures_util::poll!(&mut run).is_pending());
    println!("ready");
    load.start(options.seed);
    let dumped = options.dir.join("trails.txt");
    let told = tokio::spawn(obey(words, load.clone(), dumped));
    let ended = run.await;
    told.abort();
    load.end().await;
    match ended {
        Ok(()) => println!("left"),
        Err(error) => println!("stayed: {error}"),
    }
    ExitCode::SUCCESS
}

async fn start(options: &Options) -> Result<Node, String> {
    let config = options.tables.config().request_timeout(REQUEST_TIMEOUT).commit_timeout(REQUEST_TIMEOUT);
    let store = Scylla::connect(config).await.map_err(|error| error.to_string())?;
    let builder = Node::builder().store(store).listen(options.listen).lease(Duration::from_millis(options.lease_ms));
    let secret = Secret::new(SECRET).map_err(|error| error.to_string())?;
    let builder = builder.security(secret).call_timeout(CALL_TIMEOUT).actor::<Register>().actor::<Trail>();
    builder.start().await.map_err(|error| error.to_string())
}

async fn obey(mut words: mpsc::UnboundedReceiver<String>, load: Load, dumped: PathBuf) {
    while let Some(word) = words.recv().await {
        match word.as_str() {
            "quiet" => load.end().await,
            "read" => load.read_registers().await,
            "dump" => {
                load.read_registers().await;
                load.dump_trails(&Lines::create(&dumped)).await;
            }
            _ => panic!("`{word}`"),
        }
        println!("{word}");
    }
}

/// The words that come in; they end with the process that sends them.
fn words() -> mpsc::UnboundedReceiver<String> {
    let (sender, words) = mpsc::unbounded_channel();
    thread::spawn(move || {
        for line in io::stdin().lock().lines() {
            let Ok(line) = line else { break };
            if sender.send(line).is_err() {
                return;
            }
        }
        std::process::exit(1);
    });
    words
}
