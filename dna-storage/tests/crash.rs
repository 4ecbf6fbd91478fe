//! A process that commits is killed with SIGKILL at random moments, over and over, on one store: no acknowledged group
//! is lost, none is torn, and the numbers go on.
//!
//! The child is this test binary again, told by its environment to commit. `DNA_CRASH_ROUNDS` sets the number of rounds,
//! `DNA_CRASH_SEED` the moments.
//!
//! SIGKILL leaves the page cache as it is. So this catches a store that answers before it has written, which a switch
//! proves here; that an answer also comes after its sync is what `embedded_faults` shows.
#![allow(clippy::unwrap_used, reason = "a test that fails is to panic")]

mod support;

use std::{
    env,
    io::{BufRead, BufReader, Write as _},
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use bytes::Bytes;
use dna_core::{
    ActorName, ActorWrites, KeyRange, Store,
    testing::{self, Committer},
};
use dna_storage::{
    Durability, Embedded, EmbeddedError,
    journaled::{GATHER_ROWS, JournaledOptions},
};
use support::random::Random;

const ACTORS: u64 = 6;
/// How many rows each actor has; one of them is written by each group.
const SLOTS: u64 = 16;
/// Every so many groups an actor's rows are all removed first.
const CLEAR_EVERY: u64 = 50;

const CHILD_STORE: &str = "DNA_CRASH_CHILD_STORE";
const CHILD_BUFFERED: &str = "DNA_CRASH_CHILD_BUFFERED";
const CHILD_ANSWERS_EARLY: &str = "DNA_CRASH_CHILD_ANSWERS_EARLY";

/// What a store did that it must not do.
#[derive(Debug, thiserror::Error)]
enum Violation {
    #[error("group {acknowledged} was acknowledged, {found} is the last one that is there")]
    Lost { acknowledged: u64, found: u64 },
    #[error("{actor} has not the rows that the groups up to {group} have written")]
    Torn { group: u64, actor: ActorName },
    #[error("the store does not open: {0}")]
    DoesNotOpen(EmbeddedError),
}

fn actors() -> impl Iterator<Item = ActorName> {
    (0..ACTORS).map(|index| testing::actor(&format!("actor-{index}")))
}

fn value(group: u64) -> Bytes {
    // Of all sizes up to some kilobytes, so that there is something to tear.
    let len = usize::try_from(group * 7919 % 5000).unwrap();
    [&group.to_be_bytes()[..], &vec![b'v'; len]].concat().into()
}

/// What group `number` writes, to every actor alike.
fn writes(number: u64) -> Vec<ActorWrites> {
    let mut list = Vec::new();
    if number.is_multiple_of(CLEAR_EVERY) {
        list.push(testing::delete_range("m", KeyRange::all()));
    }
    list.push(testing::put("m", (number % SLOTS).to_be_bytes().to_vec(), value(number)));
    actors().map(|actor| testing::writes(&actor, list.clone())).collect()
}

/// The rows that every actor has once exactly the groups up to `last` are in: nothing is older than the last clearing.
fn expected(last: u64) -> Vec<(Bytes, Bytes)> {
    let first = (last - last % CLEAR_EVERY).max(1);
    let newest = |slot: u64| (first..=last).rev().find(|number| number % SLOTS == slot);
    let row = |slot: u64| Some((slot.to_be_bytes().to_vec().into(), value(newest(slot)?)));
    (0..SLOTS).filter_map(row).collect()
}

#[test]
fn this_process_commits_until_it_is_killed_if_its_environment_says_so() {
    let Ok(path) = env::var(CHILD_STORE) else { return };
    let durability = if env::var(CHILD_BUFFERED).is_ok() { Durability::Buffered } else { Durability::Fsync };
    // Every other process stores its rows at once, so that many are killed while they do.
    let gather_rows = if std::process::id().is_multiple_of(2) { Duration::ZERO } else { GATHER_ROWS };
    let journaled = JournaledOptions { gather_rows, ..JournaledOptions::default() };
    let store = Embedded::options().durability(durability).journaled(journaled).open(&path).unwrap();
    if env::var(CHILD_ANSWERS_EARLY).is_ok() {
        store.faults().answer_before_writing();
    }
    testing::run(async {
        let mut out = std::io::stdout();
        let mut committer = Committer::attach(&store).await;
        loop {
            let number = committer.next();
            committer.commit(writes(number)).await.unwrap();
            // In one write, so that a line is whole or not there.
            out.write_all(format!("\nacknowledged {number}\n").as_bytes()).unwrap();
            out.flush().unwrap();
        }
    });
}

fn start_child(path: &Path, switches: &[&str]) -> (Child, Receiver<u64>, JoinHandle<()>) {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", "this_process_commits_until_it_is_killed_if_its_environment_says_so", "--nocapture"]);
    command.env(CHILD_STORE, path).stdout(Stdio::piped()).stderr(Stdio::null());
    for switch in switches {
        command.env(switch, "1");
    }
    let mut child = command.spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let (sender, acknowledged) = channel();
    #[allow(clippy::disallowed_methods, reason = "reads a pipe until it ends")]
    let reader = thread::spawn(move || {
        for line in lines.map_while(Result::ok) {
            if let Some(number) = line.strip_prefix("acknowledged ") {
                let _ = sender.send(number.parse().unwrap());
            }
        }
    });
    (child, acknowledged, reader)
}

/// Lets a child commit for a random while and kills it; the last number that it acknowledged, if any.
fn run_and_kill(path: &Path, random: &mut Random, switches: &[&str]) -> Option<u64> {
    let (mut child, acknowledged, reader) = start_child(path, switches);
    let mut last = None;
    // One child in eight is killed while it opens the store, the others some milliseconds after their first commit.
    if !random.one_in(8) {
        last = acknowledged.recv().ok();
    }
    let moment = Duration::from_micros(random.next() % 60_000);
    match wait(&acknowledged, moment, &mut last) {
        RecvTimeoutError::Timeout => child.kill().unwrap(),
        RecvTimeoutError::Disconnected => panic!("the child ended by itself: {:?}", child.wait()),
    }
    child.wait().unwrap();
    reader.join().unwrap();
    acknowledged.try_iter().last().or(last)
}

/// Takes note of what is acknowledged until `moment` has passed.
#[allow(clippy::disallowed_methods, reason = "a random moment to kill at is what the harness is about")]
fn wait(acknowledged: &Receiver<u64>, moment: Duration, last: &mut Option<u64>) -> RecvTimeoutError {
    let end = Instant::now() + moment;
    loop {
        match acknowledged.recv_timeout(end.saturating_duration_since(Instant::now())) {
            Ok(number) => *last = Some(number),
            Err(end) => return end,
        }
    }
}

/// Opens what a killed child has left; the number of the last group in it.
fn check(path: &Path, acknowledged: u64) -> Result<u64, Violation> {
    let store = Embedded::open(path).map_err(Violation::DoesNotOpen)?;
    let mut result = Ok(0);
    testing::run(async {
        result = check_rows(&store, acknowledged).await;
    });
    result
}

async fn check_rows(store: &Embedded, acknowledged: u64) -> Result<u64, Violation> {
    let last = store.attach().await.unwrap() - 1;
    if last < acknowledged {
        return Err(Violation::Lost { acknowledged, found: last });
    }
    // Once while the journal is merged over the rows, once with everything stored.
    for _ in 0..2 {
        for actor in actors() {
            let rows = store.scan(&actor, "m", &KeyRange::all(), usize::MAX, false).await.unwrap();
            if rows != expected(last) {
                return Err(Violation::Torn { group: last, actor });
            }
        }
        store.drain().await.unwrap();
    }
    Ok(last)
}

fn rounds() -> usize {
    env::var("DNA_CRASH_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(50)
}

/// Kills children on one store, one after the other, and checks what each has left. How many groups there are.
fn torment(rounds: usize, switches: &[&str]) -> Result<u64, Violation> {
    let seed = env::var("DNA_CRASH_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    let mut random = Random::new(seed);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("dna");
    let mut last = 0;
    for round in 0..rounds {
        let acknowledged = run_and_kill(&path, &mut random, switches);
        // Every other child opens the store as its predecessor has left it.
        if round % 2 == 0 || round + 1 == rounds {
            last = check(&path, acknowledged.unwrap_or(last))?;
        } else {
            last = acknowledged.unwrap_or(last);
        }
    }
    Ok(last)
}

#[test]
fn a_killed_process_loses_no_acknowledged_group_and_tears_none() {
    match torment(rounds(), &[]) {
        Ok(groups) => assert!(groups > 0, "no child came to commit anything"),
        Err(violation) => panic!("{violation}"),
    }
}

#[test]
fn a_killed_process_loses_nothing_with_buffered_durability_either() {
    if let Err(violation) = torment(rounds() / 2, &[CHILD_BUFFERED]) {
        panic!("{violation}");
    }
}

#[test]
fn a_store_that_answers_before_it_has_written_is_caught() {
    let found = torment(rounds(), &[CHILD_ANSWERS_EARLY]);
    assert!(matches!(found, Err(Violation::Lost { .. })), "{found:?}");
}
