//! Processes that own names on a CQL database: stopped, killed between any two steps, replaced, and the database with
//! them. What they answered is checked as one history: some order of the operations has to explain every answer.
//!
//! A process is this program once more, see `child`; what it serves are registers, see `register`.
//!
//! `cargo xtask test --cql` starts a server and runs all of it. What the environment may say:
//!
//! | Variable | What it sets | Usual |
//! |---|---|---|
//! | `DNA_CQL` | where the server is, as `address:port`; without it each test says that it was skipped | |
//! | `DNA_CQL_REPLICAS` | how many copies a keyspace has, on a server of that many nodes | 1 |
//! | `DNA_DEPOSED_ROUNDS` | how often an owner is stopped and replaced | 20 |
//! | `DNA_DEPOSED_LANES_ROUNDS` | the same, with several journals a process | 6 |
//! | `DNA_CRASH_POINT_TURNS` | how often a process is killed at each point | 1 |
//! | `DNA_TAKEOVER_ROUNDS` | how often a member is killed, for each way in which its names are answered again | 3 |
//! | `DNA_AWAY_SECONDS` | for how long the database stands still | 60 |
//! | `DNA_DATABASE_KILLS` | how often the database is killed | 10 |
//!
//! On three nodes with three copies, which takes too much memory and time for every change:
//! `cargo xtask scylla-up --nodes 3 --name three --address 127.0.0.21 --no-schema`, then
//! `DNA_CQL=127.0.0.21:9042 DNA_CQL_REPLICAS=3 cargo xtask test --cql`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::panic_in_result_fn,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "tests"
)]

mod child;
mod crash;
mod database;
mod database_faults;
mod deposed;
mod load;
mod member;
mod placement;
mod process;
#[path = "../support/register.rs"]
mod register;
mod restart;
mod takeover;
mod watched;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// They measure time, and the machine may be small.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A number from the environment, for runs that are longer, or shorter, than usual.
fn setting(variable: &str, usual: u64) -> u64 {
    std::env::var(variable).ok().and_then(|number| number.parse().ok()).unwrap_or(usual)
}
