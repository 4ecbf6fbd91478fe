//! What a [`Memory`](super::Memory) store holds: rows in ordered maps, and the number of the last group. Knows nothing
//! of waiting, faults or tasks; it is the plainest statement of what a store answers.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;

use crate::{
    name::ActorName,
    store::{AttachError, CommitError, Group, KeyRange, Write, WriteKind},
};

type Table = BTreeMap<Bytes, Bytes>;

/// The rows, and how far they have come.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    rows: BTreeMap<ActorName, BTreeMap<Arc<str>, Table>>,
    last: u64,
    claimed: bool,
    fenced: bool,
    /// The group that met a failing disk; 0 if none did when it failed.
    poisoned: Option<u64>,
    /// The last group that was answered `Unknown` without being applied.
    unknown: u64,
}

impl Ledger {
    /// Takes the claim; the number of the next group.
    pub(super) fn attach(&mut self) -> Result<u64, AttachError> {
        if self.poisoned.is_some() {
            return Err(AttachError::Poisoned);
        }
        if self.claimed {
            return Err(AttachError::InUse);
        }
        if self.fenced {
            return Err(AttachError::Fenced);
        }
        self.claimed = true;
        Ok(self.last + 1)
    }

    pub(super) fn detach(&mut self) {
        self.claimed = false;
    }

    /// Ends every claim, now and later.
    #[cfg(feature = "testing")]
    pub(super) fn fence(&mut self) {
        self.fenced = true;
    }

    /// Takes nothing any more; the group `number` is in doubt.
    pub(super) fn poison(&mut self, number: u64) {
        self.poisoned = Some(number);
    }

    /// Takes nothing any more; a group is in doubt only if it was before.
    #[cfg(feature = "testing")]
    pub(super) fn poison_between_groups(&mut self) {
        self.poison(if self.unknown > self.last { self.unknown } else { 0 });
    }

    /// The group `number`, which is not applied, is in doubt to its committer.
    pub(super) fn leave_unknown(&mut self, number: u64) {
        self.unknown = number;
    }

    /// What a start of the process makes of it: the rows stay, everything else begins anew.
    #[cfg(feature = "testing")]
    pub(super) fn reopen(&mut self) {
        self.claimed = false;
        self.fenced = false;
        self.poisoned = None;
        self.unknown = 0;
    }

    /// Says what becomes of a group with this number, without applying it: `Ok(true)` if it is the next one,
    /// `Ok(false)` if it is in already.
    pub(super) fn admit(&self, group: &Group) -> Result<bool, CommitError> {
        if self.fenced || !self.claimed {
            return Err(CommitError::Fenced);
        }
        match self.poisoned {
            Some(in_doubt) if group.number == in_doubt => return Err(CommitError::Poisoned),
            Some(_) if group.number > self.last => return Err(CommitError::Closed),
            _ => {}
        }
        if group.number == self.last && self.last > 0 {
            return Ok(false);
        }
        if group.number != self.last + 1 {
            return Err(CommitError::Fenced);
        }
        group.check().map_err(CommitError::NotApplied)?;
        Ok(true)
    }

    /// Applies a group that was admitted as the next one.
    pub(super) fn apply(&mut self, group: &Group) {
        for actor in &group.actors {
            let modules = self.rows.entry(actor.actor.clone()).or_default();
            for write in &actor.writes {
                write_row(modules.entry(write.module.clone()).or_default(), write);
            }
        }
        self.last = group.number;
    }

    pub(super) fn get(&self, actor: &ActorName, module: &str, key: &[u8]) -> Option<Bytes> {
        self.table(actor, module)?.get(key).cloned()
    }

    pub(super) fn scan(
        &self,
        actor: &ActorName,
        module: &str,
        range: &KeyRange,
        limit: usize,
        reverse: bool,
    ) -> Vec<(Bytes, Bytes)> {
        let Some(table) = self.table(actor, module) else { return Vec::new() };
        if range.is_empty() {
            return Vec::new();
        }
        let rows = table.range(range.bounds()).map(|(key, value)| (key.clone(), value.clone()));
        if reverse { rows.rev().take(limit).collect() } else { rows.take(limit).collect() }
    }

    fn table(&self, actor: &ActorName, module: &str) -> Option<&Table> {
        self.rows.get(actor)?.get(module)
    }
}

fn write_row(table: &mut Table, write: &Write) {
    match &write.kind {
        WriteKind::Put { key, value } => {
            table.insert(key.clone(), value.clone());
        }
        WriteKind::Delete { key } => {
            table.remove(key);
        }
        WriteKind::DeleteRange { range } => table.retain(|key, _| !range.contains(key)),
    }
}
