//! The database of the model: journals, rows and the view, and the messages that are on their way to it.

use std::collections::{BTreeMap, BTreeSet};

use dna_cluster::{
    View,
    decide::{self, Move},
};
use dna_core::{Shard, Timestamp};

use super::{
    model::{Rule, Rules},
    shown::{Shown, id},
};

/// What a group writes: values by key. A key is a shard of its own.
pub type Writes = BTreeMap<usize, u8>;

/// A value with the timestamp that orders it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Row {
    pub ts: u64,
    pub value: u8,
}

/// A group with its number.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Entry {
    pub number: u8,
    pub ts: u64,
    pub writes: Writes,
}

/// The journal of one lane of one node.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Journal {
    pub head: u8,
    pub done: u8,
    pub sealed: bool,
    pub entries: BTreeMap<u8, (u64, Writes)>,
}

/// What a swap is to do. With the version in its condition only its outcome counts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Change {
    HandOver { from: usize, to: Option<usize>, shard: usize, ts: u64 },
    TakeOver { by: usize, dead: usize, last: u64, ts: u64 },
    Join { who: usize },
    Drain { who: usize },
    Leave { who: usize, last: u64 },
}

/// A message that is on its way. One that can have no effect any more is not there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Message {
    Append { node: usize, lane: usize, entry: Entry, done: u8 },
    Row { key: usize, row: Row },
    Seal { node: usize, lane: usize },
    Swap { expected: u64, change: Change, new: Shown },
}

/// The database, and what is on its way to it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Database {
    /// By node, then by lane.
    pub journals: Vec<Vec<Journal>>,
    pub rows: Vec<Row>,
    pub view: Shown,
    pub net: BTreeSet<Message>,
}

impl Database {
    /// The messages whose arrival changes something.
    pub fn arrivals(&self, rules: Rules) -> Vec<Message> {
        self.net.iter().filter(|message| self.applies(message, rules)).cloned().collect()
    }

    /// Whether a message has an effect when it arrives now.
    fn applies(&self, message: &Message, rules: Rules) -> bool {
        match message {
            Message::Append { node, lane, entry, .. } => {
                let journal = &self.journals[*node][*lane];
                let is_open = !journal.sealed || !rules.on(Rule::SealedRefuses);
                is_open && journal.head == entry.number - 1
            }
            Message::Row { key, row } => row.ts > self.rows[*key].ts,
            Message::Seal { node, lane } => !self.journals[*node][*lane].sealed,
            Message::Swap { expected, change, .. } => {
                if rules.on(Rule::VersionInCondition) {
                    self.view.version() == *expected
                } else {
                    self.view.version() >= *expected && self.anew(change).is_some()
                }
            }
        }
    }

    pub fn arrive(&mut self, message: &Message, rules: Rules) {
        match message {
            Message::Append { node, lane, entry, done } => {
                let journal = &mut self.journals[*node][*lane];
                journal.head = entry.number;
                journal.done = journal.done.max(*done);
                journal.entries.insert(entry.number, (entry.ts, entry.writes.clone()));
            }
            Message::Row { key, row } => self.rows[*key] = *row,
            Message::Seal { node, lane } => self.journals[*node][*lane].sealed = true,
            Message::Swap { change, new, .. } => {
                self.view = if rules.on(Rule::VersionInCondition) {
                    new.clone()
                } else {
                    Shown::new(self.view.version() + 1, self.anew(change).expect("it applies"))
                };
            }
        }
        self.forget(rules);
    }

    /// Drops the messages that can have no effect any more.
    pub fn forget(&mut self, rules: Rules) {
        let net = std::mem::take(&mut self.net);
        let is_over = |message: &Message| match message {
            Message::Append { node, lane, entry, .. } => {
                let journal = &self.journals[*node][*lane];
                journal.head >= entry.number || (journal.sealed && rules.on(Rule::SealedRefuses))
            }
            Message::Swap { expected, .. } => rules.on(Rule::VersionInCondition) && self.view.version() > *expected,
            _ => !self.applies(message, rules),
        };
        self.net = net.into_iter().filter(|message| !is_over(message)).collect();
    }

    /// What a change makes of the view of now, if all that it asks for is that the shards are where they were.
    fn anew(&self, change: &Change) -> Option<View> {
        let seen = self.view.seen();
        let ts = Timestamp::from_micros;
        match *change {
            Change::HandOver { from, to, shard, ts: last } => {
                let epoch = self.view.epoch(shard, from)?;
                let moved = Move { shard: Shard(u32::try_from(shard).unwrap()), epoch, to: to.map(id) };
                decide::hand_over(seen, id(from), &[moved], ts(last))
            }
            Change::TakeOver { by, dead, last, ts: own } => {
                match decide::take_over(seen, id(by), id(dead), Some(ts(last)), ts(own)) {
                    decide::TakeoverStep::Swap(view) => Some(view),
                    _ => None,
                }
            }
            Change::Join { .. } | Change::Drain { .. } | Change::Leave { .. } => None,
        }
    }
}
