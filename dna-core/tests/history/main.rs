//! The check of histories: what it accepts, what it refuses, and what it says then.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod brute_force;
mod executions;
mod properties;
mod recording;
mod tables;
