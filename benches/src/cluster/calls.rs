//! Workload 9: calls to an actor on another node, 1 and 64 in flight.

use std::time::Duration;

use super::pair::Pair;
use crate::{
    bench::Bench,
    error::{Error, check_eq},
    load::{self, Amount},
    measure::Measured,
    references::echo,
    row::{Board, Class, Spec, Unit},
    store::name_of,
};

/// What there is beside the calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Contender {
    Ours,
    /// As many callers, each of which waits for its answer.
    Callers,
    /// One task that keeps as many on their way.
    Pipeline,
}

impl Contender {
    /// With one in flight, one task is all there is.
    fn of(in_flight: u64) -> &'static [Contender] {
        if in_flight == 1 {
            &[Contender::Ours, Contender::Pipeline]
        } else {
            &[Contender::Ours, Contender::Callers, Contender::Pipeline]
        }
    }

    fn name(self) -> &'static str {
        match self {
            Contender::Ours => "DNA",
            Contender::Callers => "framed echo, same callers",
            Contender::Pipeline => "framed echo, one task",
        }
    }
}

pub(super) async fn run(bench: &Bench, board: &mut Board) -> Result<(), Error> {
    for in_flight in [1, 64] {
        for spec in specs(in_flight) {
            board.row(spec);
        }
        for round in bench.rounds(&format!("(9) calls to another node, in flight: {in_flight}")) {
            for contender in round.order(Contender::of(in_flight)) {
                let amount = Amount::For(bench.scale.run);
                let measured = match contender {
                    Contender::Ours => ours(in_flight, amount).await?,
                    Contender::Callers => echo::callers(in_flight, amount).await?,
                    Contender::Pipeline => echo::pipeline(in_flight, amount).await?,
                };
                if round.counts() {
                    record(board, contender, in_flight, &measured);
                }
            }
        }
    }
    Ok(())
}

/// The rows: how many a second, how long half of them and all but one in a hundred take, and what one costs.
fn specs(in_flight: u64) -> [Spec; 4] {
    let limit = if in_flight == 1 { Contender::Pipeline } else { Contender::Callers };
    let spec = |unit, what: &str| Spec::new(9, Class::Memory, unit, format!("in flight: {in_flight}{what}"));
    [
        spec(Unit::PerSecond, "").aim(limit.name(), 0.75),
        spec(Unit::Microseconds, ", p50").aim(limit.name(), 1.3),
        spec(Unit::Microseconds, ", p99"),
        spec(Unit::Microseconds, ", processor time for one"),
    ]
}

fn record(board: &mut Board, contender: Contender, in_flight: u64, measured: &Measured) {
    let Some(times) = measured.percentiles() else { return };
    for (spec, value) in
        specs(in_flight).into_iter().zip([measured.rate(), times.p50, times.p99, measured.computed_each()])
    {
        let row = board.row(spec);
        match contender {
            Contender::Ours => row.ours.push(value),
            limit => row.reference(limit.name(), value),
        }
    }
}

async fn ours(in_flight: u64, amount: Amount) -> Result<Measured, Error> {
    let pair = Pair::start(Duration::from_secs(3), 0).await?;
    let client = pair.far(&name_of(0))?;
    client.add(0).await?;
    let measured = load::closed_loop(in_flight, amount, |mut turns| {
        let client = client.clone();
        async move {
            while turns.next().is_some() {
                client.add(1).await?;
            }
            Ok(turns)
        }
    })
    .await?;
    check_eq("calls that the actor handled", client.total(0).await?, measured.operations)?;
    pair.close().await?;
    Ok(measured)
}
