//! Several nodes of one process on a cluster's store in memory, with real sockets between them: what the way between
//! nodes costs, how long names are without a node, and what a change of the view takes.

mod calls;
mod casts;
mod outages;
mod pair;
mod views;

use crate::{bench::Bench, error::Error, row::Board};

/// Runs what was asked for.
pub(crate) async fn run(bench: &Bench, board: &mut Board) -> Result<(), Error> {
    if let Some(number) = bench.args.workload.iter().find(|number| **number < 9) {
        return Err(Error::NoClusterWorkload(*number));
    }
    for number in (9..=12).filter(|number| bench.args.has_workload(*number)) {
        match number {
            9 => calls::run(bench, board).await?,
            10 => casts::run(bench, board).await?,
            11 => outages::run(bench, board).await?,
            _ => views::run(bench, board)?,
        }
    }
    Ok(())
}
