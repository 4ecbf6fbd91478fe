//! Workload 6: the memory of an idle actor. Each measurement is a process of its own, which reads from the operating
//! system what it holds before and after: what the allocator takes beside what it was asked for is in it.

use std::{fs, ops::Range, sync::Arc, time::Duration};

use dna::Node;

use super::Contender;
use crate::{
    actors::{Counter, Table},
    bench::Bench,
    child::Child,
    error::{Error, check_eq},
    keys::VALUE,
    load::{self, Amount},
    measure::number,
    references::tasks::Tasks,
    row::{Board, Class, Spec, Unit},
    store::{AnyStore, name_of},
};

/// Callers of the first messages.
const CALLERS: u64 = 64;

/// Names that are made and forgotten before the first look, so that what a process needs once is there.
const WARM_UP: u64 = 2000;

/// How long actors are left alone until they are idle.
const REST: Duration = Duration::from_millis(500);

/// How many names are passivated together.
const WAVE: usize = 1000;

/// The page size is asked of nobody: 4 KiB on all that this has been run on.
const PAGE_BYTES: u64 = 4096;

const TASKS: &str = "a task and a channel for each name";

/// What is measured, and what the child is told.
const KINDS: [&str; 4] = ["plain", "row", "passivated", "tasks"];

pub(super) async fn run(bench: &Bench, board: &mut Board) -> Result<(), Error> {
    if resident_bytes().is_none() {
        println!("(6) is left out: it reads /proc/self/statm, which is not there");
        return Ok(());
    }
    let names = bench.scale.names;
    let spec = |what| {
        let name = format!("{what} beside its name, of {names}");
        Spec::new(6, Class::Memory, Unit::Bytes, name)
    };
    let (plain, row) = (spec("an idle actor with a number"), spec("an idle actor with one stored row"));
    let passivated = spec("a passivated actor with a number");
    for spec in [&plain, &row, &passivated] {
        board.row(spec.clone());
    }
    for round in bench.rounds(&format!("(6) memory of {names} idle actors")) {
        for kind in round.order(&KINDS).into_iter().filter(|_| round.counts()) {
            let bytes = measure(bench, kind, names)?;
            match kind {
                "plain" => Contender::Ours.add(board.row(plain.clone()), bytes),
                "row" => Contender::Ours.add(board.row(row.clone()), bytes),
                "passivated" => Contender::Ours.add(board.row(passivated.clone()), bytes),
                _ => [&plain, &row].into_iter().for_each(|spec| {
                    Contender::Other(TASKS).add(board.row(spec.clone()), bytes);
                }),
            }
        }
    }
    Ok(())
}

/// Bytes for each name, as a process of its own counts them.
fn measure(bench: &Bench, kind: &str, names: u64) -> Result<f64, Error> {
    let folder = bench.fresh()?;
    let path = folder.join("store").display().to_string();
    let mut child = Child::start(bench, &["idle", &path, &names.to_string(), kind])?;
    let said = child.line()?;
    child.ended()?;
    said.parse().map_err(|_| Error::Child(format!("it said `{said}`, not a number of bytes")))
}

/// What the child does: the first message to each name, a rest, and a look at what the process holds.
pub(crate) async fn of_child(store: AnyStore, names: u64, kind: &str) -> Result<(), Error> {
    let node = Arc::new(store.start().await?);
    let tasks = Tasks::default();
    first_messages(&node, &tasks, kind, names..names + WARM_UP).await?;
    let before = at_rest(&store).await?;
    first_messages(&node, &tasks, kind, 0..names).await?;
    let after = at_rest(&store).await?;
    let active = match kind {
        "plain" | "row" => names + WARM_UP,
        _ => 0,
    };
    check_eq("active actors", u64::try_from(node.stats().active).unwrap_or_default(), active)?;
    let name_bytes = u64::try_from(name_of(0).len()).unwrap_or_default();
    println!("{}", number(after.saturating_sub(before)) / number(names) - number(name_bytes));
    Ok(())
}

async fn first_messages(node: &Arc<Node>, tasks: &Tasks, kind: &str, names: Range<u64>) -> Result<(), Error> {
    match kind {
        "tasks" => tasks.first_messages(CALLERS, names).await.map(drop),
        "row" => first_calls(node, true, names).await,
        // In small waves, since an allocator keeps for itself what was once needed at the same time.
        "passivated" => {
            for first in names.clone().step_by(WAVE) {
                let wave = u64::try_from(WAVE).unwrap_or(u64::MAX);
                first_calls(node, false, first..(first + wave).min(names.end)).await?;
                node.passivate_all().await;
            }
            Ok(())
        }
        _ => first_calls(node, false, names).await,
    }
}

async fn first_calls(node: &Arc<Node>, with_row: bool, names: Range<u64>) -> Result<(), Error> {
    let (first, count) = (names.start, names.end - names.start);
    let calls = load::closed_loop(CALLERS, Amount::Untimed(count), |mut turns| {
        let node = node.clone();
        async move {
            while let Some(step) = turns.next() {
                let name = name_of(first + turns.place(step));
                if with_row {
                    node.client::<Table>(name).put(0, VALUE).await?;
                } else {
                    node.client::<Counter>(name).add(1).await?;
                }
            }
            Ok(turns)
        }
    });
    calls.await.map(drop)
}

async fn at_rest(store: &AnyStore) -> Result<u64, Error> {
    store.drain().await?;
    tokio::time::sleep(REST).await;
    Ok(resident_bytes().unwrap_or_default())
}

/// What the process holds in memory.
fn resident_bytes() -> Option<u64> {
    let text = fs::read_to_string("/proc/self/statm").ok()?;
    let pages = text.split_whitespace().nth(1)?.parse::<u64>().ok()?;
    Some(pages * PAGE_BYTES)
}
