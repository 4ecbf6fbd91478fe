//! The journal of one lane of one node: a ring of slots behind a header row, one partition of the table `journal`.
//!
//! A group is appended by one conditional batch, header and slot together. Until that has a definite answer, the very
//! same batch is sent again; once one try was indefinite, only two things end it, looked at in this order: the header's
//! `head` is the group's number (it is in), or the header is sealed (it never will be). Slots are overwritten, never
//! deleted, so that a partition holds no tombstones and does not grow.

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use dna_core::{NodeId, ReadError, Refusal};

use super::{
    answer::{bigint, is_applied, unsigned},
    connection::{Connection, ReadFailure},
    fate::{Fate, Kind, fate},
    header::{Header, HeaderRow, Verdict, judge, slot},
    retry::Pauses,
};
use crate::journaled::{AppendError, FenceError, Journal, Recovered, UpkeepError, timer};

/// One lane's journal.
pub(super) struct CqlJournal {
    connection: Arc<Connection>,
    place: JournalPlace,
    /// How long an append tries for a definite answer.
    timeout: Duration,
    /// The number of the last entry that is in.
    head: AtomicU64,
    /// The number of the last entry of which a try was indefinite, or is on its way; 0 if there was none.
    doubted: AtomicU64,
}

/// Which partition of the table `journal`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct JournalPlace {
    pub(super) node: NodeId,
    pub(super) lane: u16,
}

/// The partition key as the database has it.
type Key = (uuid::Uuid, i16);

impl JournalPlace {
    /// There are far fewer lanes than the column could number.
    pub(super) fn key(self) -> Key {
        (self.node.into(), i16::try_from(self.lane).unwrap_or(i16::MAX))
    }
}

impl CqlJournal {
    /// A journal whose header is there.
    pub(super) fn new(connection: Arc<Connection>, place: JournalPlace, timeout: Duration) -> Self {
        CqlJournal { connection, place, timeout, head: AtomicU64::new(0), doubted: AtomicU64::new(0) }
    }

    /// Sends the batch until its fate is known, or until the time is over, and no try is on its way.
    async fn settle_entry(&self, number: u64, done: u64, entry: &Bytes) -> Result<(), AppendError> {
        let mut over = pin!(timer(self.timeout));
        let mut pauses = Pauses::default();
        loop {
            // Until the answer says otherwise: this future may be dropped before it comes.
            let doubted = self.doubted.swap(number, Ordering::SeqCst) == number;
            match self.send(number, done, entry).await {
                Ok(true) => return Ok(()),
                Ok(false) => {
                    if let Some(definite) = self.judge(number).await {
                        return definite;
                    }
                }
                Err(Fate::Rejected | Fate::NotApplied) if doubted => {
                    // A refusal of a later try proves nothing about an earlier one.
                }
                Err(Fate::Rejected) => {
                    self.doubted.store(0, Ordering::SeqCst);
                    return Err(AppendError::NotApplied(Refusal::Invalid));
                }
                Err(Fate::NotApplied) => self.doubted.store(0, Ordering::SeqCst),
                Err(Fate::Unknown) => {}
            }
            tokio::select! {
                biased;
                () = &mut over => return Err(self.gave_up(number)),
                () = pauses.next() => {}
            }
        }
    }

    fn gave_up(&self, number: u64) -> AppendError {
        let doubted = self.doubted.load(Ordering::SeqCst) == number;
        if doubted { AppendError::Unknown } else { AppendError::NotApplied(Refusal::Unavailable) }
    }

    /// One try: whether the condition held.
    async fn send(&self, number: u64, done: u64, entry: &Bytes) -> Result<bool, Fate> {
        let (node, lane) = self.place.key();
        let number_before = bigint(number.saturating_sub(1));
        let header = (bigint(number), bigint(done), node, lane, number_before);
        let entry = (bigint(number), entry.as_ref(), node, lane, slot(number));
        let append = &self.connection.statements.journal.append;
        match self.connection.session.batch(append, (header, entry)).await {
            Ok(answer) => is_applied(answer).map_err(|_| {
                tracing::warn!(number, place = ?self.place, "the answer to an append cannot be read");
                Fate::Unknown
            }),
            Err(error) => {
                let fate = fate(Kind::Conditional, &error);
                tracing::warn!(number, place = ?self.place, %error, ?fate, "an append to the journal has no answer");
                Err(fate)
            }
        }
    }

    /// What the header says of an entry whose condition did not hold; `None`: nothing yet.
    async fn judge(&self, number: u64) -> Option<Result<(), AppendError>> {
        let header = match read_header(&self.connection, self.place).await {
            Ok(header) => header,
            Err(error) => {
                tracing::warn!(number, place = ?self.place, %error, "the journal's header cannot be read");
                return None;
            }
        };
        match judge(header, number) {
            Verdict::In => Some(Ok(())),
            Verdict::Sealed => Some(Err(AppendError::Fenced)),
            Verdict::Again => None,
            Verdict::Foreign => {
                tracing::error!(
                    number,
                    place = ?self.place,
                    ?header,
                    "the header of the journal is not what this node has written: nothing more is committed"
                );
                Some(Err(AppendError::Failed))
            }
        }
    }
}

impl Journal for CqlJournal {
    async fn recover(&self) -> Result<Recovered, ReadError> {
        let header = read_header(&self.connection, self.place).await?.ok_or(ReadError::Corrupt)?;
        self.head.store(header.head, Ordering::SeqCst);
        let mut entries = Vec::new();
        for number in header.waiting().ok_or(ReadError::Corrupt)? {
            let entry = read_entry(&self.connection, self.place, number).await?.ok_or(ReadError::Corrupt)?;
            entries.push((number, entry));
        }
        Ok(Recovered { done: header.done, entries })
    }

    async fn append(&self, number: u64, done: u64, entry: Bytes) -> Result<(), AppendError> {
        self.settle_entry(number, done, &entry).await?;
        self.head.store(number, Ordering::SeqCst);
        Ok(())
    }

    async fn release(&self, done: u64) -> Result<(), UpkeepError> {
        let (node, lane) = self.place.key();
        let head = bigint(self.head.load(Ordering::SeqCst));
        let release = &self.connection.statements.journal.release;
        let values = (bigint(done), node, lane, head, bigint(done));
        // Late or twice it does no harm: with the next entry the head is another, and `done` only rises.
        let answer = self.connection.session.execute_unpaged(release, values).await;
        if answer.is_ok_and(|answer| is_applied(answer) == Ok(true)) {
            return Ok(());
        }
        match read_header(&self.connection, self.place).await {
            // Whoever has sealed it may have noted it.
            Ok(Some(Header { sealed: true, .. })) => Err(UpkeepError::Fenced),
            Ok(Some(header)) if header.done >= done => Ok(()),
            _ => Err(UpkeepError::Unavailable),
        }
    }

    async fn fence(&self) -> Result<(), FenceError> {
        match read_header(&self.connection, self.place).await {
            Ok(Some(header)) if !header.sealed => Ok(()),
            Ok(Some(_)) => Err(FenceError::Fenced),
            Ok(None) => Err(FenceError::Read(ReadError::Corrupt)),
            Err(error) => Err(FenceError::Read(error.into())),
        }
    }
}

/// Reads the header of a journal, behind everything that had begun there. `None` where there is none.
pub(super) async fn read_header(connection: &Connection, place: JournalPlace) -> Result<Option<Header>, ReadFailure> {
    let header = &connection.statements.journal.header;
    let row = connection.read_first::<HeaderRow>(header, place.key()).await?;
    row.map(|row| Header::read(row).ok_or(ReadFailure::Corrupt)).transpose()
}

/// Reads the entry `number` of a journal whose header, which was read before, holds it. `None` where it is not there.
pub(super) async fn read_entry(
    connection: &Connection,
    place: JournalPlace,
    number: u64,
) -> Result<Option<Bytes>, ReadFailure> {
    let (node, lane) = place.key();
    let statement = &connection.statements.journal.slot;
    let row = connection.read_first::<(Option<i64>, Option<Bytes>)>(statement, (node, lane, slot(number))).await?;
    Ok(match row {
        Some((Some(found), Some(entry))) if unsigned(found) == number => Some(entry),
        _ => None,
    })
}
