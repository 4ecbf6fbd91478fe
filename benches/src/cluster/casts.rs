//! Workload 10: casts to an actor on another node.

use std::time::{Duration, Instant};

use rustix::time::ClockId;

use super::pair::Pair;
use crate::{
    bench::Bench,
    error::Error,
    measure::{Measured, computed},
    references::one_way,
    row::{Board, Class, Spec, Unit},
    store::name_of,
};

const CONNECTION: &str = "one framed connection";

/// How many casts are sent between two looks at the clock.
const CASTS_A_LOOK: u64 = 64;

pub(super) async fn run(bench: &Bench, board: &mut Board) -> Result<(), Error> {
    let specs = || {
        let spec = |unit, what| Spec::new(10, Class::Memory, unit, what);
        [
            spec(Unit::PerSecond, "casts to another node").aim(CONNECTION, 0.75),
            spec(Unit::Microseconds, "casts to another node, processor time for one"),
        ]
    };
    for round in bench.rounds("(10) casts to another node") {
        for is_ours in round.order(&[true, false]) {
            let measured = if is_ours { ours(bench).await? } else { one_way::casts(bench.scale.run).await? };
            if !round.counts() {
                continue;
            }
            for (spec, value) in specs().into_iter().zip([measured.rate(), measured.computed_each()]) {
                let row = board.row(spec);
                if is_ours {
                    row.ours.push(value);
                } else {
                    row.reference(CONNECTION, value);
                }
            }
        }
    }
    Ok(())
}

/// The clock stops when the actor has handled all of them.
async fn ours(bench: &Bench) -> Result<Measured, Error> {
    let pair = Pair::start(Duration::from_secs(3), 0).await?;
    let client = pair.far(&name_of(0))?;
    client.add(0).await?;
    let (start, before, run) = (Instant::now(), computed(ClockId::ProcessCPUTime), bench.scale.run);
    let sender = client.clone();
    let casts = tokio::spawn(async move {
        let mut casts = 0;
        while start.elapsed() < run {
            for _ in 0..CASTS_A_LOOK {
                sender.add(1).cast().await?;
            }
            casts += CASTS_A_LOOK;
        }
        Ok::<_, Error>(casts)
    });
    let operations = casts.await??;
    // Messages of one handle are handled in the order of their sending: behind a call, all of them are.
    let handled = client.total(0).await?;
    let elapsed = start.elapsed();
    let computed = computed(ClockId::ProcessCPUTime).saturating_sub(before);
    crate::error::check_eq("casts that the actor handled", handled, operations)?;
    pair.close().await?;
    Ok(Measured { operations, elapsed, computed, ..Measured::default() })
}
