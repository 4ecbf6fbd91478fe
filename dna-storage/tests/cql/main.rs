//! The store on a CQL database. These tests need a server: `DNA_CQL=host:port` says where; without it each says that it
//! was skipped. `cargo xtask test --cql` starts one and runs them.
//!
//! On three nodes with three copies, which takes too much memory and time for every change:
//! `cargo xtask scylla-up --nodes 3 --name three --address 127.0.0.21 --no-schema`, then
//! `DNA_CQL=127.0.0.21:9042 DNA_CQL_REPLICAS=3 cargo xtask test --cql`.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test that fails is to panic")]
#![allow(clippy::print_stdout, reason = "a test that was skipped says so")]
#![allow(unreachable_pub, reason = "what the files of one test binary share")]

mod cluster;
mod conformance;
mod connect;
mod faults;
mod journals;
mod listing;
mod model;
mod proxy;
mod registers;
#[cfg(feature = "tls")]
mod secured;
#[path = "../support/mod.rs"]
mod shared;
mod support;
