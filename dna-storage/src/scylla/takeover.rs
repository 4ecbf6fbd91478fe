//! Sealing the journals of a node, and storing as rows what is left in them.
//!
//! All lanes are sealed first and replayed then. Each step may be repeated, and several nodes may do it at once.

use std::time::Duration;

use bytes::Bytes;
use dna_core::{ClusterError, EntryProblem, Group, NodeId, Replayed, SealError, Timestamp, fault_point};

use super::{
    answer::{bigint, is_applied},
    connection::Connection,
    fate::{Fate, Kind, fate},
    header::Header,
    journal::{JournalPlace, read_entry, read_header},
    retry::Pauses,
    rows::CqlRows,
};
use crate::journaled::{EntryError, Replay, decode_entry, within};

/// Takes the journals of a node over.
pub(super) struct Takeover<'a> {
    pub(super) connection: &'a Connection,
    pub(super) rows: &'a CqlRows,
    pub(super) node: NodeId,
    /// How long one step is tried.
    pub(super) timeout: Duration,
}

impl Takeover<'_> {
    pub(super) async fn run(&self, lanes: u16) -> Result<Replayed, SealError> {
        let places = || (0..lanes).map(|lane| JournalPlace { node: self.node, lane });
        fault_point("takeover: to be sealed");
        for place in places() {
            self.seal(place).await?;
            fault_point("takeover: a journal is sealed");
        }
        fault_point("takeover: sealed");
        let mut replayed = Replayed::default();
        for place in places() {
            let lane = self.replay(place).await?;
            replayed.last = replayed.last.max(lane.last);
            replayed.entries += lane.entries;
            replayed.rows += lane.rows;
        }
        Ok(replayed)
    }

    /// Seals one journal: the same write again until it is known to be in.
    async fn seal(&self, place: JournalPlace) -> Result<(), SealError> {
        // No answer in time: sealed or not, or later.
        within(self.timeout, self.seal_until_definite(place)).await.unwrap_or(Err(ClusterError::Unknown.into()))
    }

    async fn seal_until_definite(&self, place: JournalPlace) -> Result<(), SealError> {
        let mut pauses = Pauses::default();
        loop {
            match self.send_seal(place).await {
                Ok(true) => return Ok(()),
                Ok(false) => match read_header(self.connection, place).await {
                    Ok(Some(Header { sealed: true, .. })) => return Ok(()),
                    Ok(None) => return Err(missing(place)),
                    Ok(Some(_)) => {}
                    Err(failure) => return Err(ClusterError::from(failure).into()),
                },
                Err(Fate::Rejected) => return Err(ClusterError::Rejected.into()),
                Err(Fate::NotApplied | Fate::Unknown) => {}
            }
            pauses.next().await;
        }
    }

    async fn send_seal(&self, place: JournalPlace) -> Result<bool, Fate> {
        let seal = &self.connection.statements.journal.seal;
        match self.connection.session.execute_unpaged(seal, place.key()).await {
            Ok(answer) => is_applied(answer).map_err(|_| Fate::Unknown),
            Err(error) => {
                tracing::warn!(?place, %error, "a journal was not sealed, or not answered");
                Err(fate(Kind::Conditional, &error))
            }
        }
    }

    /// Stores what is left of a sealed journal.
    async fn replay(&self, place: JournalPlace) -> Result<Replayed, SealError> {
        let header = read_header(self.connection, place).await.map_err(ClusterError::from)?;
        let header = header.ok_or_else(|| missing(place))?;
        let waiting = header.waiting().ok_or_else(|| damaged(place, header.done + 1))?;
        let mut replay = Replay::default();
        if waiting.is_empty() && header.head > 0 {
            // Its rows are stored; their timestamps still count.
            let (_, stamp) = self.entry(place, header.head).await?;
            replay.note(stamp);
        }
        for number in waiting {
            let (group, stamp) = self.entry(place, number).await?;
            replay.push(&group, stamp);
            if replay.is_full() {
                self.store(&mut replay).await?;
            }
        }
        self.store(&mut replay).await?;
        if header.done < header.head {
            fault_point("takeover: replayed");
            self.release(place, header.head).await;
        }
        Ok(Replayed { last: Timestamp::from_micros(replay.last), entries: replay.entries, rows: replay.rows })
    }

    async fn entry(&self, place: JournalPlace, number: u64) -> Result<(Group, u64), SealError> {
        let entry = read_entry(self.connection, place, number).await.map_err(ClusterError::from)?;
        decode(entry.as_ref(), number).map_err(|problem| SealError::Entry {
            node: place.node,
            lane: place.lane,
            number,
            problem,
        })
    }

    async fn store(&self, replay: &mut Replay) -> Result<(), SealError> {
        let stored = async {
            let mut pauses = Pauses::default();
            while replay.store(self.rows).await.is_err() {
                pauses.next().await;
            }
        };
        within(self.timeout, stored).await.ok_or_else(|| ClusterError::Unavailable.into())
    }

    /// Notes that nothing is left to replay, so that nobody does it again, later than anything may be replayed. That it
    /// is not noted does no harm.
    async fn release(&self, place: JournalPlace, head: u64) {
        let (node, lane) = place.key();
        let release = &self.connection.statements.journal.release_sealed;
        let answer = self.connection.session.execute_unpaged(release, (bigint(head), node, lane, bigint(head))).await;
        if let Err(error) = answer {
            tracing::warn!(?place, %error, "that a journal was replayed could not be noted, or was not answered");
        }
    }
}

fn decode(entry: Option<&Bytes>, number: u64) -> Result<(Group, u64), EntryProblem> {
    match entry.map(decode_entry) {
        Some(Ok((group, stamp))) if group.number == number => Ok((group, stamp)),
        Some(Err(EntryError::Newer { found, supported })) => Err(EntryProblem::Newer { found, supported }),
        _ => Err(EntryProblem::Damaged),
    }
}

fn missing(place: JournalPlace) -> SealError {
    SealError::MissingJournal { node: place.node, lane: place.lane }
}

fn damaged(place: JournalPlace, number: u64) -> SealError {
    SealError::Entry { node: place.node, lane: place.lane, number, problem: EntryProblem::Damaged }
}
