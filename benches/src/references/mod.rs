//! The limits: what the same machine does with the same load when there is less in the way. One file a limit; here
//! stands which of them a row is held against, and what they are told of the row's load.

pub(crate) mod channel;
pub(crate) mod disk;
pub(crate) mod echo;
pub(crate) mod log;
pub(crate) mod one_way;
pub(crate) mod sqlite;
pub(crate) mod store;
pub(crate) mod tasks;

use crate::{args::StoreKind, bench::Bench, error::Error, keys::Keys, load::Amount, measure::Measured, row::Class};

/// A limit of rows that write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Limit {
    /// The same bytes in the same groups, written and synced one after another.
    Disk,
    /// An append-only log with a sync for all that waits, under the same callers.
    Log,
    /// The same log, with no more in a group than DNA had.
    LogSameGroups,
    /// The same groups given straight to the store.
    Store,
    /// SQLite by hand.
    Sqlite,
    /// A channel to a task, and one back for each answer.
    Channel,
}

impl Limit {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Limit::Disk => "fdatasync of the same bytes",
            Limit::Log => "append-only log, same callers",
            Limit::LogSameGroups => "append-only log, same groups",
            Limit::Store => "store without the engine",
            Limit::Sqlite => "SQLite by hand",
            Limit::Channel => "mpsc + oneshot",
        }
    }

    /// The limits of rows of a class.
    pub(crate) fn of(class: Class) -> &'static [Limit] {
        match class {
            Class::Synced => &[Limit::Disk, Limit::Log, Limit::Store, Limit::Sqlite],
            Class::Buffered => &[Limit::Log, Limit::Store, Limit::Sqlite],
            Class::Memory => &[Limit::Store, Limit::Channel],
            Class::Disk | Class::Reads | Class::Database => &[],
        }
    }

    /// Whether what it times is what a caller waits for.
    pub(crate) fn has_latency(self) -> bool {
        self != Limit::Sqlite
    }
}

/// The load of a row, as DNA took it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) callers: u64,
    pub(crate) actors: u64,
    /// What the callers do, where a limit has callers.
    pub(crate) amount: Amount,
    pub(crate) keys: Keys,
    /// What DNA did last, for the limits that repeat it.
    pub(crate) puts: u64,
    pub(crate) groups: u64,
}

impl Shape {
    /// Takes over what DNA did.
    pub(crate) fn learn(&mut self, ours: &Measured) {
        self.puts = ours.operations.max(1);
        self.groups = ours.groups.clamp(1, self.puts);
    }

    /// How many puts DNA had in a group, on the average.
    pub(crate) fn puts_a_group(&self) -> u64 {
        self.puts.div_ceil(self.groups.max(1)).max(1)
    }
}

/// Measures a limit once, on fresh files.
pub(crate) async fn measure(bench: &Bench, limit: Limit, shape: &Shape) -> Result<Measured, Error> {
    let folder = bench.fresh()?;
    let synced = bench.args.is_synced();
    match limit {
        Limit::Disk => disk::same_groups(folder.join("file"), *shape).await,
        Limit::Log => log::callers(folder.join("log"), synced, u64::MAX, shape).await,
        Limit::LogSameGroups => log::callers(folder.join("log"), synced, shape.puts_a_group(), shape).await,
        Limit::Store => store::same_groups(&bench.open(&folder.join("store"))?, shape).await,
        Limit::Sqlite => {
            let puts = match shape.amount {
                Amount::For(_) => sqlite::TRANSACTION_PUTS * bench.scale.sqlite_transactions,
                Amount::Timed(puts) | Amount::Untimed(puts) => puts,
            };
            sqlite::puts(folder.join("sqlite"), synced, *shape, puts).await
        }
        Limit::Channel => channel::puts(shape).await,
    }
}

/// Runs `work`, which blocks, beside the runtime.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    tokio::task::spawn_blocking(work).await?
}

/// Whether the store under test can be read again by hand.
pub(crate) fn has_files(kind: StoreKind) -> bool {
    kind == StoreKind::Embedded
}
