//! DNA, Durable Named Actors: annotate an `impl` block, and every name is one stateful object that a crash does not
//! lose.
//!
//! ```
//! use dna::prelude::*;
//!
//! struct Cart { lines: Kv<String, u32> }          // durable
//!                                                 // plain fields are memory, rebuilt by init
//! #[dna::actor]
//! impl Cart {
//!     async fn init(ctx: Context) -> dna::Result<Self> {
//!         Ok(Cart { lines: ctx.open("lines")? })
//!     }
//!     pub async fn put(&mut self, sku: String, count: u32) { self.lines.put(sku, count); }
//!     pub async fn get(&self, sku: String) -> dna::Result<Option<u32>> { self.lines.get(&sku).await }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> dna::Result<()> {
//! let node = Node::builder().store(Memory::new()).actor::<Cart>().start().await?;
//! let cart = Cart::client("alice");
//! cart.put("apple", 3).await?;                    // Ok = durable, as far as the store is
//! cart.put("pear", 1).cast().await?;              // one-way: enqueued, persisted with a later batch
//! assert_eq!(cart.get("apple").await?, Some(3));
//! node.shutdown().await?;
//! # Ok(())
//! # }
//! ```
//!
//! `Embedded::open("cart.dna")?` in the place of `Memory::new()` keeps the carts on disk: what was answered `Ok` is
//! there after a crash of the process or the machine.
//!
//! - An actor's address is (namespace, type, name). **The actor is the unit of concurrency, the message the unit of
//!   atomicity, the group the unit of durability, the node the unit of failure.**
//! - A message's writes commit together or not at all; a handler that answers `Err` or panics leaves none.
//! - A reply leaves when everything that it may show is durable.
//! - Every error says what is known: [`CallError::outcome`].
//!
//! What `Ok` and each error mean, in every case, is written in `SEMANTICS.md` beside the source; how it is built, in
//! `ARCHITECTURE.md`.
//!
//! # Features
//! - `embedded` (default): [`Embedded`], the store on local disk.
//! - `metrics` (default): what nodes count goes to the recorder of the `metrics` crate, if the process has one.
//! - `signal` (default): [`Node::run_until_signal`].
//! - `cluster`: several nodes that share the store of a cluster: `.store(cluster_store).listen(address)`.
//! - `scylla`: `Scylla`, the store of a cluster on ScyllaDB or Apache Cassandra.
//! - `tls`: TLS to that database, and between the nodes.
//! - `testing`: for tests of your own, above all `dna::testing::Simulation`: a cluster in one process, in simulated time,
//!   whose nodes, network and database fail as a seed says.
//!
//! # Several processes on one database
//! Each process owns a part of the names, which move when processes come and go: when one stops or dies, the others have
//! its names, with everything that was answered `Ok`.
#![cfg_attr(
    feature = "scylla",
    doc = r#"
```no_run
use dna::prelude::*;
# struct Cart { lines: Kv<String, u32> }
# #[dna::actor]
# impl Cart {
#     async fn init(ctx: Context) -> dna::Result<Self> { Ok(Cart { lines: ctx.open("lines")? }) }
#     pub async fn put(&mut self, sku: String, count: u32) { self.lines.put(sku, count); }
# }

# #[tokio::main(flavor = "current_thread")]
# async fn main() -> dna::Result<()> {
# let address = std::net::SocketAddr::from(([127, 0, 0, 1], 7400));
let scylla = Scylla::connect(ScyllaConfig::new(["127.0.0.1:9042"], "dna")).await?;
let node = Node::builder().store(scylla).listen(address).actor::<Cart>().start().await?;
Cart::client("alice").put("apple", 3).await?;
node.shutdown().await?;
# Ok(())
# }
```
"#
)]
//!
//!
//! # Panics
//! Handlers that panic are caught, so that one message does not take the node with it. With `panic = "abort"` in the
//! profile they are not.

mod builder;
#[cfg(feature = "cluster")]
mod member;
#[cfg(feature = "metrics")]
mod metrics;
mod node;
#[cfg(feature = "signal")]
mod signal;
mod store;
#[cfg(feature = "testing")]
pub mod testing;

pub mod prelude;

#[cfg(feature = "cluster")]
pub use dna_cluster::{MemberInfo, MemberState, Members, MembersWatch, Owner};
#[doc(hidden)]
pub use dna_core::__private;
pub use dna_core::{
    Access, Actor, ActorName, ActorOptions, ActorWrites, AnyActor, AttachError, Call, CallError, Cast, Client,
    CommitError, Context, Error, ErrorKind, Event, Events, FromContext, Group, Handled, InvalidName, KeyRange, KnownBy,
    Loss, Memory, NameError, NodeAddress, OpenError, Outcome, Overload, Partition, Placement, PlacingProblem,
    ReadError, Refusal, Responder, Result, Scheduled, ShutdownError, StartError, Stats, StorageModule, Store,
    TooManyScheduled, TypeMismatch, Write, WriteError, WriteKind, limits, trace,
};
#[cfg(feature = "cluster")]
pub use dna_core::{ClusterStore, MemoryCluster, NodeId, Shard};
pub use dna_macros::actor;
#[cfg(feature = "scylla")]
pub use dna_storage::{Consistency, SchemaProblem, Scylla, ScyllaConfig, ScyllaError};
#[cfg(feature = "embedded")]
pub use dna_storage::{Durability, Embedded, EmbeddedError};
pub use dna_storage::{Kv, Value, modules};
#[cfg(feature = "cluster")]
pub use dna_transport::{Secret, SecretTooShort, Security};
#[cfg(all(feature = "cluster", feature = "tls"))]
pub use dna_transport::{Tls, TlsError, TlsMaterial};

#[cfg(feature = "metrics")]
pub use dna_core::{Metric, MetricKind, MetricLabel};

#[cfg(feature = "cluster")]
pub use self::member::Location;
#[cfg(feature = "metrics")]
pub use self::metrics::{describe_metrics, metrics};
pub use self::{builder::NodeBuilder, node::Node, store::NodeStore};
