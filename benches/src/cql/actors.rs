//! Workload 3 on CQL: many actors, each with a caller that waits for its durable puts; until the last row is in its
//! place.

use super::{
    callers::{waiting, whole_groups},
    contender::{Contender, DRIVER},
    driver, protocol,
    scale::Scale,
    server::Server,
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

const CONTENDERS: [Contender; 3] = [Contender::Ours, Contender::Driver, Contender::Protocol];

/// By how many actors, what DNA is to reach beside the raw driver.
const TARGETS: [(u64, f64); 2] = [(64, 0.4), (1024, 1.5)];

pub(super) async fn run(bench: &Bench, server: &Server, board: &mut Board) -> Result<(), Error> {
    let scale = Scale::of(bench);
    for &actors in scale.actors {
        let amount = Amount::For(scale.run);
        let mut shape = Shape { callers: actors, actors, amount, keys: Keys::InOrder, puts: actors, groups: 1 };
        for round in bench.rounds(&format!("(3) puts on {actors} actors, a caller each")) {
            for contender in round.order(&CONTENDERS) {
                let measured = match contender {
                    Contender::Ours => {
                        let (measured, _) = waiting(server, &shape).await?;
                        whole_groups(&mut shape, &measured);
                        measured
                    }
                    Contender::Driver => driver::puts(server, &shape).await?,
                    _ => protocol::groups(server, &shape).await?,
                };
                if round.counts() {
                    record(board, actors, contender, &measured);
                }
            }
        }
    }
    Ok(())
}

fn record(board: &mut Board, actors: u64, contender: Contender, measured: &Measured) {
    let row =
        |unit, what: &str| Spec::new(3, Class::Database, unit, format!("puts on {actors} actors, a caller each{what}"));
    if let Some(rate) = measured.stored_rate() {
        let mut spec = row(Unit::PerSecond, "").at(Figure::Actors, actors);
        for (_, target) in TARGETS.iter().filter(|(of, _)| *of == actors) {
            spec = spec.aim(DRIVER, *target);
        }
        contender.add(board.row(spec), rate);
    }
    for (percentile, value) in measured.percentiles().iter().flat_map(|latency| latency.named()) {
        contender.add(board.row(row(Unit::Microseconds, &format!(", {percentile} service time"))), value);
    }
    if contender == Contender::Driver {
        return;
    }
    let groups = number(measured.groups.max(1));
    contender.add(board.row(row(Unit::Puts, ", puts a group")), number(measured.operations) / groups);
    contender.add(board.row(row(Unit::PerSecond, ", groups a second")), groups / measured.elapsed.as_secs_f64());
    if contender == Contender::Ours {
        board.row(row(Unit::Waiting, ", greatest lag of rows")).ours.push(number(measured.lag.operations));
        board.row(row(Unit::Seconds, ", longest lag of rows")).ours.push(measured.lag.age.as_secs_f64());
    }
}
