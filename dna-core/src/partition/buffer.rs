//! What one name has written and read: uncommitted writes, and a cache of rows, in one map a module.
//!
//! Every write has a position, counted from 1 over the life of the name's buffer. Up to `finished` stand the writes of
//! messages that ended well, up to `taken` those that the committer has, up to `committed` those that are durable:
//! `committed ≤ taken ≤ finished`. What stands above `finished` belongs to the message that is running, and its undo
//! list takes it back. A row whose position is above `committed` is dirty: it must not be evicted.
//!
//! This is plain data under its owner's lock: no user code runs here, nothing waits.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use bytes::Bytes;

use crate::{
    limits::{
        ACTOR_CACHE_BYTES_MAX, GROUP_BYTES_MAX, KEY_BYTES_MAX, MESSAGE_WRITE_BYTES_MAX, VALUE_BYTES_MAX,
        WRITE_OVERHEAD_BYTES,
    },
    store::{KeyRange, Write, WriteKind},
    write_error::WriteError,
};

use super::row_map::RowMap;

/// The position of rows that were read, not written.
const CLEAN: u64 = 0;

/// What a row in the map costs beside its key and value, in bytes.
const ROW_OVERHEAD_BYTES: usize = 96;

/// The writes and cached rows of one name.
#[derive(Debug, Default)]
pub(super) struct Buffer {
    modules: Vec<ModuleRows>,
    /// The writes above `taken`; `None` where a later write of the same segment took its place.
    writes: VecDeque<Option<Write>>,
    taken: u64,
    finished: u64,
    committed: u64,
    /// Where the writes between `taken` and `finished` are split between messages, so that each part fits a group.
    cuts: VecDeque<Cut>,
    /// Messages that have finished writes which are not taken.
    messages: u64,
    /// Bytes of finished writes since the last cut.
    tail_bytes: usize,
    undo: Vec<Undo>,
    message_bytes: usize,
    fault: Option<WriteError>,
    cached_bytes: usize,
    /// The size at which the cache is looked through for what can go.
    evict_at: usize,
    /// Counts everything that makes a read of the store that is under way too old to be kept.
    version: u64,
    /// How often everything that was not durable was taken back.
    refusals: u64,
}

#[derive(Debug)]
struct ModuleRows {
    name: Arc<str>,
    rows: RowMap<Row>,
    /// Uncommitted range deletes.
    deleted: Vec<(u64, KeyRange)>,
    /// The position of the last write, also if it was taken back.
    last_write: u64,
}

#[derive(Debug, Clone)]
struct Row {
    value: Option<Bytes>,
    position: u64,
    used: bool,
}

#[derive(Debug)]
struct Undo {
    module: usize,
    key: UndoKey,
    before: Option<Row>,
}

#[derive(Debug)]
enum UndoKey {
    /// That of the write at this position.
    Written(u64),
    /// Of a row that a range delete has taken.
    Deleted(Bytes),
}

#[derive(Debug, Clone, Copy)]
struct Cut {
    upto: u64,
    bytes: usize,
}

/// A point within a message to which its writes can be taken back.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Savepoint {
    undo: usize,
    position: u64,
    bytes: usize,
    had_fault: bool,
    refusals: u64,
}

/// What [`Buffer::get`] found.
pub(super) enum Found {
    /// The row, or that there is none.
    Row(Option<Bytes>),
    /// Nothing is known here: ask the store, and pass the version on to [`Buffer::keep`].
    Ask { version: u64 },
}

/// The finished writes that fit the next group.
#[derive(Debug)]
pub(crate) struct Taken {
    pub(crate) writes: Vec<Write>,
    pub(crate) upto: u64,
    pub(crate) bytes: usize,
    /// How many messages wrote them; where they are split, the last part has all.
    pub(crate) messages: u64,
    /// Whether more is waiting behind it.
    pub(crate) more: bool,
}

/// What a scan must lay over the store's rows, taken before they are read.
#[derive(Debug)]
pub(super) struct Overlay {
    /// The uncommitted rows of the range, in key order; `None` is a delete.
    pub(super) rows: BTreeMap<Bytes, Option<Bytes>>,
    /// The uncommitted range deletes.
    pub(super) deleted: Vec<KeyRange>,
    /// Where the overlay already holds as many rows as are asked for, the part of the range that it covers.
    pub(super) range: KeyRange,
}

impl Overlay {
    /// Whether a row of the store is hidden.
    pub(super) fn hides(&self, key: &[u8]) -> bool {
        self.rows.contains_key(key) || self.deleted.iter().any(|range| range.contains(key))
    }

    /// Whether every row that the store could have in the range is hidden.
    pub(super) fn hides_all(&self) -> bool {
        self.range.is_empty() || self.deleted.iter().any(|range| range.and(&self.range) == self.range)
    }
}

impl Buffer {
    pub(super) fn finished(&self) -> u64 {
        self.finished
    }

    pub(super) fn taken(&self) -> u64 {
        self.taken
    }

    pub(super) fn committed(&self) -> u64 {
        self.committed
    }

    pub(super) fn cached_bytes(&self) -> usize {
        self.cached_bytes
    }

    /// Whether nothing waits to be committed.
    pub(super) fn is_settled(&self) -> bool {
        self.finished == self.committed && self.writes.is_empty()
    }

    /// The number of the module `name` in this buffer.
    pub(super) fn module(&mut self, name: &Arc<str>) -> usize {
        if let Some(known) = self.modules.iter().position(|module| module.name == *name) {
            return known;
        }
        self.modules.reserve_exact(1);
        self.modules.push(ModuleRows { name: name.clone(), rows: RowMap::new(), deleted: Vec::new(), last_write: 0 });
        self.modules.len() - 1
    }

    /// The position that the next write gets.
    fn next_position(&self) -> u64 {
        self.taken + self.writes.len() as u64 + 1
    }

    /// Sets (`Some`) or deletes (`None`) a row. What can never be committed becomes the message's fault.
    pub(super) fn write(&mut self, module: usize, key: Bytes, value: Option<Bytes>) {
        let position = self.next_position();
        let Some(rows) = self.modules.get_mut(module) else { return };
        let size = key.len() + value.as_ref().map_or(0, Bytes::len);
        let too_large = if key.len() > KEY_BYTES_MAX {
            Some(WriteError::KeyTooLarge { module: rows.name.to_string(), bytes: key.len(), max: KEY_BYTES_MAX })
        } else if value.as_ref().is_some_and(|value| value.len() > VALUE_BYTES_MAX) {
            let bytes = size - key.len();
            Some(WriteError::ValueTooLarge { module: rows.name.to_string(), bytes, max: VALUE_BYTES_MAX })
        } else {
            self.message_bytes += size + WRITE_OVERHEAD_BYTES;
            (self.message_bytes > MESSAGE_WRITE_BYTES_MAX)
                .then_some(WriteError::MessageTooLarge { bytes: self.message_bytes, max: MESSAGE_WRITE_BYTES_MAX })
        };
        if let Some(error) = too_large {
            self.fail(error);
            return;
        }
        self.version += 1;
        rows.last_write = position;
        self.cached_bytes += size + ROW_OVERHEAD_BYTES;
        let before = rows.rows.insert(key.clone(), Row { value: value.clone(), position, used: false });
        if let Some(before) = &before {
            self.cached_bytes -= row_bytes(&key, before);
        }
        let kind = match value {
            Some(value) => WriteKind::Put { key, value },
            None => WriteKind::Delete { key },
        };
        self.writes.push_back(Some(Write { module: rows.name.clone(), kind }));
        self.undo.push(Undo { module, key: UndoKey::Written(position), before });
    }

    /// Deletes every row of a range.
    pub(super) fn delete_range(&mut self, module: usize, range: KeyRange) {
        let position = self.next_position();
        let Some(rows) = self.modules.get_mut(module) else { return };
        let longest = range.start.len().max(range.end.as_ref().map_or(0, Bytes::len));
        if longest > KEY_BYTES_MAX {
            let error = WriteError::KeyTooLarge { module: rows.name.to_string(), bytes: longest, max: KEY_BYTES_MAX };
            return self.fail(error);
        }
        if range.is_empty() {
            return;
        }
        self.version += 1;
        let keys: Vec<Bytes> = rows.rows.range(range.bounds()).map(|(key, _)| key.clone()).collect();
        for key in keys {
            let before = rows.rows.remove(&key);
            if let Some(before) = &before {
                self.cached_bytes -= row_bytes(&key, before);
            }
            self.undo.push(Undo { module, key: UndoKey::Deleted(key), before });
        }
        rows.last_write = position;
        rows.deleted.push((position, range.clone()));
        let write = Write { module: rows.name.clone(), kind: WriteKind::DeleteRange { range } };
        self.message_bytes += write.cost();
        self.writes.push_back(Some(write));
        if self.message_bytes > MESSAGE_WRITE_BYTES_MAX {
            self.fail(WriteError::MessageTooLarge { bytes: self.message_bytes, max: MESSAGE_WRITE_BYTES_MAX });
        }
    }

    /// Makes `error` the message's, unless it has one already.
    pub(super) fn fail(&mut self, error: WriteError) {
        self.fault.get_or_insert(error);
    }

    /// Where the running message stands now.
    pub(super) fn savepoint(&self) -> Savepoint {
        Savepoint {
            undo: self.undo.len(),
            position: self.next_position() - 1,
            bytes: self.message_bytes,
            had_fault: self.fault.is_some(),
            refusals: self.refusals,
        }
    }

    /// Takes back what the running message wrote since `to`, and the fault that it has had since.
    pub(super) fn roll_back_to(&mut self, to: Savepoint) {
        // What stood before it was taken back meanwhile, and the undo list begins anew.
        if to.refusals != self.refusals {
            return self.roll_back();
        }
        if !to.had_fault {
            self.fault = None;
        }
        if self.undo.len() == to.undo && self.next_position() - 1 == to.position {
            return;
        }
        self.version += 1;
        while self.undo.len() > to.undo {
            let Some(Undo { module, key, before }) = self.undo.pop() else { break };
            let Some(key) = self.undone(key) else { continue };
            let Some(rows) = self.modules.get_mut(module) else { continue };
            if let Some(before) = &before {
                self.cached_bytes += row_bytes(&key, before);
            }
            let after = match before {
                Some(before) => rows.rows.insert(key.clone(), before),
                None => rows.rows.remove(&key),
            };
            if let Some(after) = &after {
                self.cached_bytes -= row_bytes(&key, after);
            }
        }
        for module in &mut self.modules {
            module.deleted.retain(|(position, _)| *position <= to.position);
        }
        self.writes.truncate(usize::try_from(to.position.saturating_sub(self.taken)).unwrap_or(usize::MAX));
        self.message_bytes = to.bytes;
    }

    /// The key that is to be set back. The writes of the running message are all there.
    fn undone(&self, key: UndoKey) -> Option<Bytes> {
        let position = match key {
            UndoKey::Deleted(key) => return Some(key),
            UndoKey::Written(position) => position,
        };
        let index = usize::try_from(position - self.taken - 1).ok()?;
        match &self.writes.get(index)?.as_ref()?.kind {
            WriteKind::Put { key, .. } | WriteKind::Delete { key } => Some(key.clone()),
            WriteKind::DeleteRange { .. } => None,
        }
    }

    /// Takes back everything that the running message wrote, and its fault.
    pub(super) fn roll_back(&mut self) {
        let refusals = self.refusals;
        self.roll_back_to(Savepoint { undo: 0, position: self.finished, bytes: 0, had_fault: false, refusals });
    }

    /// Ends the running message: its writes may be committed. Answers how many bytes they are; where they can never be
    /// committed they are taken back.
    pub(super) fn finish(&mut self) -> Result<usize, WriteError> {
        if let Some(fault) = self.fault.take() {
            self.roll_back();
            return Err(fault);
        }
        let segment = self.cuts.back().map_or(self.taken, |cut| cut.upto);
        let mut superseded = 0;
        for undo in self.undo.drain(..) {
            let Some(before) = undo.before else { continue };
            if before.position > segment
                && let Ok(index) = usize::try_from(before.position - self.taken - 1)
                && let Some(write) = self.writes.get_mut(index).and_then(Option::take)
            {
                superseded += write.cost();
            }
        }
        self.finished = self.next_position() - 1;
        self.messages += 1;
        let bytes = std::mem::take(&mut self.message_bytes);
        self.tail_bytes = (self.tail_bytes + bytes).saturating_sub(superseded);
        if self.tail_bytes >= GROUP_BYTES_MAX - MESSAGE_WRITE_BYTES_MAX {
            self.cuts.push_back(Cut { upto: self.finished, bytes: std::mem::take(&mut self.tail_bytes) });
        }
        self.evict_if_full();
        Ok(bytes)
    }

    /// Takes the next part of the finished writes, if it fits into `room` bytes. `None`: nothing waits, or it does not
    /// fit.
    pub(super) fn take(&mut self, room: usize) -> Option<Taken> {
        let part = self.cuts.front().copied().unwrap_or(Cut { upto: self.finished, bytes: self.tail_bytes });
        let count = usize::try_from(part.upto - self.taken).unwrap_or(usize::MAX);
        if count == 0 || part.bytes > room {
            return None;
        }
        if self.cuts.pop_front().is_none() {
            self.tail_bytes = 0;
        }
        let (mut writes, mut deletes) = (Vec::with_capacity(count), Vec::new());
        for write in self.writes.drain(..count).flatten() {
            match write.kind {
                WriteKind::DeleteRange { .. } => deletes.push(write),
                _ => writes.push(write),
            }
        }
        if !deletes.is_empty() {
            deletes.append(&mut writes);
            writes = deletes;
        }
        self.taken = part.upto;
        let more = self.finished > self.taken;
        let messages = if more { 0 } else { std::mem::take(&mut self.messages) };
        Some(Taken { writes, upto: part.upto, bytes: part.bytes, messages, more })
    }

    /// Whether finished writes wait to be taken.
    pub(super) fn has_untaken(&self) -> bool {
        self.finished > self.taken
    }

    /// Everything up to `upto` is durable.
    pub(super) fn commit(&mut self, upto: u64) {
        self.committed = upto;
        for module in &mut self.modules {
            module.deleted.retain(|(position, _)| *position > upto);
        }
    }

    /// Takes back everything that is not durable, the running message's writes included.
    pub(super) fn refuse(&mut self) {
        self.refusals += 1;
        self.version += 1;
        let committed = self.committed;
        for module in &mut self.modules {
            module.deleted.clear();
            module.rows.retain(|key, row| {
                let keep = row.position <= committed;
                if !keep {
                    self.cached_bytes -= row_bytes(key, row);
                }
                keep
            });
        }
        let last = self.next_position() - 1;
        (self.taken, self.finished, self.committed) = (last, last, last);
        self.writes.clear();
        self.cuts.clear();
        self.undo.clear();
        (self.tail_bytes, self.message_bytes, self.messages, self.fault) = (0, 0, 0, None);
    }

    /// Looks a row up.
    pub(super) fn get(&mut self, module: usize, key: &[u8]) -> Found {
        let ask = Found::Ask { version: self.version };
        let Some(rows) = self.modules.get_mut(module) else { return ask };
        if let Some(row) = rows.rows.get_mut(key) {
            row.used = true;
            return Found::Row(row.value.clone());
        }
        if rows.deleted.iter().any(|(_, range)| range.contains(key)) {
            return Found::Row(None);
        }
        ask
    }

    /// Keeps what the store answered, unless something has changed since [`Buffer::get`].
    pub(super) fn keep(&mut self, module: usize, key: &[u8], value: Option<Bytes>, version: u64) {
        if version != self.version {
            return;
        }
        let Some(rows) = self.modules.get_mut(module) else { return };
        let key = Bytes::copy_from_slice(key);
        let row = Row { value, position: CLEAN, used: false };
        self.cached_bytes += row_bytes(&key, &row);
        if let Some(before) = rows.rows.insert(key.clone(), row) {
            self.cached_bytes -= row_bytes(&key, &before);
        }
        self.evict_if_full();
    }

    /// What is to be laid over a scan of the store, as far as `limit` rows reach.
    pub(super) fn overlay(&mut self, module: usize, range: &KeyRange, limit: usize, reverse: bool) -> Overlay {
        let mut overlay = Overlay { rows: BTreeMap::new(), deleted: Vec::new(), range: range.clone() };
        let committed = self.committed;
        let Some(rows) = self.modules.get_mut(module) else { return overlay };
        // Mostly nothing waits, and the cached rows need not be looked through.
        if range.is_empty() || rows.last_write <= committed {
            return overlay;
        }
        overlay.deleted = rows.deleted.iter().map(|(_, range)| range.clone()).collect();
        let mut puts = 0;
        let mut take = |(key, row): (&Bytes, &Row)| {
            if row.position <= committed {
                return true;
            }
            overlay.rows.insert(key.clone(), row.value.clone());
            puts += usize::from(row.value.is_some());
            if puts == limit {
                if reverse {
                    overlay.range.start = key.clone();
                } else {
                    overlay.range.end = Some(successor(key));
                }
            }
            puts < limit
        };
        let in_range = rows.rows.range(range.bounds());
        if reverse {
            in_range.rev().all(&mut take);
        } else {
            let mut in_range = in_range;
            in_range.all(&mut take);
        }
        overlay
    }

    /// Gives back memory that messages have left behind.
    pub(super) fn shrink(&mut self) {
        if self.writes.is_empty() {
            self.writes = VecDeque::new();
        }
        if self.undo.is_empty() {
            self.undo = Vec::new();
        }
        if self.cuts.is_empty() {
            self.cuts = VecDeque::new();
        }
        self.modules.iter_mut().for_each(|module| module.rows.shrink());
    }

    fn evict_if_full(&mut self) {
        if self.cached_bytes > self.evict_at.max(ACTOR_CACHE_BYTES_MAX) {
            self.evict(true);
            if self.cached_bytes > ACTOR_CACHE_BYTES_MAX / 2 {
                self.evict(false);
            }
            self.evict_at = 2 * self.cached_bytes;
        }
    }

    /// Drops the cached rows that are not dirty; with `second_chance` those that were read since last time stay.
    pub(super) fn evict(&mut self, second_chance: bool) {
        let (committed, cached_bytes) = (self.committed, &mut self.cached_bytes);
        for module in &mut self.modules {
            module.rows.retain(|key, row| {
                let keep = row.position > committed || (second_chance && std::mem::take(&mut row.used));
                if !keep {
                    *cached_bytes -= row_bytes(key, row);
                }
                keep
            });
        }
    }
}

/// The first key behind `key`.
pub(super) fn successor(key: &Bytes) -> Bytes {
    let mut next = Vec::with_capacity(key.len() + 1);
    next.extend_from_slice(key);
    next.push(0);
    next.into()
}

fn row_bytes(key: &Bytes, row: &Row) -> usize {
    key.len() + row.value.as_ref().map_or(0, Bytes::len) + ROW_OVERHEAD_BYTES
}
