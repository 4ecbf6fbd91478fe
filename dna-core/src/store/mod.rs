//! The storage port: what the engine needs of a store, and what it owes one.

mod check;
mod error;
mod group;
mod range;
mod rows_waiting;

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;

use crate::name::ActorName;

pub use self::{
    error::{AttachError, CommitError, ReadError, Refusal},
    group::{ActorWrites, Group, Write, WriteKind},
    range::KeyRange,
    rows_waiting::RowsWaiting,
};

/// A place that keeps the rows of many actors and commits groups of writes to them.
///
/// A row is (actor, module, key) → value. Keys order as bytes. A store serves one node at a time; what several nodes
/// share is another port on top of this one.
///
/// An implementation is correct if it passes the suite in `dna_core::testing::store_conformance` (feature `testing`):
///
/// ```
/// # #[cfg(feature = "testing")] mod suite {
/// use dna_core::{Memory, testing::StoreUnderTest};
///
/// struct MyStore;
///
/// impl StoreUnderTest for MyStore {
///     type Store = Memory;
///     type Guard = ();
///
///     async fn open() -> (Self::Guard, Self::Store) {
///         ((), Memory::new())
///     }
/// }
///
/// dna_core::store_conformance!(MyStore);
/// # }
/// ```
pub trait Store: Send + Sync + 'static {
    /// Claims the store for one committer and answers the number of the first group it is to commit.
    ///
    /// To be correct:
    /// - While it is claimed, a second `attach` fails with [`AttachError::InUse`].
    /// - It answers only after the fate of every earlier group is settled: a group that was committed under an
    ///   earlier claim, even one whose answer nobody waited for, is visible to every later read, or never will be.
    /// - The number is one more than that of the last group that was committed, and never below 1.
    /// - After a failed write or fsync it fails with [`AttachError::Poisoned`].
    /// - After another one has taken over, once nobody holds the claim, it fails with [`AttachError::Fenced`], until the
    ///   store is opened anew.
    fn attach(&self) -> BoxFuture<'_, Result<u64, AttachError>>;

    /// Gives the claim back. A commit that is under way still ends as it would have. Idempotent.
    fn detach(&self);

    /// Commits all writes of `group`, or none.
    ///
    /// The committer sends one group at a time, numbered without gaps, and sends a group with the same number and
    /// the same content again until it has a definite answer; it uses that number for nothing else unless the answer
    /// was [`CommitError::NotApplied`].
    ///
    /// To be correct:
    /// - `Ok`: every write of the group is durable as far as this store promises durability, and visible to every
    ///   read that starts after the answer.
    /// - [`CommitError::NotApplied`]: not a byte was appended and none ever will be. The same number may come again
    ///   with other content.
    /// - [`CommitError::Unknown`]: no answer within the store's own deadline. The committer asks again with the same
    ///   group; the store then answers with the first one's fate, and applies it once at the most.
    /// - [`CommitError::Fenced`]: this claim is over for good, nothing of the group was or will be applied, unless an
    ///   earlier answer for the same number was `Unknown`.
    /// - [`CommitError::Poisoned`]: a write or fsync failed. This group is in doubt, also if it comes again, every later
    ///   one is not applied, and nothing is taken any more until the store is opened anew.
    /// - [`CommitError::Closed`]: the store was poisoned before this group's turn. Not a byte of it was appended and
    ///   none ever will be. Never for a number that was answered `Unknown` or `Poisoned` before.
    /// - The group is handed over by the call itself, not by the first poll of its future.
    /// - A number that is neither the last one nor its successor, or that comes with no claim, is `Fenced`.
    /// - Within a group the range deletes of an actor come before its puts and deletes.
    ///
    /// # Cancel safety
    /// Dropping the future cancels nothing: the group still is committed or refused.
    fn commit(&self, group: Arc<Group>) -> BoxFuture<'_, Result<(), CommitError>>;

    /// Reads one row.
    ///
    /// To be correct: sees every group whose commit was answered `Ok` before the read began, and no part of a group
    /// that was refused.
    ///
    /// # Cancel safety
    /// A dropped read has no effect.
    fn get<'a>(
        &'a self,
        actor: &'a ActorName,
        module: &'a str,
        key: &'a [u8],
    ) -> BoxFuture<'a, Result<Option<Bytes>, ReadError>>;

    /// Reads the rows of a range, in key order, or against it where `reverse`; at most `limit` of them.
    ///
    /// To be correct: as for [`get`](Store::get). With a limit of n it reads about n rows, not the whole range. A scan
    /// that runs beside a commit of the same actor may see a part of that commit; the engine never does this, since it
    /// merges what it has not seen committed over the scan.
    ///
    /// # Cancel safety
    /// A dropped read has no effect.
    fn scan<'a>(
        &'a self,
        actor: &'a ActorName,
        module: &'a str,
        range: &'a KeyRange,
        limit: usize,
        reverse: bool,
    ) -> BoxFuture<'a, Result<Vec<(Bytes, Bytes)>, ReadError>>;

    /// What is committed and not yet stored as rows, where that is something else. It is asked once a second, for metrics.
    fn rows_waiting(&self) -> RowsWaiting {
        RowsWaiting::default()
    }
}
