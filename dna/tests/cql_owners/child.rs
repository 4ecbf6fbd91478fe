//! The process under test: a node of a cluster that serves registers, and does as it is told on its standard input.
//!
//! | Line | What it does | What it answers |
//! |---|---|---|
//! | `arm NTH kill POINT`, or `stop` | ends or stops itself at that fault point | `@fault POINT` |
//! | `join` | becomes a member | `@member ID` whenever it is one under another id |
//! | | takes over | `@takes ID own`, or for how many milliseconds at the most it has seen that one silent |
//! | `hold rows` | stores no rows from now on | |
//! | `NUMBER REGISTER where` | | `@NUMBER owns`, or `other` if the register is not its own |
//! | `NUMBER REGISTER ACTION` | calls a register, wherever it is served | `@NUMBER ok VALUE`, or `not-applied` or `unknown` and why |
//! | `leave` | leaves the cluster and ends | `@left` or `@stayed WHY` |

use std::{
    env, fmt,
    io::{self, BufRead, Write},
    process::{self, Command, Stdio, exit},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use dna::{ClusterStore, Location, Node, Scylla, ScyllaConfig};
use dna_core::testing::{
    at_fault_points,
    history::{Action, Ended},
};
use dna_storage::ScyllaFaults;
use tokio::sync::mpsc;

use crate::{
    register::{Register, apply, ended},
    watched::Watched,
};

/// What makes this program a child: where it listens, the database's address, the keyspace and the number of its journals,
/// with spaces in between.
pub(crate) const VARIABLE: &str = "DNA_OWNER";
/// Takes a rule out: which one.
pub(crate) const WITHOUT_VARIABLE: &str = "DNA_OWNER_WITHOUT";
/// The rule that sealed journals take nothing more.
pub(crate) const SEALS: &str = "seals";
/// The rule that what a dead node has not stored is stored before its names have another owner.
pub(crate) const REPLAY: &str = "replay";

/// How long a lease is here: short, since every takeover waits for it.
pub(crate) const LEASE: Duration = Duration::from_secs(1);
/// How long a call may take.
pub(crate) const CALL_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a request to the database may take.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(2);

/// Where the process ends or stops itself.
struct Armed {
    point: String,
    nth: u64,
    signal: &'static str,
}

static ARMED: Mutex<Option<Armed>> = Mutex::new(None);
static PASSED: AtomicU64 = AtomicU64::new(0);

#[test]
fn a_child_serves_until_it_ends() {
    let Ok(what) = env::var(VARIABLE) else {
        println!("this is what the other tests start as a process of its own");
        return;
    };
    at_fault_points(at_point);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(serve(&what));
}

fn at_point(point: &'static str) {
    let signal = {
        let mut armed = ARMED.lock().unwrap();
        match &*armed {
            Some(Armed { point: at, nth, signal })
                if at == point && PASSED.fetch_add(1, Ordering::SeqCst) + 1 == *nth =>
            {
                let signal = *signal;
                *armed = None;
                signal
            }
            _ => return,
        }
    };
    say(format_args!("fault {point}"));
    signal_process(process::id(), signal);
    if signal == "KILL" {
        // It has no effect before this thread is told.
        loop {
            thread::park();
        }
    }
}

/// Sends a signal to a process that the caller has started, or is.
pub(crate) fn signal_process(pid: u32, signal: &str) {
    // The shell's own `kill`: the program of that name is not everywhere.
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "kill -s \"$0\" \"$1\"", signal, &pid.to_string()]).stdin(Stdio::null());
    assert!(command.status().unwrap().success(), "SIG{signal} could not be sent to {pid}");
}

async fn serve(what: &str) {
    let [listen, contact, keyspace, lanes] = what.split(' ').collect::<Vec<_>>()[..] else { panic!("{what}") };
    let without = env::var(WITHOUT_VARIABLE).unwrap_or_default();
    let faults = ScyllaFaults::default();
    let faults = if without == SEALS { faults.ignore_seals() } else { faults };
    let config = ScyllaConfig::new([contact], keyspace)
        .request_timeout(REQUEST_TIMEOUT)
        .commit_timeout(REQUEST_TIMEOUT)
        .faults(faults.clone());
    let mut lines = lines();
    let mut node = None;
    while let Some(line) = lines.recv().await {
        match line.split(' ').collect::<Vec<_>>()[..] {
            ["arm", nth, signal, ..] => arm(nth, signal, line.splitn(4, ' ').nth(3).unwrap()),
            ["join"] => {
                let store = Watched::new(Scylla::connect(config.clone()).await.unwrap(), without != REPLAY);
                let store: Arc<dyn ClusterStore> = Arc::new(store);
                node = Some(loop {
                    let builder = Node::builder().store(store.clone()).listen(listen.parse().unwrap()).lease(LEASE);
                    // Without a weight a register moves only when its owner leaves or dies, which is what the tests are about.
                    let builder = builder.weight(0).journal_lanes(lanes.parse().unwrap());
                    match builder.call_timeout(CALL_TIMEOUT).actor::<Register>().start().await {
                        Ok(node) => break node,
                        // On a busy machine a lease is short.
                        Err(error) => assert!(error.is_retryable(), "{error}"),
                    }
                });
            }
            ["hold", "rows"] => faults.rows().hold(),
            ["leave"] => {
                faults.rows().release();
                break;
            }
            [number, register, "where"] => {
                let owner = node.as_ref().map(|node| node.whereis::<Register>(register).unwrap());
                say(format_args!("{number} {}", if owner == Some(Location::Here) { "owns" } else { "other" }));
            }
            [number, register, ..] => {
                let action = line.splitn(3, ' ').nth(2).unwrap().parse::<Action>().unwrap();
                let Some(register) = node.as_ref().map(|node| node.client::<Register>(register)) else {
                    say(format_args!("{number} not-applied no member yet"));
                    continue;
                };
                let number = number.to_owned();
                tokio::spawn(async move {
                    let answer = apply(&register, action).await;
                    let why = answer.as_ref().err().map(ToString::to_string).unwrap_or_default();
                    match ended(&answer) {
                        Ended::Ok(value) => say(format_args!("{number} ok {value}")),
                        Ended::NotApplied => say(format_args!("{number} not-applied {why}")),
                        Ended::Unknown => say(format_args!("{number} unknown {why}")),
                    }
                });
            }
            _ => panic!("{line}"),
        }
    }
    if let Some(node) = node {
        match node.shutdown().await {
            Ok(()) => say(format_args!("left")),
            Err(error) => say(format_args!("stayed {error}")),
        }
    }
    exit(0);
}

fn arm(nth: &str, signal: &str, point: &str) {
    let signal = if signal == "kill" { "KILL" } else { "STOP" };
    PASSED.store(0, Ordering::SeqCst);
    *ARMED.lock().unwrap() = Some(Armed { point: point.to_owned(), nth: nth.parse().unwrap(), signal });
}

/// The lines that come in; they end with the process that sends them.
fn lines() -> mpsc::UnboundedReceiver<String> {
    let (sender, lines) = mpsc::unbounded_channel();
    thread::spawn(move || {
        for line in io::stdin().lock().lines() {
            let Ok(line) = line else { break };
            if sender.send(line).is_err() {
                return;
            }
        }
        // Nobody is there any more who could want something.
        exit(1);
    });
    lines
}

/// Prints a line at once. Without somebody who listens there is nothing left to do.
pub(crate) fn say(line: fmt::Arguments<'_>) {
    let mut stdout = io::stdout().lock();
    if writeln!(stdout, "@{line}").and_then(|()| stdout.flush()).is_err() {
        exit(1);
    }
}
