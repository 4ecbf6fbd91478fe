//! Workload 4: reads of one actor with many rows. A hot key stands in the actor's cache, a cold one only in the store,
//! and a list has 100 rows.

use dna::Node;

use super::Contender;
use crate::{
    actors::Table,
    bench::{Bench, Round},
    error::{Error, check_eq},
    keys::VALUE,
    load::{self, Amount},
    measure::Measured,
    references::{channel, sqlite, store},
    row::{Board, Class, Spec, Unit},
    store::{name_of, table},
    subject::Subject,
};

const CALLERS: [u64; 2] = [1, 64];

const LIST_ROWS: u32 = 100;

const CHANNEL: &str = "mpsc + oneshot to a task with a map";
const STORE: &str = "store without the engine";
const SQLITE: &str = "SQLite by hand, one connection";

/// What is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Read {
    Hot,
    Cold,
    List,
}

impl Read {
    fn name(self) -> &'static str {
        match self {
            Read::Hot => "hot key",
            Read::Cold => "cold key",
            Read::List => "list of 100",
        }
    }

    fn contenders(self) -> Vec<Contender> {
        let references: &[_] = match self {
            Read::Hot => &[CHANNEL],
            Read::Cold | Read::List => &[STORE, SQLITE],
        };
        [Contender::Ours].into_iter().chain(references.iter().map(|name| Contender::Other(name))).collect()
    }

    /// How many rows one read answers.
    fn rows(self) -> u64 {
        if self == Read::List { u64::from(LIST_ROWS) } else { 1 }
    }

    fn amount(self, rows: u64, callers: u64) -> Amount {
        match self {
            Read::Hot if callers == 1 => Amount::Untimed(2 * rows),
            Read::Hot => Amount::Untimed(10 * rows),
            Read::Cold => Amount::Timed(rows),
            Read::List => Amount::Timed(rows / 20),
        }
    }

    /// The first key of the read of that place: every cold key comes once, in no order.
    fn key(self, place: u64, rows: u64) -> u64 {
        const PRIME: u64 = 7_919;
        match self {
            Read::Hot => 0,
            Read::Cold => place * PRIME % rows,
            Read::List => place * PRIME % (rows - u64::from(LIST_ROWS)),
        }
    }
}

pub(super) async fn run(bench: &Bench, board: &mut Board) -> Result<(), Error> {
    let rows = bench.scale.rows;
    let subject = Subject::start(bench).await?;
    let client = subject.node.client::<Table>(name_of(0));
    for key in 1..rows {
        client.put(key, VALUE).cast().await?;
    }
    client.put(0, VALUE).await?;
    drop(client);
    let subject = subject.restart().await?;
    for read in [Read::Hot, Read::Cold, Read::List] {
        for callers in CALLERS {
            let name = format!("{}, callers: {callers}", read.name());
            for round in bench.rounds(&format!("(4) reads, {name}")) {
                one_round(bench, board, (read, callers, &name), round, &subject).await?;
            }
        }
    }
    subject.close("the reads", 1, rows).await
}

async fn one_round(
    bench: &Bench,
    board: &mut Board,
    (read, callers, name): (Read, u64, &str),
    round: Round,
    subject: &Subject<'_>,
) -> Result<(), Error> {
    let rows = bench.scale.rows;
    let amount = read.amount(rows, callers);
    for contender in round.order(&read.contenders()) {
        let measured = match contender {
            Contender::Ours => ours(&subject.node, read, callers, rows).await?,
            Contender::Other(CHANNEL) => channel::gets(callers, amount, rows).await?,
            Contender::Other(STORE) => without_engine(subject, read, callers, rows).await?,
            Contender::Other(_) if callers > 1 => continue,
            _ => {
                let folder = bench.fresh()?;
                let Amount::Timed(steps) = amount else { continue };
                let place = move |step| (0, read.key(step, rows));
                let each = (steps, read.rows());
                sqlite::reads(folder.join("sqlite"), bench.args.is_synced(), 1, rows, each, place).await?
            }
        };
        if !round.counts() {
            continue;
        }
        contender.add(board.row(Spec::new(4, Class::Reads, Unit::PerSecond, name)), measured.rate());
        // Without the engine 64 callers read one after another, without a wait: there is nothing to hold theirs against.
        if callers > 1 {
            continue;
        }
        for (percentile, value) in measured.percentiles().iter().flat_map(|latency| latency.named()) {
            let spec = Spec::new(4, Class::Reads, Unit::Microseconds, format!("{name}, {percentile} service time"));
            contender.add(board.row(spec), value);
        }
    }
    Ok(())
}

async fn ours(node: &Node, read: Read, callers: u64, rows: u64) -> Result<Measured, Error> {
    node.passivate_all().await;
    check_eq("bytes that the caches hold", u64::try_from(node.stats().cached_bytes).unwrap_or(u64::MAX), 0)?;
    let client = node.client::<Table>(name_of(0));
    // The activation, and for the hot key its row, are there before the clock starts.
    client.get(rows).await?;
    client.get(read.key(0, rows)).await?;
    load::closed_loop(callers, read.amount(rows, callers), |mut turns| {
        let client = client.clone();
        async move {
            while let Some(step) = turns.next() {
                let key = read.key(turns.place(step), rows);
                let found = match read {
                    Read::List => client.list(key, LIST_ROWS).await?.len(),
                    Read::Hot | Read::Cold => client.get(key).await?.into_iter().len(),
                };
                if u64::try_from(found) != Ok(read.rows()) {
                    return Err(Error::Invariant(format!("{found} rows from key {key} on, not {}", read.rows())));
                }
            }
            Ok(turns)
        }
    })
    .await
}

async fn without_engine(subject: &Subject<'_>, read: Read, callers: u64, rows: u64) -> Result<Measured, Error> {
    let actor = table(name_of(0))?;
    let row = move |place| Ok((actor.clone(), read.key(place, rows)));
    let amount = read.amount(rows, callers);
    match read {
        Read::List => {
            let each = usize::try_from(LIST_ROWS).unwrap_or(usize::MAX);
            store::scans(&subject.store, callers, amount, each, row).await
        }
        Read::Hot | Read::Cold => store::gets(&subject.store, callers, amount, row).await,
    }
}
