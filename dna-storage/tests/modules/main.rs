//! The storage modules in real actors, each test a node of its own over the memory store.

#![allow(clippy::unwrap_used, reason = "a test ends where something unforeseen happens")]

mod kv;
mod queue;
mod support;
mod value;

#[path = "../../examples/fifo_queue/bounded_queue.rs"]
pub mod bounded_queue;
