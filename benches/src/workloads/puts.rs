//! One round of callers that wait for their puts: DNA and its limits in turn. The workloads differ in how many callers
//! and actors there are, and in what they make of it.

use super::Contender;
use crate::{
    bench::{Bench, Round},
    error::Error,
    measure::Measured,
    references::{self, Limit, Shape},
    subject::Subject,
};

/// Runs every contender once and hands over what was measured, unless the round does not count.
pub(super) async fn round(
    bench: &Bench,
    round: Round,
    limits: &[Limit],
    shape: &mut Shape,
    mut record: impl FnMut(Contender, &Measured),
) -> Result<(), Error> {
    for contender in round.order(&Contender::all(limits)) {
        let measured = match contender {
            Contender::Ours => {
                let measured = ours(bench, shape).await?;
                shape.learn(&measured);
                measured
            }
            // It needs no warmth, and is by far the slowest.
            Contender::Limit(Limit::Sqlite) if !round.counts() => continue,
            Contender::Limit(limit) => references::measure(bench, limit, shape).await?,
            Contender::Other(_) => continue,
        };
        if round.counts() {
            record(contender, &measured);
        }
    }
    Ok(())
}

/// DNA on a fresh store. Each actor has had its first message before the clock starts.
async fn ours(bench: &Bench, shape: &Shape) -> Result<Measured, Error> {
    let subject = Subject::start(bench).await?;
    subject.prime(shape.actors).await?;
    let measured = subject.puts(shape).await?;
    subject.close("puts of waiting callers", shape.actors, shape.actors + measured.operations).await?;
    Ok(measured)
}
