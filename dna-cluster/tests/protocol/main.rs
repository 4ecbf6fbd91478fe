//! The commit and ownership protocol, explored state by state, over the real decision functions.
//!
//! Every message to the database may be late or lost, and may come again; a node may die, or be slow for ever, at any
//! point. A counter is read, one is added, and the new value is acknowledged once it is durable. In every state:
//! - no value is acknowledged twice (a lost update),
//! - a fresh load never sees less than what was acknowledged,
//! - what a node would answer inside its lease is never older than what was acknowledged.
//!
//! Then each rule of the protocol is taken out, and a state is found in which one of these does not hold.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test may")]
#![allow(clippy::disallowed_methods, clippy::print_stdout, reason = "it says what was explored, and how long it took")]
#![allow(unreachable_pub, reason = "there is nobody outside of a test")]

mod actions;
mod checks;
mod database;
mod lease;
mod model;
mod node;
mod shown;
mod walk;
