//! What a file with an actor in it needs: `use dna::prelude::*`.

pub use dna_core::{Actor, CallError, Context, Event, Events, Memory, Outcome, Scheduled, StorageModule};
#[cfg(feature = "embedded")]
pub use dna_storage::{Durability, Embedded};
pub use dna_storage::{Kv, Value};
#[cfg(feature = "scylla")]
pub use dna_storage::{Scylla, ScyllaConfig};

pub use crate::{Node, NodeBuilder};
