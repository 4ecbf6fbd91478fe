//! `dna-bench`, started by `cargo xtask bench`: measures DNA beside what its machine can do, in the same run. Owns the
//! order of things; what is measured stands in `workloads`, beside what in `references`.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a command-line program that measures: it prints, reads clocks and starts tasks and threads"
)]

mod actors;
mod args;
mod baseline;
mod bench;
mod child;
mod cluster;
mod cql;
mod environment;
mod error;
mod format;
mod json;
mod keys;
mod load;
mod measure;
mod progress;
mod references;
mod report;
mod row;
mod store;
mod subject;
mod table;
mod workloads;

use std::{fs, process::ExitCode};

use clap::Parser;

use crate::{
    args::{Args, StoreKind},
    bench::Bench,
    cql::Server,
    environment::Environment,
    error::Error,
    row::Board,
};

fn main() -> ExitCode {
    match start(Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn start(args: Args) -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(Error::file("the runtime"))?;
    if args.child.is_empty() { runtime.block_on(run(args)) } else { runtime.block_on(child::run(&args)) }
}

async fn run(args: Args) -> Result<(), Error> {
    // Read first: a run of minutes is not to end in a file that is not there.
    let baseline = args.baseline.as_deref().map(json::read).transpose()?;
    let bench = Bench::new(args)?;
    let server = if bench.args.store == StoreKind::Scylla { Some(Server::connect(&bench.args).await?) } else { None };
    let about = server.as_ref().map(|server| server.about());
    let environment = Environment::read(&bench.args, bench.dir(), about.as_deref());
    for (name, value) in environment.lines() {
        println!("{name:<8} {value}");
    }

    let mut board = Board::default();
    match server {
        Some(server) => cql::run(&bench, &server, &mut board).await?,
        None if bench.args.soak.is_some() => return Err(Error::NoSoak),
        None if bench.args.cluster => cluster::run(&bench, &mut board).await?,
        None => {
            if let Some(number) = bench.args.workload.iter().find(|number| **number > 8) {
                return Err(Error::NoClusterWorkload(*number));
            }
            for number in (1..=8).filter(|number| bench.args.has_workload(*number)) {
                workloads::run(&bench, &mut board, number).await?;
            }
        }
    }
    bench.progress.clear();
    println!("{}", table::tables(&board));
    println!(
        "↑ higher is better, ↓ lower is better; a ratio is of the medians, (rounds) the ends of it within one round"
    );

    let figures = json::figures(&board);
    if let Some(before) = baseline {
        println!("beside the earlier run\n{}", baseline::show(&baseline::compare(&before, &figures)));
    }
    if let Some(path) = &bench.args.json {
        json::write(path, &figures)?;
    }
    if let Some(path) = &bench.args.report {
        fs::write(path, report::html(&board, &environment)).map_err(Error::file(path))?;
    }
    if let Some(path) = &bench.args.svg {
        fs::write(path, report::readme_svg(&board, &environment)).map_err(Error::file(path))?;
    }
    println!("every count that was read back was the count that was written");
    Ok(())
}
