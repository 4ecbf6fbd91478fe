//! Workload 3: 64 and 10,000 actors that share their commits, 64 callers.

use super::puts;
use crate::{
    bench::Bench,
    error::Error,
    keys::Keys,
    load::Amount,
    measure::Measured,
    references::{Limit, Shape},
    row::{Board, Class, Spec, Unit},
};

const CALLERS: u64 = 64;

pub(super) async fn run(bench: &Bench, board: &mut Board) -> Result<(), Error> {
    let class = bench.class();
    let mut limits = Limit::of(class).to_vec();
    if class != Class::Memory {
        limits.push(Limit::LogSameGroups);
    }
    for actors in bench.scale.spread {
        let amount = Amount::For(bench.scale.run);
        let mut shape = Shape { callers: CALLERS, actors, amount, keys: Keys::InOrder, puts: CALLERS, groups: 1 };
        let name = format!("puts, actors: {actors}, callers: {CALLERS}");
        for round in bench.rounds(&format!("(3) {name}")) {
            let record = |contender: super::Contender, measured: &Measured| {
                contender.add(board.row(Spec::new(3, class, Unit::PerSecond, &name)), measured.rate());
            };
            puts::round(bench, round, &limits, &mut shape, record).await?;
        }
    }
    Ok(())
}
