//! How a group stands in the journal.
//!
//! | Bytes | What |
//! |---|---|
//! | 1 | format version: 1 |
//! | 8 | the group's number, little-endian |
//! | 8 | its [stamp](super::clock), little-endian |
//! | … | labels: count, then each as bytes |
//! | … | actors: count, then each as below |
//! | 8 | XXH3-64 (seed 0) of everything before, little-endian |
//!
//! An actor is the index of its namespace and of its type among the labels, its name as bytes, and its writes: count,
//! then for each the index of the module among the labels, a kind byte, and
//!
//! | Kind | What | Follows |
//! |---|---|---|
//! | 0 | put | key, value |
//! | 1 | delete | key |
//! | 2 | range delete | start, end |
//! | 3 | range delete to the last key | start |
//!
//! Counts and indices are numbers in groups of seven bits, the lowest first, the high bit set in all bytes but the
//! last. Bytes are their length as such a number, then themselves. Nothing follows the checksum.
//!
//! A reader refuses a version that it does not know; a new version is written only when every reader has it.

use std::{collections::HashMap, sync::Arc};

use bytes::{BufMut, Bytes, BytesMut};
use dna_core::{ActorName, ActorWrites, Group, KeyRange, Write, WriteKind};
use foldhash::fast::FixedState;
use xxhash_rust::xxh3::xxh3_64;

use super::wire::{Reader, put_bytes, put_len};

/// The version of the entry format that is written, and the highest that is read.
pub const ENTRY_FORMAT: u8 = 1;

const CHECKSUM_BYTES: usize = 8;
const PUT: u8 = 0;
const DELETE: u8 = 1;
const DELETE_RANGE: u8 = 2;
const DELETE_TAIL: u8 = 3;

/// Why an entry of a journal cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EntryError {
    /// A newer release has written it.
    #[error("it has format {found}, this release reads up to format {supported}; use a newer release")]
    Newer {
        /// The format that was found.
        found: u8,
        /// The highest format that is known.
        supported: u8,
    },
    /// Its checksum does not match.
    #[error("its checksum does not match; restore the store from a copy")]
    Checksum,
    /// Its checksum matches, but it is not an entry.
    #[error("it is not an entry of the format that it names; restore the store from a copy")]
    Malformed,
}

/// Encodes a group.
pub(super) fn encode(group: &Group, stamp: u64) -> Bytes {
    let labels = Labels::of(group);
    let mut out = BytesMut::with_capacity(encoded_len_hint(group));
    out.put_u8(ENTRY_FORMAT);
    out.put_u64_le(group.number);
    out.put_u64_le(stamp);
    put_len(&mut out, labels.list.len());
    for label in &labels.list {
        put_bytes(&mut out, label.as_bytes());
    }
    put_len(&mut out, group.actors.len());
    let mut module = ModuleIndex { labels: &labels, last: None };
    for actor in &group.actors {
        put_len(&mut out, labels.index(actor.actor.namespace()));
        put_len(&mut out, labels.index(actor.actor.kind()));
        put_bytes(&mut out, actor.actor.name().as_bytes());
        put_len(&mut out, actor.writes.len());
        for write in &actor.writes {
            put_len(&mut out, module.of(&write.module));
            put_kind(&mut out, &write.kind);
        }
    }
    let checksum = xxh3_64(&out);
    out.put_u64_le(checksum);
    out.freeze()
}

/// Decodes an entry: the group and its stamp. Keys and values are slices of `entry`.
pub(super) fn decode(entry: &Bytes) -> Result<(Group, u64), EntryError> {
    let version = *entry.first().ok_or(EntryError::Malformed)?;
    if version > ENTRY_FORMAT {
        return Err(EntryError::Newer { found: version, supported: ENTRY_FORMAT });
    }
    let body = entry.len().checked_sub(CHECKSUM_BYTES).ok_or(EntryError::Malformed)?;
    let checksum = entry.get(body..).and_then(|bytes| bytes.try_into().ok()).map(u64::from_le_bytes);
    if checksum != entry.get(..body).map(xxh3_64) {
        return Err(EntryError::Checksum);
    }
    if version != ENTRY_FORMAT {
        return Err(EntryError::Malformed);
    }
    read_body(Reader::new(entry.slice(1..body))).ok_or(EntryError::Malformed)
}

fn put_kind(out: &mut BytesMut, kind: &WriteKind) {
    match kind {
        WriteKind::Put { key, value } => {
            out.put_u8(PUT);
            put_bytes(out, key);
            put_bytes(out, value);
        }
        WriteKind::Delete { key } => {
            out.put_u8(DELETE);
            put_bytes(out, key);
        }
        WriteKind::DeleteRange { range: KeyRange { start, end: Some(end) } } => {
            out.put_u8(DELETE_RANGE);
            put_bytes(out, start);
            put_bytes(out, end);
        }
        WriteKind::DeleteRange { range: KeyRange { start, end: None } } => {
            out.put_u8(DELETE_TAIL);
            put_bytes(out, start);
        }
    }
}

fn read_body(mut reader: Reader) -> Option<(Group, u64)> {
    let number = reader.number()?;
    let stamp = reader.number()?;
    let labels = read_list(&mut reader, 1, |reader| Some(Arc::<str>::from(reader.text()?)))?;
    let actors = read_list(&mut reader, 4, |reader| read_actor(reader, &labels))?;
    reader.is_at_end().then_some((Group { number, actors }, stamp))
}

fn read_actor(reader: &mut Reader, labels: &[Arc<str>]) -> Option<ActorWrites> {
    let namespace = labels.get(reader.len()?)?.clone();
    let kind = labels.get(reader.len()?)?.clone();
    let actor = ActorName::new(namespace, kind, reader.text()?).ok()?;
    let writes = read_list(reader, 3, |reader| {
        let module = labels.get(reader.len()?)?.clone();
        Some(Write { module, kind: read_kind(reader)? })
    })?;
    Some(ActorWrites { actor, writes })
}

fn read_kind(reader: &mut Reader) -> Option<WriteKind> {
    Some(match reader.byte()? {
        PUT => WriteKind::Put { key: reader.bytes()?, value: reader.bytes()? },
        DELETE => WriteKind::Delete { key: reader.bytes()? },
        DELETE_RANGE => {
            WriteKind::DeleteRange { range: KeyRange { start: reader.bytes()?, end: Some(reader.bytes()?) } }
        }
        DELETE_TAIL => WriteKind::DeleteRange { range: KeyRange { start: reader.bytes()?, end: None } },
        _ => return None,
    })
}

/// Reads a count and that many items of at least `bytes_each` bytes; allocates for no more than can be there.
fn read_list<T>(
    reader: &mut Reader,
    bytes_each: usize,
    mut item: impl FnMut(&mut Reader) -> Option<T>,
) -> Option<Vec<T>> {
    let count = reader.len()?;
    let mut items = Vec::with_capacity(count.min(reader.room_for(bytes_each)));
    for _ in 0..count {
        items.push(item(reader)?);
    }
    Some(items)
}

fn encoded_len_hint(group: &Group) -> usize {
    let actors = group
        .actors
        .iter()
        .map(|actor| actor.actor.name().len() + 8 + actor.writes.iter().map(Write::cost).sum::<usize>());
    64 + actors.sum::<usize>()
}

/// The namespaces, types and module names of a group, each once.
struct Labels<'a> {
    list: Vec<&'a str>,
    index: HashMap<&'a str, usize, FixedState>,
}

impl<'a> Labels<'a> {
    fn of(group: &'a Group) -> Self {
        let mut labels = Labels { list: Vec::new(), index: HashMap::default() };
        let mut last: Option<&Arc<str>> = None;
        for actor in &group.actors {
            labels.add(actor.actor.namespace());
            labels.add(actor.actor.kind());
            for write in &actor.writes {
                // Writes mostly share one allocation of their module's name with the one before.
                if !last.is_some_and(|last| Arc::ptr_eq(last, &write.module)) {
                    labels.add(&write.module);
                    last = Some(&write.module);
                }
            }
        }
        labels
    }

    fn add(&mut self, label: &'a str) {
        let next = self.list.len();
        let index = *self.index.entry(label).or_insert(next);
        if index == next {
            self.list.push(label);
        }
    }

    fn index(&self, label: &str) -> usize {
        self.index.get(label).copied().unwrap_or(usize::MAX)
    }
}

/// Looks module names up, the same one again without hashing.
struct ModuleIndex<'a> {
    labels: &'a Labels<'a>,
    last: Option<(&'a Arc<str>, usize)>,
}

impl<'a> ModuleIndex<'a> {
    fn of(&mut self, module: &'a Arc<str>) -> usize {
        if let Some((last, index)) = self.last
            && Arc::ptr_eq(last, module)
        {
            return index;
        }
        let index = self.labels.index(module);
        self.last = Some((module, index));
        index
    }
}

#[cfg(test)]
#[path = "entry_tests.rs"]
mod tests;
