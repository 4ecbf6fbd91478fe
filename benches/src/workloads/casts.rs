//! Workload 1: one actor, a million casts, then one durable call. All of it is durable when the clock stops, which a
//! killed process shows.

use std::{io::Read, time::Instant};

use super::Contender;
use crate::{
    actors::Table,
    bench::{Bench, Round},
    child::Child,
    error::{Error, check_eq},
    keys::{Keys, VALUE},
    load::Amount,
    measure::Measured,
    references::{self, Limit, Shape, channel, log},
    row::{Board, Class, Spec, Unit},
    store::{AnyStore, name_of},
    subject::Subject,
};

const COUNTING: &str = "mpsc to one counting task (not durable)";

/// What a child says when its call was answered.
const DURABLE: &str = "durable";

pub(super) async fn run(bench: &Bench, board: &mut Board) -> Result<(), Error> {
    for keys in [Keys::InOrder, Keys::Scattered] {
        let puts = bench.scale.casts + 1;
        let mut shape = Shape { callers: 1, actors: 1, amount: Amount::Untimed(puts), keys, puts, groups: 1 };
        for round in bench.rounds(&format!("(1) casts, {}", keys.name())) {
            one_round(bench, board, round, &mut shape).await?;
        }
        survives_a_kill(bench, keys).await?;
    }
    Ok(())
}

async fn one_round(bench: &Bench, board: &mut Board, round: Round, shape: &mut Shape) -> Result<(), Error> {
    let class = bench.class();
    let limits = Limit::of(class).iter().copied().filter(|limit| *limit != Limit::Channel).collect::<Vec<_>>();
    let mut contenders = Contender::all(&limits);
    contenders.push(Contender::Other(COUNTING));
    for contender in round.order(&contenders) {
        let measured = match contender {
            Contender::Ours => {
                let measured = ours(bench, shape).await?;
                shape.learn(&measured);
                measured
            }
            Contender::Limit(Limit::Sqlite) if !round.counts() => continue,
            Contender::Limit(Limit::Log) => {
                let folder = bench.fresh()?;
                log::casts(folder.join("log"), bench.args.is_synced(), shape).await?
            }
            Contender::Limit(limit) => references::measure(bench, limit, shape).await?,
            Contender::Other(_) => channel::casts(shape.puts, shape.keys).await?,
        };
        if round.counts() {
            record(board, class, shape.keys, contender, &measured);
        }
    }
    Ok(())
}

fn record(board: &mut Board, class: Class, keys: Keys, contender: Contender, measured: &Measured) {
    let clock = if class == Class::Synced { "durable" } else { "answered" };
    let name = format!("casts, keys {}, until {clock}", keys.name());
    contender.add(board.row(Spec::new(1, class, Unit::PerSecond, name)), measured.rate());
    if let Some(rate) = measured.stored_rate() {
        let name = format!("casts, keys {}, until the last row is stored", keys.name());
        contender.add(board.row(Spec::new(1, class, Unit::PerSecond, name)), rate);
    }
}

async fn ours(bench: &Bench, shape: &Shape) -> Result<Measured, Error> {
    let subject = Subject::start(bench).await?;
    let client = subject.node.client::<Table>(name_of(0));
    let (casts, keys) = (bench.scale.casts, shape.keys);
    let start = Instant::now();
    let handled = tokio::spawn(casts_and_call(client, casts, keys)).await??;
    let elapsed = start.elapsed();
    let stored = subject.store.drain().await?.then(|| start.elapsed());
    let groups = subject.node.stats().groups;
    check_eq("messages that the actor handled", handled, casts + 1)?;
    subject.close("casts", 1, casts + 1).await?;
    Ok(Measured { operations: casts + 1, elapsed, stored, groups, ..Measured::default() })
}

async fn casts_and_call(client: <Table as dna::Actor>::Client, casts: u64, keys: Keys) -> Result<u64, Error> {
    for place in 1..=casts {
        client.put(keys.at(place), VALUE).cast().await?;
    }
    Ok(client.put_last(keys.at(0), VALUE).await?)
}

/// A process makes the casts and is killed when its call was answered; what it has written must all be there. This is
/// beside the clock: a run of its own, behind the rounds.
async fn survives_a_kill(bench: &Bench, keys: Keys) -> Result<(), Error> {
    if !references::has_files(bench.args.store) {
        return Ok(());
    }
    let folder = bench.fresh()?;
    let (path, casts) = (folder.join("store"), bench.scale.casts);
    let order = if keys == Keys::InOrder { "in-order" } else { "scattered" };
    let mut child = Child::start(bench, &["casts", &path.display().to_string(), &casts.to_string(), order])?;
    let said = child.line()?;
    child.kill()?;
    if said != DURABLE {
        return Err(Error::Child(format!("it said `{said}`, not `{DURABLE}`")));
    }
    let store = AnyStore::open(bench.args.store, bench.args.durability, &path)?;
    let rows = store.count([name_of(0)].into_iter()).await?;
    check_eq("rows that outlived a killed process", rows, casts + 1)
}

/// What the child does: the casts, the call, and then nothing until it is killed.
pub(crate) async fn casts_of_child(store: AnyStore, casts: u64, in_order: bool) -> Result<(), Error> {
    let node = store.start().await?;
    let keys = if in_order { Keys::InOrder } else { Keys::Scattered };
    casts_and_call(node.client::<Table>(name_of(0)), casts, keys).await?;
    println!("{DURABLE}");
    // The parent kills this process; where it has died itself, the input ends.
    let _ = std::io::stdin().read(&mut [0]);
    Ok(())
}
