//! A process is killed with SIGKILL in the midst of its work, again and again, on one store: what was acknowledged is
//! there, what a reply showed is there, and no message is there by half.
//!
//! The test binary starts itself as the child: it runs a node with several actors, writers and readers, and prints what
//! it was answered. The parent kills it at a random moment, opens the store, and compares.
//!
//! `DNA_CRASH_ROUNDS` sets the number of rounds, `DNA_CRASH_SEED` the random moments. A killed process leaves to the
//! operating system what it has written, so this finds answers that run ahead of the write; what runs ahead of the
//! fsync alone takes a power failure.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "tests"
)]

#[path = "support/rng.rs"]
mod rng;

use std::{
    collections::BTreeMap,
    env, fmt,
    io::{self, BufRead, BufReader, Write},
    path::Path,
    process::{Child, Command, Stdio, exit},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread,
    time::{Duration, Instant},
};

use dna::prelude::*;
use rng::Rng;

const ACTORS: [&str; 3] = ["amber", "birch", "cedar"];
const LANES: u32 = 2;
const KEYS: u32 = 5;
const ROUNDS: u64 = 50;

/// What only a message writes that fails.
const FAILED: u64 = 1 << 60;

/// How many numbers a round has for itself, so that those of the next are greater.
const NUMBERS_A_ROUND: u64 = 1_000_000_000;

const STORE_VARIABLE: &str = "DNA_CRASH_CHILD_STORE";
const FIRST_VARIABLE: &str = "DNA_CRASH_CHILD_FIRST";
const EARLY_VARIABLE: &str = "DNA_CRASH_CHILD_EARLY";

/// Every message writes one number under all keys of a lane, in all modules.
struct Board {
    many: Kv<(u32, u32), u64>,
    one: Kv<String, u64>,
    last: Value<BTreeMap<u32, u64>>,
    // In memory only: what a reply shows of it has to be durable all the same.
    recalled: BTreeMap<u32, u64>,
}

#[dna::actor]
impl Board {
    async fn init(ctx: Context) -> dna::Result<Self> {
        let mut board = Board {
            many: ctx.open("many")?,
            one: ctx.open("one")?,
            last: ctx.open("last")?,
            recalled: BTreeMap::new(),
        };
        board.recalled = board.last.get().await?.unwrap_or_default();
        Ok(board)
    }

    pub async fn write(&mut self, lane: u32, number: u64) -> dna::Result<()> {
        self.put(lane, number).await?;
        self.recalled.insert(lane, number);
        Ok(())
    }

    pub async fn fail(&mut self, lane: u32) -> dna::Result<()> {
        self.put(lane, FAILED).await?;
        Err(dna::Error::new("as it was asked to"))
    }

    /// What stands under all keys of a lane.
    pub async fn read(&self, lane: u32) -> dna::Result<Vec<u64>> {
        let mut found =
            self.many.list().prefix((lane,)).await?.into_iter().map(|(_, number)| number).collect::<Vec<_>>();
        found.extend(self.one.get(lane.to_string()).await?);
        found.extend(self.last.get().await?.unwrap_or_default().get(&lane));
        Ok(found)
    }

    pub fn recall(&self, lane: u32) -> Option<u64> {
        self.recalled.get(&lane).copied()
    }

    async fn put(&mut self, lane: u32, number: u64) -> dna::Result<()> {
        let mut last = self.last.get().await?.unwrap_or_default();
        last.insert(lane, number);
        self.last.set(last);
        self.many.put_many((0..KEYS).map(|key| ((lane, key), number)));
        self.one.put(lane.to_string(), number);
        Ok(())
    }
}

// --- the child ---------------------------------------------------------------------------------------------------

#[test]
fn a_child_works_until_it_is_killed() {
    let Ok(store) = env::var(STORE_VARIABLE) else {
        println!("this is what the other tests start as a process of its own");
        return;
    };
    let first = env::var(FIRST_VARIABLE).unwrap().parse().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(work(Path::new(&store), first));
}

async fn work(store: &Path, first: u64) {
    let store = Embedded::open(store).unwrap();
    if env::var(EARLY_VARIABLE).is_ok() {
        store.faults().answer_before_writing();
    }
    let node = Node::builder().store(store).actor::<Board>().start().await.unwrap();
    say(format_args!(""));
    let mut tasks = tokio::task::JoinSet::new();
    for actor in ACTORS {
        for lane in 0..LANES {
            let board = node.client::<Board>(actor);
            tasks.spawn(async move {
                for number in first.. {
                    board.write(lane, number).await.unwrap();
                    say(format_args!("wrote {actor} {lane} {number}"));
                    if number % 8 == 0 {
                        assert!(matches!(board.fail(lane).await, Err(CallError::Handler { .. })));
                    }
                }
            });
        }
        let board = node.client::<Board>(actor);
        tasks.spawn(async move {
            for turn in 0.. {
                let lane = turn % LANES;
                let found = board.read(lane).await.unwrap();
                found.iter().for_each(|number| say(format_args!("showed {actor} {lane} {number}")));
                if let Some(number) = board.recall(lane).await.unwrap() {
                    say(format_args!("showed {actor} {lane} {number}"));
                }
            }
        });
    }
    tasks.join_next().await.unwrap().unwrap();
}

/// Prints a line at once. Without somebody who listens there is nothing left to do.
fn say(line: fmt::Arguments<'_>) {
    let mut stdout = io::stdout().lock();
    if writeln!(stdout, "{line}").and_then(|()| stdout.flush()).is_err() {
        exit(1);
    }
}

// --- the parent --------------------------------------------------------------------------------------------------

/// A lane of an actor.
type Lane = (String, u32);

#[derive(Debug, PartialEq, Eq)]
enum Violation {
    /// It was acknowledged, and is not there.
    Lost { lane: Lane, acknowledged: u64, stored: u64 },
    /// A reply showed it, and it is not there.
    Vanished { lane: Lane, shown: u64, stored: u64 },
    /// A message is there by half.
    Torn { lane: Lane, stored: Vec<u64> },
    /// A message that failed is there.
    Failed { lane: Lane },
}

/// What the children have said so far: the greatest numbers of each lane.
#[derive(Debug, Default)]
struct Heard {
    acknowledged: BTreeMap<Lane, u64>,
    shown: BTreeMap<Lane, u64>,
    lines: u64,
}

impl Heard {
    fn line(&mut self, line: &str) {
        let mut words = line.split(' ');
        let greatest = match words.next() {
            Some("wrote") => &mut self.acknowledged,
            Some("showed") => &mut self.shown,
            _ => return,
        };
        let (Some(actor), Some(lane), Some(number)) = (words.next(), words.next(), words.next()) else { return };
        let (lane, number): (u32, u64) = (lane.parse().unwrap(), number.parse().unwrap());
        let greatest = greatest.entry((actor.to_owned(), lane)).or_default();
        *greatest = number.max(*greatest);
        self.lines += 1;
    }

    /// Compares with what stands under all keys of a lane now.
    fn check(&self, lane: &Lane, stored: &[u64]) -> Result<(), Violation> {
        let lane = lane.clone();
        let number = stored.first().copied().unwrap_or_default();
        if stored.contains(&FAILED) {
            return Err(Violation::Failed { lane });
        }
        if !stored.is_empty() && stored.len() != KEYS as usize + 2 || stored.iter().any(|other| *other != number) {
            return Err(Violation::Torn { lane, stored: stored.to_vec() });
        }
        match (self.acknowledged.get(&lane), self.shown.get(&lane)) {
            (Some(&acknowledged), _) if number < acknowledged => {
                Err(Violation::Lost { lane, acknowledged, stored: number })
            }
            (_, Some(&shown)) if number < shown => Err(Violation::Vanished { lane, shown, stored: number }),
            _ => Ok(()),
        }
    }
}

/// When a child is killed.
#[derive(Debug, Clone, Copy)]
enum Moment {
    /// This long after it was started: it may be opening the store.
    AfterStart(Duration),
    /// This long after it was heard for the first time: it is at work.
    AtWork(Duration),
}

/// Kills children on one store, round after round. Answers what was heard, or what was wrong.
fn rounds(rounds: u64, rng: &mut Rng, answers_early: bool) -> Result<Heard, Violation> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("boards.dna");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let mut heard = Heard::default();
    for round in 0..rounds {
        let micros = Duration::from_micros(rng.below(60_000));
        let moment = if rng.once_in(5) { Moment::AfterStart(micros) } else { Moment::AtWork(micros) };
        let mut child = start(&path, round * NUMBERS_A_ROUND, answers_early);
        listen_and_kill(&mut child, moment, &mut heard);
        if let Err(violation) = runtime.block_on(compare(&path, &mut heard)) {
            println!("round {round}, killed {moment:?}: {violation:?}");
            return Err(violation);
        }
    }
    Ok(heard)
}

fn start(path: &Path, first: u64, answers_early: bool) -> Child {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["a_child_works_until_it_is_killed", "--exact", "--nocapture"]);
    command.env(STORE_VARIABLE, path).env(FIRST_VARIABLE, first.to_string());
    if answers_early {
        command.env(EARLY_VARIABLE, "yes");
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap()
}

fn listen_and_kill(child: &mut Child, moment: Moment, heard: &mut Heard) {
    let lines = lines_of(child);
    let patience = Duration::from_secs(60);
    let mut at = match moment {
        Moment::AfterStart(after) => Some(Instant::now() + after),
        Moment::AtWork(_) => None,
    };
    loop {
        let left = at.map_or(patience, |at| at.saturating_duration_since(Instant::now()));
        match lines.recv_timeout(left) {
            Ok(line) => {
                heard.line(&line);
                if let (None, Moment::AtWork(after), true) = (at, moment, line.starts_with("wrote")) {
                    at = Some(Instant::now() + after);
                }
            }
            Err(RecvTimeoutError::Timeout) if at.is_some() => break,
            Err(error) => {
                let _ = child.kill();
                panic!("the child was to be killed at work, not to end or fall silent: {error}");
            }
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    // What it had said before.
    lines.iter().for_each(|line| heard.line(&line));
}

/// The whole lines that a child prints, until it ends.
fn lines_of(child: &mut Child) -> Receiver<String> {
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let (sender, lines) = channel();
    thread::spawn(move || {
        let mut line = String::new();
        while stdout.read_line(&mut line).is_ok_and(|bytes| bytes > 0) {
            if let Some(whole) = line.strip_suffix('\n')
                && sender.send(whole.to_owned()).is_err()
            {
                return;
            }
            line.clear();
        }
    });
    lines
}

/// Opens the store that a killed process has left.
async fn compare(path: &Path, heard: &mut Heard) -> Result<(), Violation> {
    let node = Node::builder().store(Embedded::open(path).unwrap()).actor::<Board>().start().await.unwrap();
    for actor in ACTORS {
        let board = node.client::<Board>(actor);
        for lane in 0..LANES {
            let stored = board.read(lane).await.unwrap();
            let recalled = board.recall(lane).await.unwrap();
            assert_eq!(recalled, stored.first().copied(), "init reads what is stored");
            let lane = (actor.to_owned(), lane);
            heard.check(&lane, &stored)?;
            // This was a reply, too.
            heard.shown.extend(recalled.map(|number| (lane, number)));
        }
    }
    node.shutdown().await.unwrap();
    Ok(())
}

#[test]
fn nothing_that_was_acknowledged_or_shown_is_lost_and_no_message_is_torn() {
    let count = env::var("DNA_CRASH_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(ROUNDS);
    let mut rng = Rng::new(Rng::seed("DNA_CRASH_SEED"));
    let heard = rounds(count, &mut rng, false).unwrap();
    println!("{count} rounds, {} answers", heard.lines);
    assert_eq!(heard.acknowledged.len(), ACTORS.len() * LANES as usize, "every writer was at work");
    assert_eq!(heard.shown.len(), ACTORS.len() * LANES as usize, "every reader was at work");
}

#[test]
fn a_store_that_answers_before_it_has_written_is_found_out() {
    let mut rng = Rng::new(Rng::seed("DNA_CRASH_SEED"));
    let violation = rounds(ROUNDS, &mut rng, true).expect_err("a loss is found within the rounds of the other test");
    assert!(matches!(violation, Violation::Lost { .. } | Violation::Vanished { .. }), "{violation:?}");
}

#[test]
fn the_comparison_tells_each_violation() {
    let lane = ("amber".to_owned(), 1);
    let mut heard = Heard::default();
    heard.line("wrote amber 1 7");
    heard.line("showed amber 1 6");
    assert_eq!(heard.check(&lane, &[7; 7]), Ok(()));
    assert_eq!(heard.check(&lane, &[8; 7]), Ok(()), "it was on its way when the process was killed");
    let lost = |stored| Violation::Lost { lane: lane.clone(), acknowledged: 7, stored };
    assert_eq!(heard.check(&lane, &[6; 7]), Err(lost(6)));
    assert_eq!(heard.check(&lane, &[]), Err(lost(0)));
    assert_eq!(heard.check(&lane, &[FAILED; 7]), Err(Violation::Failed { lane: lane.clone() }));
    for torn in [&[8, 8, 7, 8, 8, 8, 8][..], &[8; 6]] {
        assert_eq!(heard.check(&lane, torn), Err(Violation::Torn { lane: lane.clone(), stored: torn.to_vec() }));
    }
    heard.line("showed amber 1 9");
    assert_eq!(heard.check(&lane, &[8; 7]), Err(Violation::Vanished { lane: lane.clone(), shown: 9, stored: 8 }));
}
