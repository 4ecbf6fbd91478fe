//! The store itself: opens a journal and rows, and answers from both.

use std::{
    fmt, io,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use dna_core::{ActorName, AttachError, CommitError, DrainError, Group, KeyRange, ReadError, RowsWaiting, Store};
use futures_util::future::BoxFuture;
use tokio::sync::{mpsc, oneshot};

use super::{
    clock::{HybridClock, wall_micros},
    committer::{Committer, Request, Waiting},
    entry::{self, EntryError},
    host::{Host, Worker},
    journal::{Journal, Recovered},
    options::{JournaledOptions, WAITING_COMMITS_MAX},
    row_key::Place,
    row_writer,
    rows::Rows,
    run::Run,
    scan,
    shared::Shared,
};

/// A store that appends every group to a journal, and stores its rows later.
///
/// A commit is one durable append. The rows follow: a writer merges what has gathered, the newest operation of each row
/// only, in the order of addresses, and then releases the entries. Reads merge what is not stored yet over the rows.
/// What of the journal was not released when the store is opened is stored again.
pub struct Journaled<J, R> {
    shared: Arc<Shared<J, R>>,
    requests: Option<mpsc::UnboundedSender<Request>>,
    commits_waiting: Arc<AtomicUsize>,
    workers: Vec<Worker>,
}

/// Why a journaled store could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecoverError {
    /// The journal could not be read.
    #[error("its journal cannot be read: {0}")]
    Journal(#[from] ReadError),
    /// An entry is missing.
    #[error("its journal lacks entry {expected} and goes on with {found}; restore it from a copy")]
    Gap {
        /// The number that should come next.
        expected: u64,
        /// The number that came.
        found: u64,
    },
    /// An entry holds something else than its number says.
    #[error("entry {number} of its journal is that of group {found}; restore it from a copy")]
    Misplaced {
        /// The number of the entry.
        number: u64,
        /// The number in the entry.
        found: u64,
    },
    /// An entry cannot be decoded.
    #[error("entry {number} of its journal cannot be read: {reason}")]
    Entry {
        /// The number of the entry.
        number: u64,
        /// What is wrong with it.
        reason: EntryError,
    },
    /// A thread could not be started.
    #[error("its threads cannot be started: {0}")]
    Threads(#[from] io::Error),
}

/// What a journaled store has counted since it was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JournaledStats {
    /// Groups that were committed.
    pub groups: u64,
    /// Batches that the row writer has stored.
    pub batches: u64,
    /// Puts and deletes in these batches.
    pub rows: u64,
    /// How often a batch could not be stored and was tried again.
    pub row_failures: u64,
    /// Committed groups that wait to be stored.
    pub lag_entries: usize,
    /// What these hold in memory, in bytes.
    pub lag_bytes: usize,
    /// Puts, deletes and range deletes of these.
    pub lag_operations: usize,
    /// How long ago the oldest of these was committed, by the wall clock; zero where none waits.
    pub lag_age: Duration,
}

impl<J: Journal, R: Rows> Journaled<J, R> {
    /// Reads what the journal has not released, and starts the commit loop and the row writer on `host`.
    ///
    /// # Errors
    /// [`RecoverError`]. Nothing has been written then.
    ///
    /// # Cancel safety
    /// A dropped open has no effect.
    pub async fn open(journal: J, rows: R, host: Host, options: JournaledOptions) -> Result<Self, RecoverError> {
        Self::open_with(journal, rows, host, options, Arc::new(HybridClock::above(options.stamp_floor))).await
    }

    /// As [`open`](Journaled::open), with a clock that it may share with other journals.
    pub(crate) async fn open_with(
        journal: J,
        rows: R,
        host: Host,
        options: JournaledOptions,
        clock: Arc<HybridClock>,
    ) -> Result<Self, RecoverError> {
        let recovered = journal.recover().await?;
        Self::start(journal, rows, host, options, &recovered, clock)
    }

    /// As [`open`](Journaled::open), with what the journal has recovered.
    pub(crate) fn start(
        journal: J,
        rows: R,
        host: Host,
        options: JournaledOptions,
        recovered: &Recovered,
        clock: Arc<HybridClock>,
    ) -> Result<Self, RecoverError> {
        let shared = Shared::new(journal, rows, options, recovered.done);
        let mut head = recovered.done;
        for (number, bytes) in &recovered.entries {
            let (group, stamp) =
                entry::decode(bytes).map_err(|reason| RecoverError::Entry { number: *number, reason })?;
            if group.number != *number {
                return Err(RecoverError::Misplaced { number: *number, found: group.number });
            }
            if *number != head + 1 {
                return Err(RecoverError::Gap { expected: head + 1, found: *number });
            }
            shared.overlay.push(Arc::new(Run::new(&group, stamp)));
            head = *number;
            clock.raise_above_entry(stamp);
        }
        shared.head.store(head, Ordering::SeqCst);
        let shared = Arc::new(shared);
        let (requests, receiver) = mpsc::unbounded_channel();
        let committer = Committer::new(shared.clone(), receiver, clock);
        let workers =
            vec![host.start("dna-rows", row_writer::run(shared.clone()))?, host.start("dna-commit", committer.run())?];
        Ok(Journaled { shared, requests: Some(requests), commits_waiting: Arc::default(), workers })
    }

    /// Waits until everything that was committed before this call is stored as rows and released in the journal.
    ///
    /// Groups that are committed meanwhile are not waited for. A group that is in doubt is settled first.
    ///
    /// # Errors
    /// [`DrainError`] if that is not so: for now, or until the store is opened anew.
    ///
    /// # Cancel safety
    /// Safe: waiting changes nothing.
    pub async fn drain(&self) -> Result<(), DrainError> {
        let shared = &self.shared;
        let through = shared.head.load(Ordering::SeqCst);
        shared.wanted.fetch_max(through, Ordering::SeqCst);
        shared.work.notify_one();
        shared.stored_until(|| !shared.overlay.holds_any_through(through) || shared.is_poisoned()).await;
        let (answer, answered) = oneshot::channel();
        self.send(Request::Release { through, answer });
        answered.await.unwrap_or(Err(DrainError::Poisoned))
    }

    /// What has been counted.
    pub fn stats(&self) -> JournaledStats {
        let counters = &self.shared.counters;
        let lag = self.shared.overlay.lag();
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        JournaledStats {
            groups: read(&counters.groups),
            batches: read(&counters.batches),
            rows: read(&counters.rows),
            row_failures: read(&counters.row_failures),
            lag_entries: lag.entries,
            lag_bytes: lag.bytes,
            lag_operations: lag.operations,
            lag_age: lag
                .oldest
                .map_or(Duration::ZERO, |stamp| Duration::from_micros(wall_micros().saturating_sub(stamp))),
        }
    }

    /// The journal.
    pub fn journal(&self) -> &J {
        &self.shared.journal
    }

    /// The rows.
    pub fn rows(&self) -> &R {
        &self.shared.rows
    }
}

impl<J, R> Journaled<J, R> {
    /// Asks the commit loop for something. Where the loop has ended, the answer's sender is dropped.
    fn send(&self, request: Request) {
        if let Some(requests) = &self.requests {
            // Not an error: who waits for an answer sees that there will be none.
            let _ = requests.send(request);
        }
    }
}

impl<J: Journal, R: Rows> Store for Journaled<J, R> {
    fn rows_waiting(&self) -> RowsWaiting {
        let JournaledStats { lag_bytes: bytes, lag_operations: operations, lag_age: age, .. } = self.stats();
        RowsWaiting { bytes, operations, age }
    }

    fn attach(&self) -> BoxFuture<'_, Result<u64, AttachError>> {
        Box::pin(async move {
            let (answer, answered) = oneshot::channel();
            let Some(give_back) = self.requests.clone() else { return Err(AttachError::Poisoned) };
            self.send(Request::Attach { answer, give_back });
            let claim = answered.await.unwrap_or(Err(AttachError::Poisoned))?;
            Ok(claim.accept())
        })
    }

    fn detach(&self) {
        self.send(Request::Detach);
    }

    fn commit(&self, group: Arc<Group>) -> BoxFuture<'_, Result<(), CommitError>> {
        // Handed over here and not at the first poll, so that dropping the future never cancels anything.
        let (answer, answered) = oneshot::channel();
        let waiting = Waiting::enter(&self.commits_waiting, WAITING_COMMITS_MAX);
        let taken = waiting.is_some();
        if let Some(waiting) = waiting {
            self.send(Request::Commit { group, answer, waiting });
        }
        Box::pin(async move {
            if !taken {
                return Err(CommitError::Unknown);
            }
            // Without an answer the loop has panicked, in the midst of this group or before it.
            answered.await.unwrap_or(Err(CommitError::Poisoned))
        })
    }

    fn get<'a>(
        &'a self,
        actor: &'a ActorName,
        module: &'a str,
        key: &'a [u8],
    ) -> BoxFuture<'a, Result<Option<Bytes>, ReadError>> {
        Box::pin(async move {
            let address = Place::new(actor, module).key(key);
            match self.shared.overlay.get(address.as_bytes()) {
                Some(waiting) => Ok(waiting),
                None => self.shared.rows.get(&address).await,
            }
        })
    }

    fn scan<'a>(
        &'a self,
        actor: &'a ActorName,
        module: &'a str,
        range: &'a KeyRange,
        limit: usize,
        reverse: bool,
    ) -> BoxFuture<'a, Result<Vec<(Bytes, Bytes)>, ReadError>> {
        Box::pin(async move {
            let range = Place::new(actor, module).range(range);
            let runs = self.shared.overlay.touching(&range);
            scan::scan(&self.shared.rows, &runs, range, limit, reverse).await
        })
    }
}

impl<J, R> fmt::Debug for Journaled<J, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journaled").finish_non_exhaustive()
    }
}

impl<J, R> Drop for Journaled<J, R> {
    fn drop(&mut self) {
        // The commit loop ends when nobody can ask any more, and ends the row writer.
        self.requests = None;
        self.workers.clear();
    }
}
