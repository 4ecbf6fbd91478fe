//! Several nodes under load, while names move from one to the other: one activation a name, order, and every count.
#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods, clippy::indexing_slicing, reason = "tests")]

#[path = "../support/nodes.rs"]
mod nodes;
#[path = "../support/pipeline.rs"]
mod pipeline;

mod activations;
mod moving;
mod overload;
mod storm;
