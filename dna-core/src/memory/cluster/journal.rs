//! A journal as the database keeps it: a ring of slots and a header, which change together or not at all.

use std::{collections::BTreeMap, sync::Arc};

use crate::{cluster::EntryProblem, store::Group};

/// How many slots a journal has: what may be committed and not yet released.
pub(super) const JOURNAL_SLOTS: u64 = 256;

/// A group in a journal.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) group: Arc<Group>,
    /// The first of its two timestamps.
    pub(super) stamp: u64,
}

/// A journal.
#[derive(Debug, Default)]
pub(super) struct Journal {
    head: u64,
    done: u64,
    sealed: bool,
    slots: BTreeMap<u64, Result<Arc<Entry>, EntryProblem>>,
}

/// What the header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) head: u64,
    pub(super) done: u64,
    pub(super) sealed: bool,
}

impl Journal {
    /// Appends an entry if it is the next one and the journal is not sealed; what the header says then.
    pub(super) fn append(&mut self, entry: &Arc<Entry>, done: u64, sealed_refuses: bool) -> Header {
        let number = entry.group.number;
        if number == self.head + 1 && !(self.sealed && sealed_refuses) {
            self.done = done.max(self.done);
            assert!(number - self.done <= JOURNAL_SLOTS, "entry {number} would overwrite one that is not released");
            self.head = number;
            self.slots.insert(number % JOURNAL_SLOTS, Ok(entry.clone()));
        }
        self.header()
    }

    /// Notes that everything up to `done` is stored as rows, unless the journal is sealed.
    pub(super) fn release(&mut self, done: u64) -> Header {
        if !self.sealed {
            self.done = done.max(self.done);
        }
        self.header()
    }

    pub(super) fn seal(&mut self) {
        self.sealed = true;
    }

    pub(super) fn header(&self) -> Header {
        Header { head: self.head, done: self.done, sealed: self.sealed }
    }

    /// An entry, if it can be read.
    pub(super) fn entry(&self, number: u64) -> Result<Arc<Entry>, EntryProblem> {
        match self.slots.get(&(number % JOURNAL_SLOTS)) {
            Some(Ok(entry)) if entry.group.number == number => Ok(entry.clone()),
            Some(Err(problem)) => Err(*problem),
            _ => Err(EntryProblem::Damaged),
        }
    }

    /// Makes an entry unreadable.
    #[cfg(feature = "testing")]
    pub(super) fn damage(&mut self, number: u64, problem: EntryProblem) {
        self.slots.insert(number % JOURNAL_SLOTS, Err(problem));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(number: u64) -> Arc<Entry> {
        Arc::new(Entry { group: Arc::new(Group { number, actors: Vec::new() }), stamp: number })
    }

    fn header(head: u64, done: u64, sealed: bool) -> Header {
        Header { head, done, sealed }
    }

    #[test]
    fn only_the_next_entry_is_taken_and_none_twice() {
        let mut journal = Journal::default();
        assert_eq!(journal.append(&entry(2), 0, true), header(0, 0, false));
        assert_eq!(journal.append(&entry(1), 0, true), header(1, 0, false));
        assert_eq!(journal.append(&entry(1), 0, true), header(1, 0, false));
        assert_eq!(journal.append(&entry(2), 1, true), header(2, 1, false));
        assert_eq!(journal.entry(2).unwrap().stamp, 2);
        assert_eq!(journal.entry(3).unwrap_err(), EntryProblem::Damaged);
    }

    #[test]
    fn a_sealed_journal_stays_as_it_is() {
        let mut journal = Journal::default();
        journal.append(&entry(1), 0, true);
        journal.seal();
        assert_eq!(journal.append(&entry(2), 1, true), header(1, 0, true));
        assert_eq!(journal.release(1), header(1, 0, true));
    }

    #[test]
    #[should_panic(expected = "entry 257 would overwrite")]
    fn an_entry_that_is_not_released_is_never_overwritten() {
        let mut journal = Journal::default();
        for number in 1..=JOURNAL_SLOTS + 1 {
            journal.append(&entry(number), 0, true);
        }
    }
}
