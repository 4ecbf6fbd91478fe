//! A full load for as long as it is said: one actor takes casts as fast as they can be sent, 64 others have a caller each
//! that waits. Keys come again, so that the table does not fill the disk. What is looked at is what must not grow: how far
//! the rows lag, and the partition of the journal.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use dna::limits::GROUP_BYTES_MAX;
use dna_storage::journaled::LAG_BYTES_MAX;
use hdrhistogram::Histogram;
use tokio::task::JoinSet;

use super::{
    lag::LagWatch,
    server::Server,
    space::{Held, SLOTS_MAX, Space},
    subject::Subject,
    watched,
};
use crate::{
    actors::Table,
    bench::Bench,
    error::{Error, check_eq},
    keys::VALUE,
    load::nanoseconds,
    measure::{Lag, number},
    row::{Board, Class, Spec, Timeline, Unit},
    store::name_of,
};

/// How many callers wait for their puts, each on an actor of its own.
const CALLERS: u64 = 64;

/// After how many casts their actor's keys come again.
const CAST_KEYS: u64 = 1_000_000;

/// After how many puts the keys of a waiting caller come again.
const PUT_KEYS: u64 = 10_000;

/// Into how many parts the time is divided, each with a point of its own, and how many of them pass between two looks at
/// the journal.
const PARTS: u32 = 60;
const PARTS_A_LOOK: u32 = 6;

/// How often the caster looks whether the time is over, in casts.
const LOOK_CASTS: u64 = 256;

/// What the callers have done.
#[derive(Debug)]
struct Done {
    over: AtomicBool,
    casts: AtomicU64,
    /// Of the waiting callers, since it was last looked.
    latencies: Mutex<Histogram<u64>>,
}

/// One part of the time.
#[derive(Debug, Clone, Copy)]
struct Part {
    /// When it ended.
    at: f64,
    casts_rate: f64,
    puts_rate: f64,
    groups_rate: f64,
    p50: f64,
    p99: f64,
    lag: Lag,
    held: Option<Held>,
}

pub(super) async fn run(bench: &Bench, server: &Server, board: &mut Board, seconds: u32) -> Result<(), Error> {
    let subject = Subject::start(server).await?;
    subject.prime(1 + CALLERS).await?;
    let histogram = Histogram::new(3).map_err(|error| Error::Invariant(error.to_string()))?;
    let done =
        Arc::new(Done { over: AtomicBool::new(false), casts: AtomicU64::new(0), latencies: Mutex::new(histogram) });
    let mut load = JoinSet::new();
    load.spawn(cast(subject.node.client::<Table>(name_of(0)), done.clone()));
    for caller in 1..=CALLERS {
        load.spawn(put(subject.node.client::<Table>(name_of(caller)), done.clone()));
    }
    let parts = watch(bench, &subject, &done, &mut load, seconds).await;
    done.over.store(true, Ordering::Relaxed);
    // One row of the first message each.
    let mut rows = 1 + CALLERS;
    while let Some(keys) = load.join_next().await {
        rows += keys??;
    }
    let parts = parts?;
    let start = Instant::now();
    subject.store.drain().await?;
    let drained = start.elapsed();
    let held = look(&subject.space).await?;
    subject.close("the long load", rows).await?;
    check(&parts)?;
    record(board, seconds, &parts, drained, held);
    Ok(())
}

/// Casts until the time is over. Answers how many keys there are.
async fn cast(client: <Table as dna::Actor>::Client, done: Arc<Done>) -> Result<u64, Error> {
    let mut casts = 0;
    while !done.over.load(Ordering::Relaxed) {
        for _ in 0..LOOK_CASTS {
            client.put(casts % CAST_KEYS, VALUE).cast().await?;
            casts += 1;
        }
        done.casts.store(casts, Ordering::Relaxed);
    }
    // An actor handles its messages in order: behind this answer all casts are durable.
    let handled = client.put_last(casts % CAST_KEYS, VALUE).await?;
    check_eq("messages that the actor with the casts handled", handled, casts + 2)?;
    Ok((casts + 1).min(CAST_KEYS))
}

/// Puts, each when the one before was answered. Answers how many keys there are.
async fn put(client: <Table as dna::Actor>::Client, done: Arc<Done>) -> Result<u64, Error> {
    let mut puts = 0;
    while !done.over.load(Ordering::Relaxed) {
        let before = Instant::now();
        client.put(puts % PUT_KEYS, VALUE).await?;
        puts += 1;
        let latency = nanoseconds(before.elapsed()).max(1);
        let recorded = done.latencies.lock().unwrap_or_else(PoisonError::into_inner).record(latency);
        recorded.map_err(|error| Error::Invariant(error.to_string()))?;
    }
    Ok(puts.min(PUT_KEYS))
}

async fn watch(
    bench: &Bench,
    subject: &Subject<'_>,
    done: &Done,
    load: &mut JoinSet<Result<u64, Error>>,
    seconds: u32,
) -> Result<Vec<Part>, Error> {
    let journals = subject.store.journals()?;
    let watch = LagWatch::start(journals.clone());
    let start = Instant::now();
    let length = Duration::from_secs(u64::from(seconds)) / PARTS;
    let mut parts = Vec::new();
    let (mut last, mut casts_before, mut groups_before) = (start, 0, watched::read(&journals).1);
    bench.progress.row(&format!("a full load for {seconds} s"), PARTS);
    for number_of_part in 1..=PARTS {
        bench.progress.round(number_of_part);
        let due = length.saturating_mul(number_of_part);
        tokio::select! {
            () = tokio::time::sleep(due.saturating_sub(start.elapsed())) => {}
            // Nobody ends before it is told to, unless it fails.
            Some(ended) = load.join_next() => {
                ended??;
                return Err(Error::Gone("a caller of the long load"));
            }
        }
        let now = Instant::now();
        let passed = now.duration_since(last).as_secs_f64().max(1e-9);
        let (casts, groups) = (done.casts.load(Ordering::Relaxed), watched::read(&journals).1);
        let (puts, p50, p99) = take_latencies(done);
        let lag = watch.take();
        let is_look = number_of_part.is_multiple_of(PARTS_A_LOOK);
        parts.push(Part {
            at: now.duration_since(start).as_secs_f64(),
            casts_rate: number(casts - casts_before) / passed,
            puts_rate: number(puts) / passed,
            groups_rate: number(groups - groups_before) / passed,
            p50,
            p99,
            lag,
            held: if is_look { Some(look(&subject.space).await?) } else { None },
        });
        (last, casts_before, groups_before) = (now, casts, groups);
    }
    Ok(parts)
}

/// How many puts were answered, and the microseconds that half of them and 99 % kept.
fn take_latencies(done: &Done) -> (u64, f64, f64) {
    let mut latencies = done.latencies.lock().unwrap_or_else(PoisonError::into_inner);
    let at = |quantile| number(latencies.value_at_quantile(quantile)) / 1e3;
    let taken = (latencies.len(), at(0.5), at(0.99));
    latencies.reset();
    taken
}

/// What the only journal holds.
async fn look(space: &Space<'_>) -> Result<Held, Error> {
    Ok(space.journals().await?.into_iter().next().unwrap_or_default())
}

/// Fails where something grew beyond its bound.
fn check(parts: &[Part]) -> Result<(), Error> {
    let lag = parts.iter().map(|part| part.lag).fold(Lag::default(), Lag::most);
    // The bound holds back the next group: one may be beyond it, which takes more in memory than its writes alone.
    let bytes_max = u64::try_from(LAG_BYTES_MAX + 16 * GROUP_BYTES_MAX).unwrap_or(u64::MAX);
    if lag.groups > SLOTS_MAX || lag.bytes > bytes_max {
        return Err(Error::Invariant(format!("the rows lag by {} groups and {} bytes", lag.groups, lag.bytes)));
    }
    match parts.iter().filter_map(|part| part.held).find(|held| held.slots > SLOTS_MAX) {
        Some(held) => Err(Error::Invariant(format!("the journal has {} slots", held.slots))),
        None => Ok(()),
    }
}

fn record(board: &mut Board, seconds: u32, parts: &[Part], drained: Duration, held: Held) {
    let spec = |unit, what: &str| {
        let name = format!("full load for {seconds} s, {what}");
        Spec { name: name.clone(), ..Spec::new(0, Class::Database, unit, name) }
    };
    let mut add = |unit, name: &str, value: &dyn Fn(&Part) -> Option<f64>| {
        board.row(spec(unit, name)).ours.extend(parts.iter().filter_map(value));
    };
    add(Unit::PerSecond, "casts on one actor", &|part| Some(part.casts_rate));
    add(Unit::PerSecond, "puts of 64 callers on 64 actors", &|part| Some(part.puts_rate));
    add(Unit::PerSecond, "groups", &|part| Some(part.groups_rate));
    add(Unit::Microseconds, "p50 service time of the puts", &|part| Some(part.p50));
    add(Unit::Microseconds, "p99 service time of the puts", &|part| Some(part.p99));
    add(Unit::Waiting, "greatest lag of rows in each part", &|part| Some(number(part.lag.operations)));
    add(Unit::Bytes, "greatest lag of rows in each part, in memory", &|part| Some(number(part.lag.bytes)));
    add(Unit::Seconds, "longest lag of rows in each part", &|part| Some(part.lag.age.as_secs_f64()));
    add(Unit::Slots, "slots of the journal", &|part| part.held.map(|held| number(held.slots)));
    add(Unit::Bytes, "bytes in these slots", &|part| part.held.map(|held| number(held.bytes)));
    board.row(spec(Unit::Seconds, "until the last row is stored behind it")).ours.push(drained.as_secs_f64());
    board.row(spec(Unit::Slots, "slots of the journal at the end")).ours.push(number(held.slots));

    let line = |value: &dyn Fn(&Part) -> Option<f64>| {
        parts.iter().filter_map(|part| Some((part.at, value(part)?))).collect::<Vec<_>>()
    };
    let class = Class::Database;
    board.timelines = vec![
        Timeline {
            title: "Full load: throughput over time",
            y: "operations a second",
            class,
            lines: vec![
                ("casts on one actor", line(&|part| Some(part.casts_rate))),
                ("puts of 64 callers", line(&|part| Some(part.puts_rate))),
                ("groups", line(&|part| Some(part.groups_rate))),
            ],
        },
        Timeline {
            title: "Full load: how far the rows lag",
            y: "operations, at the most in each part",
            class,
            lines: vec![("operations", line(&|part| Some(number(part.lag.operations))))],
        },
        Timeline {
            title: "Full load: how long the rows lag",
            y: "seconds, at the most in each part",
            class,
            lines: vec![("seconds", line(&|part| Some(part.lag.age.as_secs_f64())))],
        },
        Timeline {
            title: "Full load: what the journal holds",
            y: "slots, bytes",
            class,
            lines: vec![
                ("slots", line(&|part| part.held.map(|held| number(held.slots)))),
                ("bytes", line(&|part| part.held.map(|held| number(held.bytes)))),
            ],
        },
        Timeline {
            title: "Full load: latency of the puts",
            y: "µs",
            class,
            lines: vec![("p50", line(&|part| Some(part.p50))), ("p99", line(&|part| Some(part.p99)))],
        },
    ];
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(groups: u64, slots: u64) -> Part {
        let lag = Lag { groups, ..Lag::default() };
        let held = Some(Held { slots, bytes: 1 });
        Part { at: 1.0, casts_rate: 1.0, puts_rate: 1.0, groups_rate: 1.0, p50: 1.0, p99: 1.0, lag, held }
    }

    #[test]
    fn what_grows_fails_the_run() {
        assert!(check(&[part(256, 256), part(3, 256)]).is_ok());
        assert!(check(&[part(3, 257)]).is_err());
        assert!(check(&[part(257, 256), part(3, 256)]).is_err());
    }
}
