//! For tests of your own: a cluster of nodes in one process, in simulated time, whose faults you choose, or a seed does.
//!
//! [`Simulation`] runs nodes, their network and their database in one thread. Time passes only when nobody has anything to do,
//! so that an hour takes a moment; what runs next, how long messages take, ids and jitter follow from the seed, so that the
//! same seed repeats the same run, step by step. A test that fails prints its seed.
//!
//! ```
//! use std::time::Duration;
//!
//! use dna::{prelude::*, testing::Simulation};
//!
//! struct Cart { lines: Kv<String, u32> }
//!
//! #[dna::actor]
//! impl Cart {
//!     async fn init(ctx: Context) -> dna::Result<Self> { Ok(Cart { lines: ctx.open("lines")? }) }
//!     pub async fn put(&mut self, sku: String, count: u32) { self.lines.put(sku, count); }
//!     pub async fn get(&self, sku: String) -> dna::Result<Option<u32>> { self.lines.get(&sku).await }
//! }
//!
//! Simulation::seed(7).nodes(3).actor::<Cart>().run(|cluster| async move {
//!     cluster.client::<Cart>(0, "alice").put("apple", 3).await.unwrap();
//!     cluster.kill(0);
//!     // The others take over once its lease has run out.
//!     let cart = cluster.client::<Cart>(1, "alice");
//!     assert_eq!(cart.get("apple").await.unwrap(), Some(3));
//!
//!     cluster.partition(1, 2);
//!     cluster.database().slow(Duration::from_millis(20)..=Duration::from_millis(50));
//!     cluster.sleep(Duration::from_secs(10)).await;
//!     cluster.heal();
//!     cluster.start(0).await.unwrap();
//! });
//! ```
//!
//! Beside it: the faults of [`Memory`](crate::Memory) and [`MemoryCluster`](crate::MemoryCluster), the conformance suites of
//! stores, and the check of [histories](history).
//!
//! # What a simulation is not
//! All nodes share a thread and a clock: it finds errors of order, not data races. Tasks that an actor starts by
//! `tokio::spawn` are no part of its node: they go on when it is killed or paused.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "this is the simulator that stands behind the seams, and a test that fails is to panic"
)]

mod chance;
mod cluster;
mod database;
mod network;
mod pipe;
mod scheduler;
mod simulation;

pub use dna_core::testing::*;

pub use self::{
    chance::Chance,
    cluster::{Cluster, NotStarted, Running},
    database::Database,
    scheduler::Trace,
    simulation::{Missing, Simulation},
};
