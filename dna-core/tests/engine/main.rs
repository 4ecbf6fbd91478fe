//! The engine, over the memory store and its faults.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::disallowed_methods, reason = "tests")]

mod basics;
mod commits;
mod deadlines;
mod gate;
mod harness;
mod lanes;
mod limits;
mod model;
mod order;
mod outcomes;
mod overload;
mod refused;
mod restart;
mod sending;
mod support;
mod transactions;
mod unknown;
