//! Workload 2 on CQL: one actor, and callers that each wait for their durable puts; until the last row is in its place.

use super::{
    condition,
    contender::{CONDITION, Contender, PROTOCOL},
    driver, protocol,
    scale::Scale,
    server::Server,
    subject::Subject,
};
use crate::{
    bench::Bench,
    error::Error,
    keys::Keys,
    load::Amount,
    measure::{Measured, number},
    references::Shape,
    row::{Board, Class, Figure, Spec, Unit},
};

pub(super) async fn run(bench: &Bench, server: &Server, board: &mut Board) -> Result<(), Error> {
    let scale = Scale::of(bench);
    for &callers in scale.callers {
        let mut contenders = vec![Contender::Ours, Contender::Driver, Contender::Protocol];
        if callers == 1 {
            contenders.push(Contender::Condition);
        }
        let amount = Amount::For(scale.run);
        let mut shape = Shape { callers, actors: 1, amount, keys: Keys::InOrder, puts: callers, groups: 1 };
        let mut entry_bytes = 0;
        for round in bench.rounds(&format!("(2) puts on one actor, callers: {callers}")) {
            for contender in round.order(&contenders) {
                let measured = match contender {
                    Contender::Ours => {
                        let (measured, bytes) = waiting(server, &shape).await?;
                        entry_bytes = bytes;
                        whole_groups(&mut shape, &measured);
                        measured
                    }
                    Contender::Driver => driver::puts(server, &shape).await?,
                    Contender::Protocol => protocol::groups(server, &shape).await?,
                    Contender::Condition => condition::updates(server, amount, entry_bytes).await?,
                };
                if round.counts() {
                    record(board, callers, contender, &measured);
                }
            }
        }
    }
    Ok(())
}

/// DNA on a fresh keyspace. Each actor has had its first message before the clock starts. Also the bytes of an entry of
/// its journal, on the average.
pub(super) async fn waiting(server: &Server, shape: &Shape) -> Result<(Measured, u64), Error> {
    let subject = Subject::start(server).await?;
    subject.prime(shape.actors).await?;
    let measured = subject.puts(shape).await?;
    let held = subject.space.journals().await?.into_iter().next().unwrap_or_default();
    subject.close("waiting callers", shape.actors + measured.operations).await?;
    Ok((measured, held.bytes / held.slots.max(1)))
}

/// The limit without the engine gets groups as large as they can be: each has a put of every caller.
pub(super) fn whole_groups(shape: &mut Shape, ours: &Measured) {
    shape.learn(ours);
    shape.groups = shape.puts.div_ceil(shape.callers).max(1);
}

fn record(board: &mut Board, callers: u64, contender: Contender, measured: &Measured) {
    let row = |unit, what: &str| {
        let name = format!("puts on one actor, callers: {callers}{what}");
        Spec::new(2, Class::Database, unit, name)
    };
    let rate = measured.stored_rate().filter(|_| contender != Contender::Condition);
    if let Some(rate) = rate {
        let spec = row(Unit::PerSecond, "").at(Figure::Throughput, callers);
        contender.add(board.row(if callers == 64 { spec.aim(PROTOCOL, 0.85) } else { spec }), rate);
    }
    for (percentile, value) in measured.percentiles().iter().flat_map(|latency| latency.named()) {
        let mut spec = row(Unit::Microseconds, &format!(", {percentile} service time"));
        if percentile == "p50" {
            spec = spec.at(Figure::Latency, callers);
            spec = if callers == 1 { spec.aim(CONDITION, 1.15) } else { spec };
        }
        contender.add(board.row(spec), value);
    }
    if contender != Contender::Ours && contender != Contender::Protocol {
        return;
    }
    let groups = number(measured.groups.max(1));
    let size = row(Unit::Puts, ", puts a group").at(Figure::GroupSize, callers);
    contender.add(board.row(size), number(measured.operations) / groups);
    let commits = row(Unit::PerSecond, ", groups a second").at(Figure::Commits, callers);
    contender.add(board.row(commits), groups / measured.elapsed.as_secs_f64());
    if contender == Contender::Ours {
        let lag = row(Unit::Waiting, ", greatest lag of rows").at(Figure::LagOperations, callers);
        board.row(lag).ours.push(number(measured.lag.operations));
        let lag = row(Unit::Seconds, ", longest lag of rows").at(Figure::LagSeconds, callers);
        board.row(lag).ours.push(measured.lag.age.as_secs_f64());
    }
}
