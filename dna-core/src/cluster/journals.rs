//! The port of a node's journals: what one node of a cluster commits through.

use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::{DrainError, NodeId, Timestamp};
use crate::store::Store;

/// The journals of one node, each with the rows that all nodes share behind it.
///
/// Made by [`ClusterStore::open_journals`](super::ClusterStore::open_journals), once for a node. Once they are sealed,
/// by whomever, every commit is `Fenced`, for good; there is no other way to close them than to seal them. Dropping the
/// last handle ends what runs in the background; what is then not stored as rows waits for whoever seals them.
pub trait NodeJournals: Send + Sync + 'static {
    /// Whose journals these are.
    fn node(&self) -> NodeId;

    /// The stores, one for each lane, in the order of the lanes. Nobody has claimed them yet. A group goes to the lane
    /// of its actors' shard, [`Shard::lane`](super::Shard::lane).
    ///
    /// To be correct, beside what [`Store`] asks for:
    /// - Reads of any lane see what all nodes have stored as rows, and of this lane's groups all that are committed. An
    ///   actor whose groups go to one lane, on one node at a time, and only after the former node was
    ///   [drained](NodeJournals::drain) or
    ///   [sealed and replayed](super::ClusterStore::seal_and_replay), so sees everything that was committed for it.
    /// - The rows of a group carry timestamps: above those of every earlier group of its lane, above the floor that the
    ///   journals were opened with, and above every floor that was given to
    ///   [`raise_timestamp`](NodeJournals::raise_timestamp) before its commit was called.
    /// - Of two writes of one row the one with the higher timestamp stands, however late and however often each comes.
    ///   The range deletes of a group come before its puts and deletes.
    /// - Once the journal is sealed, no group of its lane is applied that was not in before: its commit is `Fenced`,
    ///   also one that was `Unknown`, unless that one is in; and so is every later claim, with
    ///   [`AttachError::Fenced`](crate::AttachError::Fenced).
    fn stores(&self) -> &[Arc<dyn Store>];

    /// A timestamp that is at least that of every row of every group, on any lane, whose commit was answered `Ok` before
    /// this call, or that a [`drain`](NodeJournals::drain) has settled before it; and at least every floor so far. Never
    /// falls.
    fn last_timestamp(&self) -> Timestamp;

    /// From now on timestamps are above `floor`: a view was learnt that has a higher one.
    fn raise_timestamp(&self, floor: Timestamp);

    /// Waits until everything that was committed before this call, on all lanes, is stored as rows and released in its
    /// journal.
    ///
    /// To be correct:
    /// - `Ok`: whoever reads these rows from now on, on any node, sees everything that was committed before the call; and
    ///   nothing of it will be written again, or with no effect.
    /// - It does not end while the database takes no rows; who has no patience drops it.
    ///
    /// # Errors
    /// [`DrainError`] if that is not so: for now, or for good.
    ///
    /// # Cancel safety
    /// Safe: waiting changes nothing.
    fn drain(&self) -> BoxFuture<'_, Result<(), DrainError>>;
}
