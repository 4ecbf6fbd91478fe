//! Processes that own names on a CQL database: stopped, killed between any two steps, replaced, and the database with
//! them. What they answered is checked as one history: some order of the operations has to explain every answer.
//!
//! A process is this program once more, see `child`; what it serves are registers, see `register`.
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
mod process;
#[path = "../support/register.rs"]
mod register;
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
