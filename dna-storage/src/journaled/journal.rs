//! The port of a journal: where a group becomes durable.

use std::future::Future;

use bytes::Bytes;
use dna_core::{ReadError, Refusal};

/// An ordered, durable log of encoded groups, with one writer.
///
/// Entries are numbered without gaps from 1. An entry is *released* once its rows are stored: it need not be kept any
/// longer. The highest released number is `done`; entries stand in order, so everything up to it is released.
///
/// A journal is called by one committer, one call at a time.
pub trait Journal: Send + Sync + 'static {
    /// Reads what is not released, in order. Called once, before everything else.
    ///
    /// To be correct:
    /// - Every entry whose append was answered `Ok` and that is above the last `done` that was answered is among them.
    /// - An append that was never answered is there whole, or not at all, and from now on stays as it was found.
    fn recover(&self) -> impl Future<Output = Result<Recovered, ReadError>> + Send;

    /// Appends the entry `number`, and notes in the same step that everything up to `done` is released.
    ///
    /// To be correct:
    /// - `Ok`: the entry is durable as far as this journal promises durability.
    /// - [`AppendError::NotApplied`]: not a byte was appended and none ever will be.
    /// - [`AppendError::Unknown`]: the very same call may be made again, and is applied once at the most. Once a number
    ///   has been `Unknown`, only `Ok`, `Unknown`, `Fenced` and `Failed` may follow for it, never `NotApplied`.
    /// - [`AppendError::Fenced`]: another one has taken over; this entry is not in, and nothing is taken any more.
    /// - [`AppendError::Failed`]: a write or sync failed. The entry is in doubt; nothing is taken any more until the
    ///   journal is opened anew.
    /// - The future runs to its end: it is not dropped unless the whole store is.
    fn append(&self, number: u64, done: u64, entry: Bytes) -> impl Future<Output = Result<(), AppendError>> + Send;

    /// Makes every appended entry as durable as this journal ever makes it. Called before rows are stored, possibly
    /// beside an append, so that no row is ever durable before its entry. Nothing to do for a journal whose `append`
    /// answers only then.
    fn settle(&self) -> impl Future<Output = Result<(), UpkeepError>> + Send {
        async { Ok(()) }
    }

    /// Notes that everything up to `done` is released, where no append comes to carry it: when the store is idle, and
    /// before it closes.
    fn release(&self, done: u64) -> impl Future<Output = Result<(), UpkeepError>> + Send;

    /// Looks whether another writer has taken over: asked before every claim. Nothing to do for a journal that nobody
    /// can take over.
    fn fence(&self) -> impl Future<Output = Result<(), FenceError>> + Send {
        async { Ok(()) }
    }
}

/// What a journal holds when it is opened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recovered {
    /// The highest number that was released.
    pub done: u64,
    /// The entries above it, by number, in order.
    pub entries: Vec<(u64, Bytes)>,
}

/// Why an entry was not appended. See [`Journal::append`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AppendError {
    /// Nothing of the entry was or will be appended. The journal goes on.
    #[error("the journal did not take the entry: {0}")]
    NotApplied(Refusal),
    /// No answer yet. The same call is to be made again.
    #[error("the journal did not answer whether the entry was appended")]
    Unknown,
    /// Another writer has taken over.
    #[error("the journal is sealed: another node has taken over")]
    Fenced,
    /// A write or sync failed.
    #[error("a write or sync of the journal failed")]
    Failed,
}

/// Why a journal is not free to be claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FenceError {
    /// Another writer has taken over: nothing is taken any more.
    #[error("the journal is sealed: another node has taken over")]
    Fenced,
    /// It could not be found out.
    #[error("whether another node has taken over cannot be read: {0}")]
    Read(#[from] ReadError),
}

/// Why upkeep of a journal or of rows was not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UpkeepError {
    /// Not now; worth another try.
    #[error("not available at present")]
    Unavailable,
    /// A write or sync failed, and will not succeed by being repeated.
    #[error("a write or sync failed")]
    Failed,
    /// Another writer has taken over the journal. Never the answer of rows.
    #[error("the journal is sealed: another node has taken over")]
    Fenced,
}
