//! What the nodes share: the plainest statement of what a cluster's database holds. It applies one request at a time and
//! knows nothing of nodes, connections or faults.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::Bytes;

use super::{
    journal::{Entry, Header, Journal},
    rows::TimedRows,
    rule::Rule,
};
use crate::{
    cluster::{EntryProblem, NodeId, Shard, Swap, Timestamp, ViewRegister},
    name::ActorName,
    runtime::Stopwatch,
};

/// What the wall clock of a new database says. Any other would do; a fixed one makes a run repeatable.
const WALL_AT_START: u64 = 1_700_000_000_000_000;

/// Names a journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct JournalId {
    pub(super) node: NodeId,
    pub(super) lane: u16,
}

/// Everything that stands in the database.
#[derive(Debug)]
pub(super) struct Database {
    view: ViewRegister,
    beats: BTreeMap<NodeId, u64>,
    journals: BTreeMap<JournalId, Journal>,
    pub(super) rows: TimedRows,
    names: BTreeMap<ActorName, Shard>,
    started: Stopwatch,
    without: Option<Rule>,
}

/// A sealed journal: what of it is not released, and the stamp of its last entry.
#[derive(Debug, Default)]
pub(super) struct Sealed {
    pub(super) entries: Vec<Arc<Entry>>,
    /// The first timestamp of the last entry, released or not.
    pub(super) last: Option<u64>,
}

impl Database {
    pub(super) fn new(without: Option<Rule>) -> Self {
        Database {
            view: ViewRegister::default(),
            beats: BTreeMap::new(),
            journals: BTreeMap::new(),
            rows: TimedRows::default(),
            names: BTreeMap::new(),
            started: Stopwatch::start(),
            without,
        }
    }

    fn keeps(&self, rule: Rule) -> bool {
        self.without != Some(rule)
    }

    pub(super) fn now(&self) -> Timestamp {
        Timestamp::from_micros(WALL_AT_START + micros(self.started.elapsed()))
    }

    pub(super) fn view(&self) -> ViewRegister {
        self.view.clone()
    }

    pub(super) fn swap_view(&mut self, expected: u64, new: &Bytes) -> Swap {
        let hit = self.view.version == expected;
        if hit || !self.keeps(Rule::SwapNeedsItsVersion) {
            self.view = ViewRegister { version: self.view.version + 1, bytes: new.clone() };
            return Swap::Done;
        }
        if self.keeps(Rule::LostSwapSaysSo) { Swap::Lost { current: self.view.version } } else { Swap::Done }
    }

    pub(super) fn beat(&mut self, node: NodeId, beat: u64) {
        let node = if self.keeps(Rule::BeatsArePerNode) { node } else { NodeId::from_bytes([0; 16]) };
        let higher = self.keeps(Rule::HigherBeatStands);
        let stands = self.beats.entry(node).or_default();
        *stands = if higher { beat.max(*stands) } else { beat };
    }

    pub(super) fn beats(&self) -> Vec<(NodeId, u64)> {
        self.beats.iter().map(|(&node, &beat)| (node, beat)).collect()
    }

    /// Makes a journal; whether it was not there yet.
    pub(super) fn open_journal(&mut self, id: JournalId) -> bool {
        if self.journals.contains_key(&id) && self.keeps(Rule::JournalsOpenOnce) {
            return false;
        }
        self.journals.insert(id, Journal::default());
        true
    }

    pub(super) fn append(&mut self, id: JournalId, entry: &Arc<Entry>, done: u64) -> Option<Header> {
        let refuses = self.keeps(Rule::SealedRefuses);
        Some(self.journals.get_mut(&id)?.append(entry, done, refuses))
    }

    pub(super) fn release(&mut self, id: JournalId, done: u64) -> Option<Header> {
        Some(self.journals.get_mut(&id)?.release(done))
    }

    pub(super) fn header(&self, id: JournalId) -> Option<Header> {
        Some(self.journals.get(&id)?.header())
    }

    /// Seals a journal; whether it is there.
    pub(super) fn seal(&mut self, id: JournalId) -> bool {
        self.journals.get_mut(&id).map(Journal::seal).is_some()
    }

    /// Reads a journal from behind what is released; `None` if there is no such journal, and what is wrong with which
    /// entry if one cannot be read.
    pub(super) fn read_journal(&self, id: JournalId) -> Option<Result<Sealed, (u64, EntryProblem)>> {
        let journal = self.journals.get(&id)?;
        let header = journal.header();
        let entry = |number| journal.entry(number).map_err(|problem| (number, problem));
        let read = || {
            let mut sealed = Sealed::default();
            for number in header.done + 1..=header.head {
                match entry(number) {
                    Ok(entry) => sealed.entries.push(entry),
                    Err(_) if !self.keeps(Rule::DamageIsAnError) => {}
                    Err(problem) => return Err(problem),
                }
            }
            if header.head > 0 && self.keeps(Rule::DamageIsAnError) {
                sealed.last = Some(entry(header.head)?.stamp);
            }
            Ok(sealed)
        };
        Some(read())
    }

    pub(super) fn register(&mut self, actor: &ActorName, shard: Shard) -> Shard {
        let mut actor = actor.clone();
        if !self.keeps(Rule::NamePartsStayApart)
            && let Ok(joined) = ActorName::new("all", "all", actor.to_string())
        {
            actor = joined;
        }
        let first = self.keeps(Rule::FirstNameStands);
        let stands = self.names.entry(actor).or_insert(shard);
        if !first {
            *stands = shard;
        }
        *stands
    }

    #[cfg(feature = "testing")]
    pub(super) fn damage(&mut self, id: JournalId, number: u64, problem: EntryProblem) {
        if let Some(journal) = self.journals.get_mut(&id) {
            journal.damage(number, problem);
        }
    }

    #[cfg(feature = "testing")]
    pub(super) fn lose_journal(&mut self, id: JournalId) {
        self.journals.remove(&id);
    }
}

/// Whole microseconds.
pub(super) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
