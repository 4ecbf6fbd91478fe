//! Workload 2: one actor; 1, 64 and 1,024 callers that each wait for their durable puts; and requests at a fixed rate.

use super::{Contender, puts};
use crate::{
    actors::Table,
    bench::Bench,
    error::Error,
    keys::{Keys, VALUE},
    load::{self, Amount},
    measure::Measured,
    references::{Limit, Shape, log},
    row::{Board, Class, Figure, Spec, Unit},
    store::name_of,
    subject::Subject,
};

const CALLERS: [u64; 3] = [1, 64, 1024];

/// Requests a second of the open loop: far below what one actor takes, so that what shows is the waiting.
const OPEN_RATE: u32 = 5000;

const OPEN_LOG: &str = "append-only log, same requests";

pub(super) async fn run(bench: &Bench, board: &mut Board) -> Result<(), Error> {
    let class = bench.class();
    for callers in CALLERS {
        let amount = Amount::For(bench.scale.run);
        let mut shape = Shape { callers, actors: 1, amount, keys: Keys::InOrder, puts: callers, groups: 1 };
        for round in bench.rounds(&format!("(2) puts, callers: {callers}")) {
            let record = |contender, measured: &Measured| record(board, class, callers, contender, measured);
            puts::round(bench, round, Limit::of(class), &mut shape, record).await?;
        }
    }
    open_loop(bench, board).await
}

fn record(board: &mut Board, class: Class, callers: u64, contender: Contender, measured: &Measured) {
    let name = format!("puts, callers: {callers}");
    let spec = Spec::new(2, class, Unit::PerSecond, &name).at(Figure::Throughput, callers);
    contender.add(board.row(spec), measured.rate());
    if matches!(contender, Contender::Limit(limit) if !limit.has_latency()) {
        return;
    }
    for (percentile, value) in measured.percentiles().iter().flat_map(|latency| latency.named()) {
        let name = format!("{name}, {percentile} service time");
        let mut spec = Spec::new(2, class, Unit::Microseconds, name);
        if percentile == "p50" {
            spec = spec.at(Figure::Latency, callers);
        }
        contender.add(board.row(spec), value);
    }
}

async fn open_loop(bench: &Bench, board: &mut Board) -> Result<(), Error> {
    let class = bench.class();
    let total = u32::try_from(bench.scale.run.as_millis()).unwrap_or(1000) * OPEN_RATE / 1000;
    let mut contenders = vec![Contender::Ours];
    if class != Class::Memory {
        contenders.push(Contender::Other(OPEN_LOG));
    }
    for round in bench.rounds(&format!("(2) puts at {OPEN_RATE} a second")) {
        for contender in round.order(&contenders) {
            let folder = bench.fresh()?;
            let measured = match contender {
                Contender::Ours => ours_at_rate(bench, total).await?,
                _ => log::at_rate(folder.join("log"), bench.args.is_synced(), OPEN_RATE, total).await?,
            };
            for (percentile, value) in measured.percentiles().iter().flat_map(|latency| latency.named()) {
                let name = format!("puts at {OPEN_RATE}/s, {percentile} from the intended start");
                if round.counts() {
                    contender.add(board.row(Spec::new(2, class, Unit::Microseconds, name)), value);
                }
            }
        }
    }
    Ok(())
}

async fn ours_at_rate(bench: &Bench, total: u32) -> Result<Measured, Error> {
    let subject = Subject::start(bench).await?;
    subject.prime(1).await?;
    let client = subject.node.client::<Table>(name_of(0));
    let requests = load::open_loop(OPEN_RATE, total, move |index| {
        let put = client.put(index, VALUE);
        async move { Ok(put.await?) }
    });
    let measured = requests.await?;
    subject.close("puts at a fixed rate", 1, 1 + measured.operations).await?;
    Ok(measured)
}
