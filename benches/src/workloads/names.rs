//! Workload 5: the first message to many new names, and to many existing ones after a restart.

use std::sync::Arc;

use dna::Node;

use super::Contender;
use crate::{
    actors::Table,
    bench::{Bench, Round},
    error::Error,
    keys::{Keys, VALUE},
    load::{self, Amount},
    measure::Measured,
    references::{self, Limit, Shape, sqlite, store, tasks::Tasks},
    row::{Board, Class, Spec, Unit},
    store::{name_of, table},
    subject::Subject,
};

const CALLERS: u64 = 1024;

const STORE: &str = "store without the engine";
const SQLITE: &str = "SQLite by hand, one connection";
const TASKS: &str = "a task and a channel for each name";

pub(super) async fn run(bench: &Bench, board: &mut Board) -> Result<(), Error> {
    let names = bench.scale.names;
    let mut shape = Shape {
        callers: CALLERS,
        actors: names,
        amount: Amount::Untimed(names),
        keys: Keys::InOrder,
        puts: names,
        groups: names.div_ceil(CALLERS),
    };
    for round in bench.rounds(&format!("(5) first messages to {names} names")) {
        durable(bench, board, round, &mut shape).await?;
        without_storage(bench, board, round, names).await?;
    }
    Ok(())
}

/// A put as the first message; then, after a restart, a read.
async fn durable(bench: &Bench, board: &mut Board, round: Round, shape: &mut Shape) -> Result<(), Error> {
    let class = bench.class();
    let names = shape.actors;
    for contender in round.order(&Contender::all(Limit::of(class))) {
        let measured = match contender {
            Contender::Ours => {
                let (puts, reads) = ours(bench, names).await?;
                shape.learn(&puts);
                for (contender, measured) in reads.iter().filter(|_| round.counts()) {
                    let name = format!("first message, a read, to {names} existing names after a restart");
                    contender.add(board.row(Spec::new(5, Class::Reads, Unit::PerSecond, name)), measured.rate());
                }
                puts
            }
            Contender::Limit(Limit::Sqlite) if !round.counts() => continue,
            Contender::Limit(limit) => references::measure(bench, limit, shape).await?,
            Contender::Other(_) => continue,
        };
        if round.counts() {
            let name = format!("first message, a put, to {names} new names");
            contender.add(board.row(Spec::new(5, class, Unit::PerSecond, name)), measured.rate());
        }
    }
    Ok(())
}

/// The puts, and the reads of DNA and of its limits, each on a store that was just opened.
async fn ours(bench: &Bench, names: u64) -> Result<(Measured, Vec<(Contender, Measured)>), Error> {
    let subject = Subject::start(bench).await?;
    let puts = subject.first_puts(CALLERS, names).await?;

    let subject = subject.restart().await?;
    let mut reads = vec![(Contender::Ours, first_reads(&subject.node, names).await?)];

    let subject = subject.restart().await?;
    let row = |place| Ok((table(name_of(place))?, u64::MAX));
    let without = store::gets(&subject.store, CALLERS, Amount::Untimed(names), row).await?;
    reads.push((Contender::Other(STORE), without));
    subject.close("first messages", names, names).await?;

    let folder = bench.fresh()?;
    let place = |step| (step, step);
    let sqlite = sqlite::reads(folder.join("sqlite"), bench.args.is_synced(), names, names, (names, 1), place).await?;
    reads.push((Contender::Other(SQLITE), sqlite));
    Ok((puts, reads))
}

/// The first message, a read, to names that have a row.
pub(crate) async fn first_reads(node: &Arc<Node>, names: u64) -> Result<Measured, Error> {
    load::closed_loop(CALLERS, Amount::Untimed(names), |mut turns| {
        let node = node.clone();
        async move {
            while let Some(step) = turns.next() {
                let client = node.client::<Table>(name_of(turns.place(step)));
                if client.get(u64::MAX).await?.as_deref() != Some(VALUE) {
                    return Err(Error::Invariant("a stored name has lost its row".to_owned()));
                }
            }
            Ok(turns)
        }
    })
    .await
}

/// A message that touches no storage.
async fn without_storage(bench: &Bench, board: &mut Board, round: Round, names: u64) -> Result<(), Error> {
    for contender in round.order(&[Contender::Ours, Contender::Other(TASKS)]) {
        let measured = match contender {
            Contender::Ours => {
                let subject = Subject::start_in_memory(bench).await?;
                let measured = subject.first_calls(CALLERS, names).await?;
                subject.close("actors that touch no storage", 0, 0).await?;
                measured
            }
            _ => Tasks::default().first_messages(CALLERS, 0..names).await?,
        };
        if round.counts() {
            let name = format!("first message, no storage, to {names} new names");
            contender.add(board.row(Spec::new(5, Class::Memory, Unit::PerSecond, name)), measured.rate());
        }
    }
    Ok(())
}
