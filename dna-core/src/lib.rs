//! In-process durable actors: the engine of DNA, and the ports through which it meets a store.
//!
//! Every name of an [`Actor`] type is one actor. It starts on its first message, handles its messages in order and in
//! batches, and keeps its state in a [`Store`]. A reply leaves only when everything that it may show is durable; many
//! actors' writes share one commit. `#[dna::actor]` writes the [`Actor`] implementation; by hand it is what you see
//! here.
//!
//! ```
//! use std::sync::Arc;
//!
//! use dna_core::{
//!     Access, Actor, Actors, Call, Client, Context, Engine, Error, Handled, Memory, Partition, Settings, StorageModule,
//! };
//! use serde::{Deserialize, Serialize};
//!
//! /// A storage module of our own: one number.
//! struct Cell(Partition);
//!
//! impl StorageModule for Cell {
//!     fn open(partition: Partition) -> Self {
//!         Cell(partition)
//!     }
//! }
//!
//! impl Cell {
//!     async fn add(&mut self, amount: u64) -> Result<u64, Error> {
//!         let stored = self.0.get(b"n").await?;
//!         let before = stored.and_then(|n| n.as_ref().try_into().ok()).map_or(0, u64::from_be_bytes);
//!         self.0.put("n".into(), (before + amount).to_be_bytes().to_vec().into());
//!         Ok(before + amount)
//!     }
//! }
//!
//! struct Counter {
//!     cell: Cell,
//! }
//!
//! #[derive(Serialize, Deserialize)]
//! enum Message {
//!     Add { amount: u64 },
//! }
//!
//! impl Actor for Counter {
//!     const KIND: &'static str = "Counter";
//!     type Message = Message;
//!     type Reply = Result<u64, Error>;
//!     type Client = Client<Self>;
//!
//!     async fn init(context: Context<Self>) -> Result<Self, Error> {
//!         Ok(Counter { cell: context.open("total")? })
//!     }
//!
//!     fn access(_: &Message) -> Access {
//!         Access::Exclusive
//!     }
//!
//!     async fn handle(&self, _: Message) -> Handled<Self::Reply> {
//!         unreachable!("every message is exclusive")
//!     }
//!
//!     async fn handle_mut(&mut self, Message::Add { amount }: Message) -> Handled<Self::Reply> {
//!         match self.cell.add(amount).await {
//!             Ok(total) => Handled::done(Ok(total)),
//!             Err(error) => Handled::failed(Err(error)), // rolled back
//!         }
//!     }
//! }
//!
//! fn add(counter: &Client<Counter>, amount: u64) -> Call<Counter, u64, Error> {
//!     counter.call(Message::Add { amount }, Some)
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Error> {
//! let engine = Engine::start(Arc::new(Memory::new()), Actors::new().with::<Counter>(), Settings::default()).await?;
//! let visits = engine.client::<Counter>("visits");
//! assert_eq!(add(&visits, 2).await?, 2);
//! assert_eq!(add(&visits, 3).await?, 5);
//! engine.shutdown().await?;
//! # Ok(())
//! # }
//! ```

mod activation;
mod actor;
mod call;
mod call_error;
mod client;
mod cluster;
mod codec;
mod context;
mod engine;
mod error;
mod events;
mod fault_point;
mod finish;
pub mod limits;
mod mailbox;
mod memory;
mod meter;
mod module;
mod name;
mod outcome;
mod pace;
mod partition;
mod placement;
mod placing;
mod registry;
mod reply;
mod route;
mod run;
mod runtime;
mod schedule;
mod scope;
mod slot;
mod store;
#[cfg(feature = "testing")]
pub mod testing;
pub mod trace;
mod turn;
mod type_mismatch;
mod worker;
mod write_error;

#[doc(hidden)]
pub mod __private;

pub use actor::{Access, Actor, ActorOptions, Fallible, Handled};
pub use call::{Call, Cast};
pub use call_error::{CallError, InvalidName, Loss, Overload, PlacingProblem};
pub use client::Client;
pub use cluster::{
    ClusterError, ClusterStore, DrainError, EntryProblem, NodeId, NodeJournals, OpenJournalsError, Replayed, SealError,
    Shard, Swap, Timestamp, ViewRegister, rendezvous,
};
pub use context::{AnyActor, Context, FromContext, OpenError};
pub use engine::{Actors, Authority, Engine, Member, NodeAddress, Settings, ShutdownError, StartError, Stats};
pub use error::{Error, ErrorKind, Result};
pub use events::{Event, Events, Responder};
#[doc(hidden)]
pub use fault_point::fault_point;
pub use memory::{Memory, MemoryCluster};
pub use meter::{METRICS, Metric, MetricKind, MetricLabel, Portion};
pub use module::StorageModule;
pub use name::{ActorName, NameError};
pub use outcome::Outcome;
pub use partition::Partition;
pub use placement::Placement;
pub use placing::Directory;
pub use route::{
    Abandoned, Answered, Callers, Delivered, Inbound, Origin, Outbound, Router, Unanswered, Undelivered, Unrouted,
};
pub use schedule::{Scheduled, TooManyScheduled};
pub use store::{
    ActorWrites, AttachError, CommitError, Group, KeyRange, ReadError, Refusal, RowsWaiting, Store, Write, WriteKind,
};
pub use type_mismatch::{KnownBy, TypeMismatch};
pub use write_error::WriteError;
