//! The command line: what is measured, how often, and where the figures go.

use std::{path::PathBuf, time::Duration};

use clap::{Parser, ValueEnum};

/// Measures DNA beside what its machine can do.
///
/// Every row runs beside its limits in the same run, interleaved. What is printed first is the ratio.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "cargo xtask bench",
    bin_name = "cargo xtask bench",
    after_help = "Workloads:\n  \
        1  one actor, 1,000,000 casts, then one durable call\n  \
        2  one actor; 1, 64 and 1,024 callers that wait for durable puts\n  \
        3  64 and 10,000 actors, 64 callers\n  \
        4  reads: hot key, cold key, list of 100\n  \
        5  the first message to 100,000 new names, and to existing ones after a restart\n  \
        6  the memory of an idle actor, at 100,000\n  \
        7  calls that touch no storage, 1 and 64 callers\n  \
        8  growth: the same puts over 1, 10, 1,000 and 100,000 actors\n\n\
        With `--store scylla`: 1, 2 (1 to 1,024 callers), 3 (64 to 1,024 actors, a caller each), 5, and `--soak`.\n\n\
        With `--cluster`, and only there:\n  \
        9  calls to an actor on another node, 1 and 64 in flight\n  \
        10  casts to an actor on another node\n  \
        11  how long takeovers and moves take\n  \
        12  what a view change costs at 3, 30 and 300 members\n\n\
        docs/performance.md says what each row means."
)]
pub(crate) struct Args {
    /// The store under the actors.
    #[arg(long, value_enum, default_value_t = StoreKind::Embedded)]
    pub(crate) store: StoreKind,

    /// What an `Ok` of the embedded store promises.
    #[arg(long, value_enum, default_value_t = DurabilityKind::Fsync)]
    pub(crate) durability: DurabilityKind,

    /// Under a minute: checks that everything runs and that the counts are right. Its figures mean little.
    #[arg(long)]
    pub(crate) quick: bool,

    /// Only these workloads.
    #[arg(long, value_delimiter = ',', value_name = "N", value_parser = clap::value_parser!(u8).range(1..=12))]
    pub(crate) workload: Vec<u8>,

    /// How many rounds count, behind one that does not. 5 unless it is said, 1 with `--quick`.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rounds: Option<u32>,

    /// Only a full load for so long on `--store scylla`: how far the rows lag, and that nothing grows.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) soak: Option<u32>,

    /// Several nodes instead of one, on a cluster's store in memory, so that no database is measured.
    #[arg(long, conflicts_with_all = ["store", "durability", "soak", "cql"])]
    pub(crate) cluster: bool,

    /// Where the server of `--store scylla` answers. Unless it is said, what `DNA_CQL` says, or else 127.0.0.1:9042.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) cql: Option<String>,

    /// Write the figures to this file.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,

    /// Compare with the figures of an earlier `--json`.
    #[arg(long, value_name = "FILE")]
    pub(crate) baseline: Option<PathBuf>,

    /// Write a report with plots: one HTML file that needs nothing else.
    #[arg(long, value_name = "FILE.html")]
    pub(crate) report: Option<PathBuf>,

    /// Write the plot of throughput by callers, with machine, disk and date.
    #[arg(long, value_name = "FILE.svg")]
    pub(crate) svg: Option<PathBuf>,

    /// Where the data files go, in a fresh directory that is removed at the end.
    #[arg(long, value_name = "DIR", default_value = "target/bench")]
    pub(crate) dir: PathBuf,

    /// What a process that this program has started itself is to do.
    #[arg(long, hide = true, num_args = 2.., value_name = "WHAT")]
    pub(crate) child: Vec<String>,
}

/// A store that can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum StoreKind {
    /// Plain maps, lost with the process.
    Memory,
    /// A directory on the local disk.
    Embedded,
    /// A keyspace of ScyllaDB or Apache Cassandra.
    Scylla,
}

/// As `dna::Durability`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DurabilityKind {
    /// Outlives a power failure.
    Fsync,
    /// Outlives the process.
    Buffered,
}

/// How much is done.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scale {
    /// Casts of workload 1.
    pub(crate) casts: u64,
    /// How long a load that is bounded by time runs.
    pub(crate) run: Duration,
    /// Actors of workload 3.
    pub(crate) spread: [u64; 2],
    /// Rows that workload 4 reads.
    pub(crate) rows: u64,
    /// Names of workloads 5 and 6.
    pub(crate) names: u64,
    /// Calls of one caller, and of all 64 together, of workload 7.
    pub(crate) calls: [u64; 2],
    /// Actors of workload 8.
    pub(crate) growth: &'static [u64],
    /// Puts of workload 8.
    pub(crate) growth_puts: u64,
    /// How many transactions SQLite is given where the load is bounded by time.
    pub(crate) sqlite_transactions: u64,
    /// Active actors of the node that gives its shards away, of workload 11.
    pub(crate) moved: u64,
    /// How often workload 12 takes a view in.
    pub(crate) view_changes: u32,
}

const FULL: Scale = Scale {
    casts: 1_000_000,
    run: Duration::from_secs(1),
    spread: [64, 10_000],
    rows: 100_000,
    names: 100_000,
    calls: [300_000, 1_000_000],
    growth: &[1, 10, 1_000, 100_000],
    growth_puts: 100_000,
    sqlite_transactions: 100,
    moved: 2_000,
    view_changes: 50,
};

const QUICK: Scale = Scale {
    casts: 20_000,
    run: Duration::from_millis(100),
    spread: [64, 500],
    rows: 2_000,
    names: 2_000,
    calls: [10_000, 20_000],
    growth: &[1, 10, 200],
    growth_puts: 4_000,
    sqlite_transactions: 4,
    moved: 200,
    view_changes: 3,
};

impl Args {
    pub(crate) fn scale(&self) -> Scale {
        if self.quick { QUICK } else { FULL }
    }

    pub(crate) fn rounds(&self) -> u32 {
        self.rounds.unwrap_or(if self.quick { 1 } else { 5 })
    }

    /// Where the CQL server answers.
    pub(crate) fn contact(&self) -> String {
        let set = self.cql.clone().or_else(|| std::env::var("DNA_CQL").ok());
        set.unwrap_or_else(|| "127.0.0.1:9042".to_owned())
    }

    pub(crate) fn has_workload(&self, number: u8) -> bool {
        self.workload.is_empty() || self.workload.contains(&number)
    }

    /// Whether what is answered `Ok` outlives a power failure.
    pub(crate) fn is_synced(&self) -> bool {
        self.store == StoreKind::Embedded && self.durability == DurabilityKind::Fsync
    }

    /// The store as one line says it.
    pub(crate) fn store_line(&self) -> &'static str {
        match (self.store, self.durability) {
            _ if self.cluster => "nodes of one process on a cluster's store in memory, TCP on loopback between them",
            (StoreKind::Memory, _) => "memory store: nothing outlives the process",
            (StoreKind::Scylla, _) => "CQL store: `Ok` outlives what the server's commit log does",
            (StoreKind::Embedded, DurabilityKind::Fsync) => "embedded store, fsync: `Ok` outlives a power failure",
            (StoreKind::Embedded, DurabilityKind::Buffered) => {
                "embedded store, buffered: `Ok` outlives the process, not a power failure"
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn workloads_are_chosen_by_number() {
        let args = Args::parse_from(["bench", "--workload", "1,7"]);
        assert_eq!((1..=8).filter(|number| args.has_workload(*number)).collect::<Vec<_>>(), [1, 7]);
        assert!(Args::try_parse_from(["bench", "--workload", "13"]).is_err());
        assert!((1..=12).all(|number| Args::parse_from(["bench"]).has_workload(number)));
    }

    #[test]
    fn the_server_is_the_one_that_was_said() {
        let line = ["bench", "--store", "scylla", "--cql", "127.0.0.7:9042", "--soak", "600"];
        let args = Args::try_parse_from(line).unwrap();
        assert_eq!((args.store, args.soak), (StoreKind::Scylla, Some(600)));
        assert_eq!(args.contact(), "127.0.0.7:9042");
        assert!(Args::try_parse_from(["bench", "--soak", "0"]).is_err());
    }

    #[test]
    fn several_nodes_have_a_store_of_their_own() {
        assert!(Args::parse_from(["bench", "--cluster", "--quick", "--workload", "9,10"]).cluster);
        for other in [&["--store", "embedded"][..], &["--durability", "fsync"], &["--soak", "1"], &["--cql", "a:1"]] {
            assert!(Args::try_parse_from([&["bench", "--cluster"], other].concat()).is_err(), "{other:?}");
        }
    }

    #[test]
    fn five_rounds_count_unless_it_is_said() {
        for (line, rounds) in [(&["b"][..], 5), (&["b", "--quick"], 1), (&["b", "--quick", "--rounds", "3"], 3)] {
            assert_eq!(Args::parse_from(line).rounds(), rounds);
        }
    }
}
