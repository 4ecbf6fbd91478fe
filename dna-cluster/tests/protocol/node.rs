//! A node of the model: what it holds in memory.

use super::{
    database::{Entry, Row, Writes},
    shown::Shown,
};

/// A node.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Node {
    /// It is up, and a member as far as it knows.
    pub up: bool,
    /// It was never up before: it may join.
    pub fresh: bool,
    /// It is draining: nobody gives it anything, and it runs what it has until it has given it away.
    pub draining: bool,
    /// It runs nothing any more, and is about to leave.
    pub released: bool,
    /// Its lease has run out.
    pub expired: bool,
    /// The view that it read last.
    pub seen: Shown,
    /// The epochs of the shards that it runs.
    pub own: Vec<Option<u64>>,
    /// What its active counters hold.
    pub memory: Vec<Option<u8>>,
    /// The timestamp that it used last.
    pub clock: u64,
    pub lanes: Vec<Lane>,
    pub doing: Doing,
}

/// One lane of a node.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Lane {
    /// The last group that is known to be in.
    pub head: u8,
    /// The group whose commit is under way.
    pub under_way: Option<Entry>,
    /// What is gathered meanwhile.
    pub gathered: Writes,
    /// What is committed and not stored, by the number of its group.
    pub unstored: Vec<(u8, usize, Row)>,
}

/// The one thing that a node does about the view.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Doing {
    Nothing,
    /// It has sent a swap. The shard, if any, rests meanwhile.
    Swapping {
        expected: u64,
        resting: Option<usize>,
    },
    /// It takes over from a node, or from itself when it leaves: its seals are on their way.
    Sealing {
        dead: usize,
    },
    /// It writes the rows of these entries.
    Replaying {
        dead: usize,
        rows: Vec<(usize, Row)>,
        last: u64,
    },
}

impl Node {
    /// Whether it runs the counter of this key.
    pub fn runs(&self, key: usize) -> bool {
        let rests = match &self.doing {
            Doing::Swapping { resting, .. } => *resting == Some(key),
            _ => false,
        };
        self.up && !self.released && self.own[key].is_some() && !rests
    }
}

impl Lane {
    /// Up to which number everything is stored.
    pub fn done(&self) -> u8 {
        self.unstored.iter().map(|(number, ..)| number - 1).min().unwrap_or(self.head)
    }

    /// Whether anything of this key waits to be committed.
    pub fn holds(&self, key: usize) -> bool {
        self.gathered.contains_key(&key) || self.under_way.as_ref().is_some_and(|entry| entry.writes.contains_key(&key))
    }

    /// The newest value of a key that is not stored.
    pub fn newest(&self, key: usize) -> Option<u8> {
        let stored = self.unstored.iter().filter(|(_, of, _)| *of == key).max_by_key(|(.., row)| row.ts);
        let under_way = self.under_way.as_ref().and_then(|entry| entry.writes.get(&key));
        self.gathered.get(&key).or(under_way).copied().or(stored.map(|(.., row)| row.value))
    }
}
