//! The port of a cluster's store: what several nodes need of a database beside the [`Store`](crate::Store) of each, and
//! the vocabulary of it. It keeps what it is given; what a view means, who is alive and who owns what, it does not know.

mod error;
mod journals;
mod node_id;
mod register;
mod rendezvous;
mod shard;
mod timestamp;

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;

pub use self::{
    error::{ClusterError, DrainError, EntryProblem, OpenJournalsError, SealError},
    journals::NodeJournals,
    node_id::NodeId,
    register::{Swap, ViewRegister},
    rendezvous::rendezvous,
    shard::Shard,
    timestamp::Timestamp,
};
use crate::name::ActorName;

/// A database that the nodes of one cluster share: the register of their view, their heartbeats, their journals, the
/// rows, and the names that were placed by hand.
///
/// Requests may be late: one that was answered [`ClusterError::Unknown`], or whose future was dropped, may be applied at
/// any later time, until something makes it impossible. Each method says what does.
///
/// An implementation is correct if it passes the suite in `dna_core::cluster_conformance!` (feature `testing`), and if what
/// a node commits through passes the one of [`Store`](crate::Store):
///
/// ```
/// # #[cfg(feature = "testing")] mod suite {
/// use dna_core::{
///     ClusterStore, EntryProblem, MemoryCluster, NodeId, Timestamp,
///     testing::{ClusterUnderTest, LaneStore, RequestKind, StoreUnderTest},
/// };
///
/// struct MyCluster;
///
/// impl ClusterUnderTest for MyCluster {
///     type Store = MemoryCluster;
///     type Guard = MemoryCluster;
///
///     async fn open() -> (Self::Guard, Self::Store) {
///         let cluster = MemoryCluster::new();
///         (cluster.another(), cluster)
///     }
///
///     async fn another(_: &Self::Guard, store: &Self::Store) -> Self::Store {
///         store.another()
///     }
///
///     async fn hold_rows(_: &Self::Guard, store: &Self::Store) {
///         store.faults().hold([RequestKind::StoreRows]);
///     }
///
///     async fn release_rows(_: &Self::Guard, store: &Self::Store) {
///         store.faults().release([RequestKind::StoreRows]);
///     }
///
///     async fn damage_entry(guard: &Self::Guard, node: NodeId, lane: u16, number: u64, problem: EntryProblem) {
///         guard.faults().damage_entry(node, lane, number, problem);
///     }
///
///     async fn lose_journal(guard: &Self::Guard, node: NodeId, lane: u16) {
///         guard.faults().lose_journal(node, lane);
///     }
/// }
///
/// impl StoreUnderTest for MyCluster {
///     type Store = LaneStore;
///     type Guard = ();
///
///     async fn open() -> (Self::Guard, Self::Store) {
///         let cluster = MemoryCluster::new();
///         let journals = cluster.open_journals(NodeId::new(), 1, Timestamp::ZERO).await.unwrap();
///         ((), LaneStore::new(journals, 0))
///     }
/// }
///
/// mod of_the_cluster {
///     dna_core::cluster_conformance!(super::MyCluster);
/// }
///
/// mod of_a_node {
///     dna_core::store_conformance!(super::MyCluster);
/// }
/// # }
/// ```
///
/// # Cancel safety
/// Every future may be dropped. What it asked for is then as good as answered `Unknown`, if it was polled at all. A
/// dropped read has no effect.
pub trait ClusterStore: Send + Sync + 'static {
    /// Everything that the nodes of a cluster must have set alike for this store, such as its consistency levels, as a
    /// text to be compared and shown. The same for as long as the store lives.
    fn agreement(&self) -> String;

    /// Reads the view register.
    ///
    /// To be correct:
    /// - It sees every swap that was answered [`Swap::Done`], and everything that an earlier read has shown, before it
    ///   began: two reads, one after the other and on any two nodes, never see versions that fall.
    /// - Version 0 and no bytes: there never was a swap. An empty table and a missing one are told apart: the latter is
    ///   [`ClusterError::Rejected`].
    ///
    /// # Errors
    /// `Unavailable`, `Rejected` or `Corrupt`. It has no effect.
    fn read_view(&self) -> BoxFuture<'_, Result<ViewRegister, ClusterError>>;

    /// Puts `new` into the view register if its version is `expected`, and makes that `expected` + 1.
    ///
    /// To be correct:
    /// - Each version is put there by one swap at the most, and versions rise one by one.
    /// - [`Swap::Done`]: every later [`read_view`](ClusterStore::read_view) shows it, or a later one.
    /// - [`Swap::Lost`]: this request changed nothing and never will, and the version it names did stand there.
    /// - `new` is anything up to [`VIEW_BYTES_MAX`](crate::limits::VIEW_BYTES_MAX), also nothing.
    ///
    /// # Errors
    /// After `Unknown` the swap may be in, or come in at any time as long as the version is `expected`. Read the view:
    /// if the version still is `expected`, send the very same swap again; if it has moved on, the swap is in or never
    /// will be, as the view tells. `ViewTooLarge` beside the usual.
    fn swap_view(&self, expected: u64, new: Bytes) -> BoxFuture<'_, Result<Swap, ClusterError>>;

    /// Notes the heartbeat number `beat` of a node. A node counts its own from 1, and gives each number out once.
    ///
    /// To be correct:
    /// - `Ok`: every later [`beats`](ClusterStore::beats) shows this number for the node, or a higher one.
    /// - A lower number that comes after a higher one has no effect, and is `Ok`.
    ///
    /// # Errors
    /// After `Unknown` the number may show at any later time, unless a higher one does. Send the next one.
    fn beat(&self, node: NodeId, beat: u64) -> BoxFuture<'_, Result<(), ClusterError>>;

    /// The highest heartbeat number of each node, in no order.
    ///
    /// To be correct:
    /// - It sees every beat that was answered `Ok` before it began, and the number of a node never falls from one read
    ///   to a later one.
    /// - A node that has not beaten for a day or more may be left out; any other one that has, is there.
    ///
    /// # Errors
    /// `Unavailable`, `Rejected` or `Corrupt`, and then nothing is known of any node. It has no effect.
    fn beats(&self) -> BoxFuture<'_, Result<Vec<(NodeId, u64)>, ClusterError>>;

    /// Makes the journals of a node, `lanes` of them, before it joins the view; all its timestamps will be above
    /// `ts_floor`, which is that of the view.
    ///
    /// To be correct:
    /// - It succeeds once for a node id, whoever asks, also after the journals were sealed.
    /// - `Ok`: the journals are there, empty and unsealed, for every
    ///   [`seal_and_replay`](ClusterStore::seal_and_replay) from now on, for ever.
    /// - A wall clock here that is more than [`CLOCK_OFFSET_MAX`](crate::limits::CLOCK_OFFSET_MAX) off that of the
    ///   database, and a floor that is more than [`TIMESTAMP_AHEAD_MAX`](crate::limits::TIMESTAMP_AHEAD_MAX) ahead of
    ///   it, are refused: their timestamps would shadow those of other nodes, or be shadowed.
    /// - After an error nothing of the id can be used. Take a fresh one.
    ///
    /// # Errors
    /// [`OpenJournalsError`].
    fn open_journals(
        &self,
        node: NodeId,
        lanes: u16,
        ts_floor: Timestamp,
    ) -> BoxFuture<'_, Result<Arc<dyn NodeJournals>, OpenJournalsError>>;

    /// Seals the `lanes` journals of a node, all of them first, and then stores as rows whatever of them is not.
    ///
    /// For a node that has died, by whoever takes over from it; for this one, when it leaves, once it has
    /// [drained](NodeJournals::drain); and for the former incarnation of this process. Any number of nodes may do it at
    /// the same time, and again.
    ///
    /// To be correct, with `Ok`:
    /// - No group of the node will be committed any more, neither one that is on its way nor one that was `Unknown`.
    /// - Every group of it that was committed, answered or not, is stored as rows: every read of any other node that
    ///   begins from now on sees it, or what was written over it with a higher timestamp.
    /// - [`Replayed::last`] is the highest timestamp that any of its rows carries, those included that had been stored
    ///   before: what is written with higher ones is never shadowed by a late row of it.
    /// - A journal that is missing is [`SealError::MissingJournal`], never empty.
    /// - An entry that cannot be read is [`SealError::Entry`], never left out.
    ///
    /// # Errors
    /// [`SealError`]. The node must then not be swapped out.
    fn seal_and_replay(&self, node: NodeId, lanes: u16) -> BoxFuture<'_, Result<Replayed, SealError>>;

    /// Registers an actor for a shard, unless it is registered already; the shard that it is registered for.
    ///
    /// To be correct:
    /// - The first registration of a name stands for ever, and every answer, on any node, names its shard.
    ///
    /// # Errors
    /// After `Unknown` this registration may be the one that stands, now or later. Ask again, with any shard: the answer
    /// is final.
    fn register_name<'a>(&'a self, actor: &'a ActorName, shard: Shard) -> BoxFuture<'a, Result<Shard, ClusterError>>;
}

/// What sealing and replaying the journals of a node came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Replayed {
    /// The highest timestamp that a row of the node carries; [`Timestamp::ZERO`] if it has never committed.
    pub last: Timestamp,
    /// How many entries were stored as rows by this call.
    pub entries: u64,
    /// How many writes of rows these came to: what is written over within them may be left out.
    pub rows: u64,
}
