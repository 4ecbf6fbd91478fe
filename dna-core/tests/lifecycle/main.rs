//! How actors come and go: activation, hooks, schedules, passivation, shutdown, loss, and all of it under load.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "tests"
)]

mod activation;
mod codec;
mod events;
mod groups;
mod hooks;
mod leaks;
mod loss;
mod lost_tasks;
mod passivation;
mod refusals;
mod schedules;
mod shared_runs;
mod shutdown;
mod slow_store;
mod storm;
mod support;
mod threads;
mod world;
