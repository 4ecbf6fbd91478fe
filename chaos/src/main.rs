//! `dna-chaos`, started by `cargo xtask chaos`: nodes of a cluster as processes, with a database and networks of their
//! own, under load; processes are killed and stopped, networks and the database taken away, and what was called and
//! answered is checked as one history behind it.
//!
//! `driver` has the order of things, `plan` decides what breaks when, `faults` breaks it; `ground` has the networks,
//! `database` and `process` what runs on them. `node` is the process that is broken, `load` what it is asked for
//! meanwhile. `trail` and the histories of `dna_core::testing::history` say what was wrong, `report` what there was to
//! see.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a test program: what it cannot do ends it, and it waits for real processes in real time"
)]

mod actors;
mod clock;
mod database;
mod drawing;
mod driver;
mod faults;
mod ground;
mod load;
mod node;
mod outages;
mod plan;
mod process;
mod recorded;
#[path = "../../dna/tests/support/register.rs"]
mod register;
mod report;
#[path = "../../dna/tests/support/rng.rs"]
mod rng;
mod trail;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Breaks a cluster of real processes, and checks what it has answered.
#[derive(Debug, Parser)]
#[command(name = "dna-chaos")]
struct Cli {
    #[command(subcommand)]
    role: Role,
}

#[derive(Debug, Subcommand)]
enum Role {
    /// Starts the others, breaks them, and checks.
    Run(driver::Options),
    /// A node of the cluster.
    #[command(hide = true)]
    Node(node::Options),
    /// Makes the tables.
    #[command(hide = true)]
    Schema(node::Tables),
}

fn main() -> ExitCode {
    match Cli::parse().role {
        Role::Run(options) => driver::run(&options),
        Role::Node(options) => node::run(&options),
        Role::Schema(tables) => node::create_schema(&tables),
    }
}
