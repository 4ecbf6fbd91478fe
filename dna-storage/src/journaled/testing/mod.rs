//! A journal and rows in memory, which can be held and made to fail: the ground for the tests of what stands between
//! them. A clone is the same journal, or the same rows; they outlive the store that is opened over them, as a disk does.
#![allow(clippy::panic_in_result_fn, reason = "what breaks a port's rules is to fail the test")]

mod gate;
mod memory_journal;
mod memory_rows;

pub use self::{gate::Gate, memory_journal::MemoryJournal, memory_rows::MemoryRows};
