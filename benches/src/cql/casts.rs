//! Workload 1 on CQL: one actor, casts with distinct keys, then one durable call; until the last row is in its place.

use std::time::Instant;

use super::{
    contender::{Contender, DRIVER, PROTOCOL},
    driver, protocol,
    scale::Scale,
    server::Server,
    subject::Subject,
};
use crate::{
    actors::Table,
    bench::Bench,
    error::{Error, check_eq},
    keys::{Keys, VALUE},
    load::Amount,
    measure::{Measured, number},
    references::Shape,
    row::{Board, Class, Spec, Unit},
    store::name_of,
};

const CONTENDERS: [Contender; 3] = [Contender::Ours, Contender::Driver, Contender::Protocol];

pub(super) async fn run(bench: &Bench, server: &Server, board: &mut Board) -> Result<(), Error> {
    let puts = Scale::of(bench).casts + 1;
    let keys = Keys::InOrder;
    let mut shape = Shape { callers: 1, actors: 1, amount: Amount::Untimed(puts), keys, puts, groups: 1 };
    for round in bench.rounds("(1) casts on one actor") {
        for contender in round.order(&CONTENDERS) {
            let measured = match contender {
                Contender::Ours => {
                    let measured = ours(server, puts, keys).await?;
                    shape.learn(&measured);
                    measured
                }
                Contender::Driver => driver::casts(server, &shape).await?,
                _ => protocol::groups(server, &shape).await?,
            };
            if round.counts() {
                record(board, contender, &measured);
            }
        }
    }
    Ok(())
}

fn record(board: &mut Board, contender: Contender, measured: &Measured) {
    let row = |unit, name: &str| Spec::new(1, Class::Database, unit, name);
    if let Some(rate) = measured.stored_rate() {
        let spec = row(Unit::PerSecond, "casts on one actor, until the last row is stored");
        contender.add(board.row(spec.aim(DRIVER, 0.65).aim(PROTOCOL, 0.85)), rate);
    }
    if contender == Contender::Driver {
        return;
    }
    contender.add(board.row(row(Unit::PerSecond, "casts on one actor, until durable")), measured.rate());
    let groups = number(measured.groups.max(1));
    let size = number(measured.operations) / groups;
    contender.add(board.row(row(Unit::Puts, "casts on one actor, puts a group")), size);
    let commits = groups / measured.elapsed.as_secs_f64();
    contender.add(board.row(row(Unit::PerSecond, "casts on one actor, groups a second")), commits);
    if contender == Contender::Ours {
        let lag = measured.lag;
        board.row(row(Unit::Waiting, "casts on one actor, greatest lag of rows")).ours.push(number(lag.operations));
        board.row(row(Unit::Seconds, "casts on one actor, longest lag of rows")).ours.push(lag.age.as_secs_f64());
    }
}

async fn ours(server: &Server, puts: u64, keys: Keys) -> Result<Measured, Error> {
    let subject = Subject::start(server).await?;
    let client = subject.node.client::<Table>(name_of(0));
    let load = async {
        let start = Instant::now();
        let handled = tokio::spawn(async move {
            for place in 1..puts {
                client.put(keys.at(place), VALUE).cast().await?;
            }
            Ok::<_, Error>(client.put_last(keys.at(0), VALUE).await?)
        });
        check_eq("messages that the actor handled", handled.await??, puts)?;
        Ok(Measured { operations: puts, elapsed: start.elapsed(), ..Measured::default() })
    };
    let measured = subject.until_stored(load).await?;
    subject.close("casts", puts).await?;
    Ok(measured)
}
