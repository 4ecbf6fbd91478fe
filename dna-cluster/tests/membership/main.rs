//! Memberships over one database in memory, in simulated time: joining, leaving, dying, moving, being late, and losing
//! the database.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test may")]
#![allow(clippy::disallowed_methods, reason = "a test drives the simulated time, and its own tasks")]
#![allow(unreachable_pub, reason = "there is nobody outside of a test")]

mod ends;
mod faults;
mod joining;
mod losses;
mod moves;
mod seeds;
mod support;
mod threads;
mod visible;
