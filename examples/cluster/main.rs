//! Three nodes on one database, a load on all of them, and one that is killed:
//! `cargo run --release --example cluster -- demo`.
//!
//! One program is everything: `demo` starts the database, itself three times as `node`, and calls the actors of these
//! from a node of its own that serves none. `node` alone makes any process a node of the same cluster.
#![allow(clippy::print_stdout, reason = "it shows what happens")]
#![allow(clippy::disallowed_methods, reason = "a program has the clocks and the tasks of its runtime")]

mod counter;
mod database;
mod demo;
mod load;
mod node;
mod processes;
mod screen;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cluster", about = "Three nodes on one database, a load, and one that is killed")]
struct Args {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Starts everything, kills a node, and shows what happens. It takes about a minute.
    Demo(demo::Demo),
    /// Runs one node until it is told to end.
    Node(node::NodeArgs),
}

#[tokio::main]
async fn main() -> ExitCode {
    let ended = match Args::parse().command {
        Some(Command::Demo(demo)) => demo.run().await,
        Some(Command::Node(args)) => node::run(args).await,
        // To ask what there is is no failure.
        None => return Args::command().print_help().map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
