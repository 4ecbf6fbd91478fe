//! Workload 5 on CQL: the first message to names that have a row, a read, by a node that has just started.

use super::{contender::Contender, driver, scale::Scale, server::Server, subject::Subject};
use crate::{
    bench::Bench,
    error::Error,
    row::{Board, Class, Spec, Unit},
    workloads::first_reads,
};

const CALLERS: u64 = 1024;

/// First messages a second.
const TARGET: f64 = 2000.0;

pub(super) async fn run(bench: &Bench, server: &Server, board: &mut Board) -> Result<(), Error> {
    let names = Scale::of(bench).names;
    for round in bench.rounds(&format!("(5) first messages to {names} stored names")) {
        let subject = Subject::start(server).await?;
        subject.prime(names).await?;
        let subject = subject.restart().await?;
        for contender in round.order(&[Contender::Ours, Contender::Driver]) {
            let measured = match contender {
                Contender::Ours => first_reads(&subject.node, names).await?,
                _ => driver::reads(&subject.space, CALLERS, names).await?,
            };
            if round.counts() {
                let name = format!("first message, a read, to {names} stored names, callers: {CALLERS}");
                let spec = Spec::new(5, Class::Reads, Unit::PerSecond, name).aim(None, TARGET);
                contender.add(board.row(spec), measured.rate());
            }
        }
        subject.close("first messages", names).await?;
    }
    Ok(())
}
