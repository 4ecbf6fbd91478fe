//! Workload 7: calls that touch no storage, of 1 and of 64 callers.

use std::time::Duration;

use super::Contender;
use crate::{
    actors::Counter,
    bench::Bench,
    error::{Error, check_eq},
    load::{self, Amount},
    measure::Measured,
    references::channel,
    row::{Board, Class, Spec, Unit},
    store::name_of,
    subject::Subject,
};

const CHANNEL: &str = "mpsc + oneshot";

/// Long enough that it never ends a call here.
const TIMEOUT: Duration = Duration::from_secs(20);

/// How a call is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Exclusive,
    Shared,
    WithTimeout,
}

/// In the order of a round: DNA in three ways, then the limit of all of them.
const WAYS: [Option<Way>; 4] = [Some(Way::Exclusive), Some(Way::Shared), Some(Way::WithTimeout), None];

impl Way {
    fn name(self) -> &'static str {
        match self {
            Way::Exclusive => "`&mut self`",
            Way::Shared => "`&self`",
            Way::WithTimeout => "`&mut self`, a time-out on each",
        }
    }
}

pub(super) async fn run(bench: &Bench, board: &mut Board) -> Result<(), Error> {
    for (callers, calls) in [1, 64].into_iter().zip(bench.scale.calls) {
        WAYS.into_iter().flatten().for_each(|way| {
            board.row(spec(way, callers));
        });
        for round in bench.rounds(&format!("(7) calls, callers: {callers}")) {
            for way in round.order(&WAYS) {
                let measured = match way {
                    Some(way) => ours(bench, way, callers, calls).await?,
                    None => channel::calls(callers, Amount::Untimed(calls)).await?,
                };
                if round.counts() {
                    record(board, way, callers, &measured);
                }
            }
        }
    }
    Ok(())
}

fn spec(way: Way, callers: u64) -> Spec {
    Spec::new(7, Class::Memory, Unit::PerSecond, format!("calls, {}, callers: {callers}", way.name()))
}

/// The limit stands beside each of the ways.
fn record(board: &mut Board, way: Option<Way>, callers: u64, measured: &Measured) {
    let mut add = |way: Way, contender: Contender| {
        contender.add(board.row(spec(way, callers)), measured.rate());
    };
    match way {
        Some(way) => add(way, Contender::Ours),
        None => WAYS.into_iter().flatten().for_each(|way| add(way, Contender::Other(CHANNEL))),
    }
}

async fn ours(bench: &Bench, way: Way, callers: u64, calls: u64) -> Result<Measured, Error> {
    let subject = Subject::start_in_memory(bench).await?;
    let client = subject.node.client::<Counter>(name_of(0));
    client.add(0).await?;
    let measured = load::closed_loop(callers, Amount::Untimed(calls), |mut turns| {
        let client = client.clone();
        async move {
            while turns.next().is_some() {
                match way {
                    Way::Exclusive => client.add(1).await?,
                    Way::Shared => client.total(0).await?,
                    Way::WithTimeout => client.add(1).timeout(TIMEOUT).await?,
                };
            }
            Ok(turns)
        }
    })
    .await?;
    let expected = if way == Way::Shared { 0 } else { calls };
    check_eq("calls that the actor handled", client.total(0).await?, expected)?;
    subject.close("an actor that touches no storage", 0, 0).await?;
    Ok(measured)
}
