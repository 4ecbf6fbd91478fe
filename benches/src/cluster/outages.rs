//! Workload 11: for how long names are without a node, when the one that serves them dies, and when it gives them away.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use dna::Node;
use dna_cluster::decide::margin;

use super::pair::Pair;
use crate::{
    actors::{Table, TableClient},
    bench::Bench,
    error::{Error, check_eq},
    keys::VALUE,
    load::nanoseconds,
    measure::{Measured, number},
    row::{Board, Class, Spec, Timeline, Unit},
    store::name_of,
};

const LEASE: Duration = Duration::from_secs(1);
const LEASE_AND_MARGIN: &str = "lease and margin";

/// How many names are watched.
const WATCHED: u64 = 64;

/// How many actors are first called at a time.
const CALLERS: u64 = 64;

/// How long a name may be without a node before the run fails.
const OUTAGE_MAX: Duration = Duration::from_secs(10);

pub(super) async fn run(bench: &Bench, board: &mut Board) -> Result<(), Error> {
    let takeover = |what: &str| Spec::new(11, Class::Memory, Unit::Seconds, format!("takeover, lease 1 s, {what}"));
    let mut outages = Vec::new();
    for round in bench.rounds("(11) takeovers") {
        let latencies = one_dies().await?;
        let measured = Measured { latencies, ..Measured::default() };
        let Some(times) = measured.percentiles().filter(|_| round.counts()) else { continue };
        let most = seconds(measured.latencies.iter().copied().max().unwrap_or_default());
        for (spec, value) in [(takeover("p50"), times.p50 / 1e6), (takeover("the most").aim(None, 1.5), most)] {
            let row = board.row(spec);
            row.ours.push(value);
            row.reference(LEASE_AND_MARGIN, (LEASE + margin(LEASE)).as_secs_f64());
        }
        outages.extend(measured.latencies);
    }
    board.timelines.push(histogram("Takeovers: how long 64 names are without a node", &outages, 0.05));

    let moved = |what: &str| {
        let actors = bench.scale.moved;
        Spec::new(11, Class::Memory, Unit::Microseconds, format!("moves of 256 shards, {actors} active actors, {what}"))
    };
    let mut waits = Vec::new();
    for round in bench.rounds("(11) moves") {
        let (all, latencies) = one_drains(bench.scale.moved).await?;
        let measured = Measured { latencies, ..Measured::default() };
        let Some(times) = measured.percentiles().filter(|_| round.counts()) else { continue };
        let most = seconds(measured.latencies.iter().copied().max().unwrap_or_default());
        let values = [
            ("a caller's longest wait, p50", times.p50),
            ("a caller's longest wait, the most", most * 1e6),
            ("all of them", all.as_secs_f64() * 1e6),
        ];
        for (what, value) in values {
            board.row(moved(what)).ours.push(value);
        }
        waits.extend(measured.latencies);
    }
    board.timelines.push(histogram("Moves: the longest wait of each of 64 callers", &waits, 0.01));
    Ok(())
}

fn seconds(nanoseconds: u64) -> f64 {
    number(nanoseconds) / 1e9
}

/// How many there are, by steps of so many seconds.
fn histogram(title: &'static str, nanoseconds: &[u64], step: f64) -> Timeline {
    let mut counts = BTreeMap::<u64, f64>::new();
    for value in nanoseconds {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few hundred steps")]
        let at = (seconds(*value) / step) as u64;
        *counts.entry(at).or_default() += 1.0;
    }
    let points = counts.into_iter().map(|(at, count)| ((number(at) + 0.5) * step, count)).collect();
    Timeline { title, y: "how many, by steps of time", class: Class::Memory, lines: vec![("DNA", points)] }
}

/// A durable put to each of so many actors.
async fn prime(node: &Node, actors: u64) -> Result<(), Error> {
    let mut putting = Vec::new();
    for caller in 0..CALLERS {
        let clients = (caller..actors).step_by(usize::try_from(CALLERS).unwrap_or(1));
        let clients = clients.map(|actor| node.client::<Table>(name_of(actor))).collect::<Vec<_>>();
        putting.push(tokio::spawn(async move {
            for client in clients {
                client.put(1, VALUE).await?;
            }
            Ok::<_, Error>(())
        }));
    }
    for put in putting {
        put.await??;
    }
    Ok(())
}

/// Asks until there is an answer, which has to have what was put.
async fn until_served(client: &TableClient, give_up: Instant) -> Result<(), Error> {
    loop {
        match client.get(1).timeout(OUTAGE_MAX).await {
            Ok(value) => return check_eq("rows of an actor", u64::from(value.as_deref() == Some(VALUE)), 1),
            // It was on its way when its node died; a read may be asked for again in any case.
            Err(_) if Instant::now() < give_up => tokio::task::yield_now().await,
            Err(error) => return Err(error.into()),
        }
    }
}

/// The node that serves all names dies: how long each of those that are watched has no answer.
async fn one_dies() -> Result<Vec<u64>, Error> {
    let Pair { owner, other } = Pair::start(LEASE, 0).await?;
    prime(&owner, WATCHED).await?;
    let clients = (0..WATCHED).map(|name| other.client::<Table>(name_of(name))).collect::<Vec<_>>();
    for client in &clients {
        until_served(client, Instant::now()).await?;
    }
    drop(owner);
    let died = Instant::now();
    let waiting = clients.into_iter().map(|client| {
        tokio::spawn(async move {
            until_served(&client, died + OUTAGE_MAX).await?;
            Ok::<_, Error>(nanoseconds(died.elapsed()))
        })
    });
    let mut outages = Vec::new();
    for waiting in waiting.collect::<Vec<_>>() {
        outages.push(waiting.await??);
    }
    other.shutdown().await?;
    Ok(outages)
}

/// The node that serves all names gives them away: how long that takes, and the longest wait of each of those who call
/// one of them meanwhile.
async fn one_drains(actors: u64) -> Result<(Duration, Vec<u64>), Error> {
    let pair = Pair::start(LEASE, 100).await?;
    prime(&pair.owner, actors).await?;
    let ends = Arc::new(AtomicBool::new(false));
    let mut callers = Vec::new();
    for name in (0..WATCHED).map(name_of) {
        let (client, ends) = (pair.other.client::<Table>(name), ends.clone());
        until_served(&client, Instant::now()).await?;
        callers.push(tokio::spawn(async move {
            let mut longest = 0;
            while !ends.load(Ordering::Relaxed) {
                let sent = Instant::now();
                until_served(&client, sent).await?;
                longest = nanoseconds(sent.elapsed()).max(longest);
                // They are to wait for their names, not for each other.
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            Ok::<_, Error>(longest)
        }));
    }
    let begin = Instant::now();
    pair.owner.drain().await;
    let all = begin.elapsed();
    ends.store(true, Ordering::Relaxed);
    let mut waits = Vec::new();
    for caller in callers {
        waits.push(caller.await??);
    }
    pair.owner.shutdown().await?;
    pair.other.shutdown().await?;
    Ok((all, waits))
}
