//! Workload 8: growth. The same puts by the same callers, so the same commits, spread over more and more actors.

use super::{Contender, puts};
use crate::{
    bench::Bench,
    error::Error,
    keys::Keys,
    load::Amount,
    measure::Measured,
    references::{Limit, Shape},
    row::{Board, Figure, Spec, Unit},
};

const CALLERS: u64 = 1024;

/// The number of actors that the others are held against.
const BASE: u64 = 10;

const SAME_OVER_BASE: &str = "the same puts over 10 actors";

pub(super) async fn run(bench: &Bench, board: &mut Board) -> Result<(), Error> {
    let class = bench.class();
    let puts = bench.scale.growth_puts;
    let shape = |actors| {
        let amount = Amount::Timed(puts);
        Shape { callers: CALLERS, actors, amount, keys: Keys::InOrder, puts, groups: puts.div_ceil(CALLERS) }
    };
    let mut shapes = bench.scale.growth.iter().map(|actors| shape(*actors)).collect::<Vec<_>>();
    for round in bench.rounds(&format!("(8) {puts} puts over more and more actors")) {
        let mut base = None;
        let mut ours = Vec::new();
        // All sizes stand in every round, so that each is held against the 10 actors of its own round.
        for shape in &mut shapes {
            let actors = shape.actors;
            let spec = Spec::new(8, class, Unit::Microseconds, format!("cost of a put, actors: {actors}"));
            let spec = spec.at(Figure::Growth, actors);
            let record = |contender: Contender, measured: &Measured| {
                contender.add(board.row(spec.clone()), measured.cost());
                if contender == Contender::Ours {
                    match actors {
                        BASE => base = Some(measured.cost()),
                        _ => ours.push(spec.clone()),
                    }
                }
            };
            puts::round(bench, round, Limit::of(class), shape, record).await?;
        }
        if let Some(base) = base {
            ours.into_iter().for_each(|spec| Contender::Other(SAME_OVER_BASE).add(board.row(spec), base));
        }
    }
    Ok(())
}
