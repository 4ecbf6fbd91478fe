//! The journal in memory.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use bytes::Bytes;
use dna_core::{ReadError, Refusal};
use parking_lot::Mutex;

use super::Gate;
use crate::journaled::{AppendError, Journal, Recovered, UpkeepError};

/// A journal in memory. A clone is the same journal.
#[derive(Debug, Clone, Default)]
pub struct MemoryJournal(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    log: Mutex<Log>,
    appends: Gate,
}

#[derive(Debug, Default)]
struct Log {
    done: u64,
    head: u64,
    entries: BTreeMap<u64, Bytes>,
    next: VecDeque<Fault>,
    fail_releases: VecDeque<UpkeepError>,
    fenced: bool,
    releases: u64,
}

#[derive(Debug, Clone, Copy)]
enum Fault {
    Refuse(Refusal),
    LoseAnswer,
    LoseRequest,
    Fail { applied: bool },
}

impl MemoryJournal {
    /// An empty journal.
    pub fn new() -> Self {
        MemoryJournal::default()
    }

    /// Where every append waits before it begins.
    pub fn appends(&self) -> &Gate {
        &self.0.appends
    }

    /// Refuses the next new entry that has no other fault yet.
    pub fn refuse_next(&self, refusal: Refusal) {
        self.0.log.lock().next.push_back(Fault::Refuse(refusal));
    }

    /// Appends the next new entry, but does not say so.
    pub fn lose_next_answer(&self) {
        self.0.log.lock().next.push_back(Fault::LoseAnswer);
    }

    /// Does not append the next new entry, and does not say so.
    pub fn lose_next_request(&self) {
        self.0.log.lock().next.push_back(Fault::LoseRequest);
    }

    /// Fails at the next new entry, before or after it was appended.
    pub fn fail_next(&self, applied: bool) {
        self.0.log.lock().next.push_back(Fault::Fail { applied });
    }

    /// Takes back every fault that is still to come, but a fence.
    pub fn forget_faults(&self) {
        let mut log = self.0.log.lock();
        log.next.clear();
        log.fail_releases.clear();
    }

    /// Fails the next release that has no other fault yet.
    pub fn fail_next_release(&self, error: UpkeepError) {
        self.0.log.lock().fail_releases.push_back(error);
    }

    /// Another one has taken over.
    pub fn fence(&self) {
        self.0.log.lock().fenced = true;
    }

    /// Changes the stored entry of this number.
    pub fn damage(&self, number: u64, change: impl FnOnce(Bytes) -> Option<Bytes>) {
        let mut log = self.0.log.lock();
        if let Some(entry) = log.entries.remove(&number)
            && let Some(changed) = change(entry)
        {
            log.entries.insert(number, changed);
        }
    }

    /// What is not released.
    pub fn contents(&self) -> Recovered {
        let log = self.0.log.lock();
        Recovered { done: log.done, entries: log.entries.iter().map(|(key, value)| (*key, value.clone())).collect() }
    }

    /// How often something was released without an append.
    pub fn releases(&self) -> u64 {
        self.0.log.lock().releases
    }
}

impl Log {
    fn append(&mut self, number: u64, done: u64, entry: Bytes) -> Result<(), AppendError> {
        if self.fenced {
            return Err(AppendError::Fenced);
        }
        if number == self.head {
            assert_eq!(self.entries.get(&number), Some(&entry), "a number is never used for other bytes");
            return Ok(());
        }
        assert_eq!(number, self.head + 1, "entries are numbered without gaps");
        assert!(done < number && done >= self.done, "what is released only grows, and stays below the entry");
        match self.next.pop_front() {
            None => self.put(number, done, entry),
            Some(Fault::Refuse(refusal)) => return Err(AppendError::NotApplied(refusal)),
            Some(Fault::LoseRequest) => return Err(AppendError::Unknown),
            Some(Fault::LoseAnswer) => {
                self.put(number, done, entry);
                return Err(AppendError::Unknown);
            }
            Some(Fault::Fail { applied }) => {
                if applied {
                    self.put(number, done, entry);
                }
                return Err(AppendError::Failed);
            }
        }
        Ok(())
    }

    fn put(&mut self, number: u64, done: u64, entry: Bytes) {
        self.entries.insert(number, entry);
        self.head = number;
        self.release(done);
    }

    fn release(&mut self, done: u64) {
        self.done = self.done.max(done);
        self.entries = self.entries.split_off(&(self.done + 1));
    }
}

impl Journal for MemoryJournal {
    async fn recover(&self) -> Result<Recovered, ReadError> {
        Ok(self.contents())
    }

    async fn append(&self, number: u64, done: u64, entry: Bytes) -> Result<(), AppendError> {
        self.0.appends.pass().await;
        self.0.log.lock().append(number, done, entry)
    }

    async fn release(&self, done: u64) -> Result<(), UpkeepError> {
        let mut log = self.0.log.lock();
        assert!(done <= log.head, "only what was appended is released");
        if let Some(error) = log.fail_releases.pop_front() {
            return Err(error);
        }
        log.releases += 1;
        log.release(done);
        Ok(())
    }
}
