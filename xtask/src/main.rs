//! The developer commands of the workspace. Owns the command line; what a command does stands in its own module, and
//! none of them knows anything of what the crates do.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a command-line program: it prints, measures real time and waits for real processes"
)]

mod bench;
mod cargo;
mod chaos;
mod ci;
mod counts;
mod cql_tests;
mod error;
mod scylla;
mod sim;
mod test;
mod tidy;
mod workspace;

use std::{env, ffi::OsString, process::ExitCode};

use clap::{Parser, Subcommand};

use crate::{error::Error, workspace::Workspace};

/// Developer commands of the DNA workspace.
#[derive(Debug, Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    after_help = "Examples:\n  \
        cargo xtask test                    every test that needs no server\n  \
        cargo xtask test -p dna-core gate   the tests of one crate whose name has `gate` in it\n  \
        cargo xtask tidy                    layers, file sizes, documents\n  \
        cargo xtask bench --quick           whether the benchmarks run and count right\n  \
        cargo xtask chaos                   two minutes of faults, checked\n  \
        cargo xtask sim                     300 simulated clusters in which everything goes wrong\n  \
        cargo xtask scylla-up               a CQL server on 127.0.0.1:9042\n  \
        cargo xtask ci                      everything that must pass before a change goes in\n  \
        cargo xtask ci fmt clippy           two of its steps\n\n\
        `cargo xtask help <COMMAND>` says more."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run every test that needs no server, or those that need one.
    ///
    /// Runs `cargo test --workspace --all-features --no-fail-fast`, doc tests included, and sums up the results.
    /// Arguments go on to `cargo test`, and those behind `--` to the test runner. Naming a package takes the place of
    /// `--workspace`, naming features that of `--all-features`.
    ///
    /// With `--cql` as the first argument it runs the tests that need a CQL server, and no others: the test targets with
    /// `cql` in their name. The server is that of DNA_CQL=127.0.0.1:9042, if that is set, or that which `scylla-up` has
    /// started; else one is started for the tests, and stopped behind them. Further arguments go on as they are.
    #[command(
        verbatim_doc_comment,
        after_help = "Examples:\n  \
        cargo xtask test                              everything\n  \
        cargo xtask test crash                        the tests whose path has `crash` in it\n  \
        cargo xtask test -p dna-storage               one crate\n  \
        cargo xtask test -p dna-storage --no-default-features\n  \
        cargo xtask test --doc                        the doc tests only\n  \
        cargo xtask test -- --nocapture               show what the tests print\n  \
        cargo xtask test -p dna-core -- --exact name::of::a_test\n  \
        cargo xtask test --cql                        the tests that need a CQL server\n  \
        cargo xtask test --cql deposed                those of them whose path has `deposed` in it\n\n\
        The exit code is that of `cargo test`."
    )]
    Test {
        /// Arguments for `cargo test`; those behind `--` go to the test runner.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENTS")]
        args: Vec<OsString>,
    },

    /// Run everything that must pass before a change goes in.
    ///
    /// All steps run, one after another, also behind a failing one; a table at the end has the result and the time of
    /// each. The last line is `N passed, N failed`: a step counts as one, and a step that runs tests as its tests.
    #[command(
        verbatim_doc_comment,
        after_help = "Examples:\n  \
        cargo xtask ci                 all steps\n  \
        cargo xtask ci --list          the steps and their commands\n  \
        cargo xtask ci fmt tidy        only these steps\n  \
        cargo xtask ci --skip deny     all but these (repeat the option for more)\n\n\
        The exit code is 0 only if nothing failed."
    )]
    Ci(ci::Options),

    /// Measure the engine beside what the machine can do.
    ///
    /// Builds the benchmark program in release mode and runs it; arguments go on to it. Each row runs beside its limits
    /// in the same run. docs/performance.md says what the rows mean.
    ///
    /// With `--store scylla` it needs a CQL server: one that `scylla-up` has started, or another that `--cql` or the
    /// variable DNA_CQL names; else one is started, and stopped behind the program.
    #[command(
        verbatim_doc_comment,
        after_help = "Examples:\n  \
        cargo xtask bench                                everything, a quarter of an hour or more\n  \
        cargo xtask bench --quick                        under a minute: whether it runs and counts right\n  \
        cargo xtask bench --workload 1,2 --json now.json\n  \
        cargo xtask bench --workload 2 --baseline now.json\n  \
        cargo xtask bench --report report.html --svg throughput.svg\n  \
        cargo xtask bench --store scylla                 on a CQL server, half an hour\n  \
        cargo xtask bench --store scylla --soak 600      ten minutes of full load on it\n  \
        cargo xtask bench -- --help                      the program's own options\n\n\
        The exit code is that of the program: 0 unless a count was wrong or something failed."
    )]
    Bench {
        /// Arguments for the benchmark program.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENTS")]
        args: Vec<OsString>,
    },

    /// Break a cluster of real processes on a real database, and check what it answered.
    ///
    /// Processes are killed, stopped and restarted, networks are taken apart, the database stands still or is killed, while
    /// clients in every node call names all over the cluster; all that they called is checked as one history. The report
    /// and the availability curve are below target/chaos. The networks need root, Linux and `ip` of iproute2; without
    /// them, which is said then, everything runs on loopback and networks stay whole.
    #[command(
        verbatim_doc_comment,
        after_help = "Examples:\n  \
        cargo xtask chaos                     two minutes\n  \
        cargo xtask chaos --seconds 3600\n  \
        cargo xtask chaos --seed 7            the same things break in the same order\n  \
        cargo xtask chaos --loopback          without networks of its own\n  \
        cargo xtask chaos -- --help           the program's own options\n\n\
        The exit code is 0 only if nothing was lost, doubled, stale or out of order."
    )]
    Chaos {
        /// Arguments for the program.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENTS")]
        args: Vec<OsString>,
    },
    /// Run clusters in simulated time, with everything going wrong that a seed chooses.
    ///
    /// Nodes, network and database are one thread of one process. Crashes, pauses, partitions, lost answers, clocks that
    /// differ, joins and drains follow from the seed, under a load of which every answer is checked. A seed that goes wrong
    /// is printed with the command that repeats it, step by step.
    #[command(
        verbatim_doc_comment,
        after_help = "Examples:\n  \
        cargo xtask sim                              300 seeds, as `ci` runs them\n  \
        cargo xtask sim --seeds 1 --from 4711        one seed, again\n  \
        cargo xtask sim --release --seeds 10000      many\n\n\
        The exit code is 0 only if every seed went right."
    )]
    Sim(sim::Options),

    /// Run a CQL server on loopback, with a keyspace for DNA in it.
    ///
    /// With a Docker engine it runs ScyllaDB. Without one it fetches Apache Cassandra with Maven, once, and runs that on
    /// Java 17. It goes on running until `scylla-down`; a second call finds it. A node that has ended is started again,
    /// with its data. What is not said on the command line is as it was before.
    #[command(
        verbatim_doc_comment,
        after_help = "Examples:\n  \
        cargo xtask scylla-up                           one node, 127.0.0.1:9042\n  \
        cargo xtask scylla-up --nodes 3                 three, on 127.0.0.1 to 127.0.0.3\n  \
        cargo xtask scylla-up --heap 2G                 to measure on\n  \
        cargo xtask scylla-up --name crash --address 127.0.0.11 --durable --no-schema\n\n\
        The nodes also speak with each other on port 7000 (2042 below the port of CQL).\n\
        The exit code is 0 only if all nodes answer and the keyspace is ready."
    )]
    ScyllaUp(scylla::UpOptions),

    /// Stop the CQL server that `scylla-up` started.
    ///
    /// It is told to end, and killed if it has not within a minute. A process that `scylla-up` did not start is left
    /// alone, also if it has the number or the address of one that it did.
    #[command(
        verbatim_doc_comment,
        after_help = "Examples:\n  \
        cargo xtask scylla-down                stop it; its data stays\n  \
        cargo xtask scylla-down --wipe         its data, too, is removed\n  \
        cargo xtask scylla-down --kill         as if it had crashed"
    )]
    ScyllaDown(scylla::DownOptions),

    /// Show the CQL servers that `scylla-up` started.
    #[command(after_help = "The exit code is 0 only if there is one and all nodes answer.")]
    ScyllaStatus(scylla::StatusOptions),

    /// Check what the workspace asks of its own tree.
    ///
    /// The layers of the crates, the shape and size of files, forbidden words, that each line of SEMANTICS.md names a
    /// test that exists, that manifests inherit from the root, that links lead somewhere. Compiles nothing.
    #[command(
        verbatim_doc_comment,
        after_help = "Each problem is printed as `file:line: what is wrong; what to do`.\n\
        The exit code is 0 only if there is none."
    )]
    Tidy,
}

fn main() -> ExitCode {
    match run(Cli::parse_from(escaped(env::args_os().collect())).command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The arguments, with a `--` in front of those of `test`, `bench` and `chaos`: else the first one of theirs would be taken for
/// it.
fn escaped(mut args: Vec<OsString>) -> Vec<OsString> {
    let is_help = |arg: Option<&OsString>| arg.is_some_and(|arg| arg == "--help" || arg == "-h");
    let passes_on = |command: &OsString| ["test", "bench", "chaos"].iter().any(|name| command == name);
    if args.get(1).is_some_and(passes_on) && !is_help(args.get(2)) {
        args.insert(2, "--".into());
    }
    args
}

fn run(command: Command) -> Result<ExitCode, Error> {
    let workspace = Workspace::read()?;
    let passed = match command {
        Command::Test { args } => {
            return match args.split_first() {
                Some((first, others)) if first == "--cql" => cql_tests::run(&workspace, others),
                _ => test::run(&workspace, &args),
            };
        }
        Command::Bench { args } => return bench::run(&workspace, &args),
        Command::Chaos { args } => return chaos::run(&workspace, &args),
        Command::Sim(options) => return sim::run(&workspace, &options),
        Command::Ci(options) => ci::run(&workspace, &options)?,
        Command::ScyllaUp(options) => scylla::up(&workspace, &options).map(|_| true)?,
        Command::ScyllaDown(options) => scylla::down(&workspace, &options).map(|()| true)?,
        Command::ScyllaStatus(options) => scylla::status(&workspace, &options)?,
        Command::Tidy => tidy::run(&workspace)?.is_empty(),
    };
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn arguments_of_test_reach_the_runner_untouched() {
        let table: [&[&str]; 5] = [
            &[],
            &["-p", "dna-core", "gate", "--", "--nocapture", "--exact"],
            &["--", "--nocapture"],
            &["--doc"],
            &["-p", "dna", "--help"],
        ];
        for given in table {
            let line = ["xtask", "test"].iter().chain(given).map(OsString::from).collect();
            let Command::Test { args } = Cli::parse_from(escaped(line)).command else { panic!("not `test`") };
            assert_eq!(args, given);
        }
    }

    #[test]
    fn other_arguments_stay_as_they_are() {
        for line in [&["xtask"][..], &["xtask", "test", "--help"], &["xtask", "ci", "test"]] {
            let line = line.iter().map(OsString::from).collect::<Vec<_>>();
            assert_eq!(escaped(line.clone()), line);
        }
    }
}
