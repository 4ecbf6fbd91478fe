//! A group: the writes of many actors that are committed together.

use std::sync::Arc;

use bytes::Bytes;

use super::range::KeyRange;
use crate::{limits::WRITE_OVERHEAD_BYTES, name::ActorName};

/// Many actors' writes, committed all or nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The number that the committer gave it: one more than that of the last group that was committed.
    pub number: u64,
    /// The writes, one entry an actor; no actor stands in it twice.
    pub actors: Vec<ActorWrites>,
}

/// What one actor writes in a group.
///
/// The range deletes come first, and take back nothing of what stands behind them; a store refuses a group in which
/// they do not.
///
/// It is the committer's duty that an actor stands in a group once, and that of the puts and deletes of an actor there is
/// at most one a (module, key). A store relies on it: what it makes of a group that breaks it is not specified.
/// [`Group::check`] looks for it with debug assertions only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActorWrites {
    /// Whose rows these are.
    pub actor: ActorName,
    /// The writes: range deletes first.
    pub writes: Vec<Write>,
}

/// One write to one module of one actor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    /// The storage module that the key belongs to.
    pub module: Arc<str>,
    /// What is done.
    pub kind: WriteKind,
}

/// What a write does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WriteKind {
    /// Sets the value of a key.
    Put {
        /// The key.
        key: Bytes,
        /// Its new value.
        value: Bytes,
    },
    /// Removes a key.
    Delete {
        /// The key.
        key: Bytes,
    },
    /// Removes every key of a range that an earlier group, or nobody, has put.
    DeleteRange {
        /// The range. A bound is one byte longer than the longest key at the most, so that a range can end behind that.
        range: KeyRange,
    },
}

impl Write {
    /// What the write counts against the limits, in bytes.
    pub fn cost(&self) -> usize {
        WRITE_OVERHEAD_BYTES
            + match &self.kind {
                WriteKind::Put { key, value } => key.len() + value.len(),
                WriteKind::Delete { key } => key.len(),
                WriteKind::DeleteRange { range } => range.start.len() + range.end.as_ref().map_or(0, Bytes::len),
            }
    }
}
