//! Storage for durable named actors: the stores, and the modules that an actor keeps its state in.
//!
//! - [`Kv`] and [`Value`] are storage modules: typed views of an actor's rows. [`modules`] has what a module of one's
//!   own needs.
//! - [`Embedded`] is the store on local disk: a journal of synced groups, and rows behind it.
//! - [`journaled`] is what every store shares: group commits to a journal, rows stored later, reads that merge both. It
//!   takes any journal and any rows.
//!
//! A store can be used without actors, as a writer of atomic groups:
//!
//! ```
//! # #[cfg(feature = "embedded")]
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use std::sync::Arc;
//!
//! use dna_core::{ActorName, ActorWrites, Group, Store, Write, WriteKind};
//! use dna_storage::Embedded;
//!
//! let folder = tempfile::tempdir()?;
//! let store = Embedded::open(folder.path().join("carts"))?;
//! let number = store.attach().await?;
//! let actor = ActorName::new("default", "Cart", "alice")?;
//! let kind = WriteKind::Put { key: "apple".into(), value: "3".into() };
//! let writes = vec![Write { module: "lines".into(), kind }];
//! store.commit(Arc::new(Group { number, actors: vec![ActorWrites { actor: actor.clone(), writes }] })).await?;
//! assert_eq!(store.get(&actor, "lines", b"apple").await?, Some("3".into()));
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "embedded"))]
//! # fn main() {}
//! ```

#[cfg(feature = "embedded")]
mod embedded;
pub mod journaled;
pub mod modules;
#[cfg(feature = "scylla")]
mod scylla;

#[cfg(all(feature = "embedded", feature = "testing"))]
pub use embedded::EmbeddedFaults;
#[cfg(feature = "embedded")]
pub use embedded::{
    Damage, DatabaseError, Durability, Embedded, EmbeddedError, EmbeddedOptions, FREE_BYTES_MIN, STORE_FORMAT,
};
pub use modules::{Kv, Value};
#[cfg(all(feature = "scylla", feature = "testing"))]
pub use scylla::ScyllaFaults;
#[cfg(feature = "scylla")]
pub use scylla::{
    COMMIT_TIMEOUT, CONNECT_TIMEOUT, CONNECTIONS_PER_SHARD, Consistency, DriverError, REQUEST_TIMEOUT, SchemaProblem,
    Scylla, ScyllaConfig, ScyllaError, ScyllaJournals,
};
