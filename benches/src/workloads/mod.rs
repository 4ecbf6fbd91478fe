//! The workloads, one file each. Here stands what they share: who takes part in a round.

mod actors;
mod callers;
mod calls;
mod casts;
mod growth;
pub(crate) mod idle;
mod names;
mod puts;
mod reads;

pub(crate) use self::{casts::casts_of_child, names::first_reads};
use crate::{
    bench::Bench,
    error::Error,
    references::{Limit, disk},
    row::{Board, Class, Row, Spec, Unit},
};

/// How many syncs the probe of the disk takes.
const PROBE_SYNCS: u64 = 100;

/// Who takes part in a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Contender {
    Ours,
    Limit(Limit),
    Other(&'static str),
}

impl Contender {
    fn all(limits: &[Limit]) -> Vec<Self> {
        [Contender::Ours].into_iter().chain(limits.iter().copied().map(Contender::Limit)).collect()
    }

    /// Adds a value where it belongs.
    fn add(self, row: &mut Row, value: f64) {
        match self {
            Contender::Ours => row.ours.push(value),
            Contender::Limit(limit) => row.reference(limit.name(), value),
            Contender::Other(name) => row.reference(name, value),
        }
    }
}

/// Runs the workload of that number.
pub(crate) async fn run(bench: &Bench, board: &mut Board, number: u8) -> Result<(), Error> {
    probe(bench, board).await?;
    match number {
        1 => casts::run(bench, board).await,
        2 => callers::run(bench, board).await,
        3 => actors::run(bench, board).await,
        4 => reads::run(bench, board).await,
        5 => names::run(bench, board).await,
        6 => idle::run(bench, board).await,
        7 => calls::run(bench, board).await,
        8 => growth::run(bench, board).await,
        _ => Ok(()),
    }
}

/// What a sync takes just now: it moves by the minute on a shared machine, so every workload begins with it.
async fn probe(bench: &Bench, board: &mut Board) -> Result<(), Error> {
    let folder = bench.fresh()?;
    if let Some(sync) = disk::probe(folder.join("probe"), PROBE_SYNCS).await? {
        for (name, value) in sync.named() {
            let what = format!("write and fdatasync of {} bytes, {name}", disk::PROBE_BYTES);
            let spec = Spec { name: what.clone(), ..Spec::new(0, Class::Disk, Unit::Microseconds, what) };
            board.row(spec).ours.push(value);
        }
    }
    Ok(())
}
