//! The header row of a journal, and what it says about an append that was not applied.

use super::answer::unsigned;

/// How many slots a journal has.
pub(super) const SLOTS: u64 = 256;

/// The header row, at slot −1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    /// The number of the last group that is in.
    pub(super) head: u64,
    /// Everything up to this number is stored as rows.
    pub(super) done: u64,
    /// Nothing is taken any more.
    pub(super) sealed: bool,
}

/// A row of the header's columns, as the database answers it.
pub(super) type HeaderRow = (Option<i64>, Option<i64>, Option<bool>);

impl Header {
    /// Reads a row; `None` where it is damaged. One that lacks any of them was made by nobody who keeps the protocol.
    pub(super) fn read((head, done, sealed): HeaderRow) -> Option<Self> {
        match (head, done, sealed) {
            (Some(head), Some(done), Some(sealed)) if (0..=head).contains(&done) => {
                Some(Header { head: unsigned(head), done: unsigned(done), sealed })
            }
            _ => None,
        }
    }

    /// The numbers of the entries that are not released, in order; `None` where the ring cannot hold them all.
    pub(super) fn waiting(&self) -> Option<std::ops::RangeInclusive<u64>> {
        (self.head - self.done <= SLOTS).then_some(self.done + 1..=self.head)
    }
}

/// In which slot an entry stands.
pub(super) fn slot(number: u64) -> i32 {
    i32::try_from(number % SLOTS).unwrap_or_default()
}

/// What is known of an entry after a try was answered "not applied".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is in: an earlier try was applied.
    In,
    /// It never will be: the journal was sealed before it.
    Sealed,
    /// The header still waits for it: the very same batch again.
    Again,
    /// Somebody else has written here, or the header is gone.
    Foreign,
}

/// Judges by the header, read after that answer. The order matters: an entry that was in before the seal is in.
pub(super) fn judge(header: Option<Header>, number: u64) -> Verdict {
    match header {
        Some(Header { head, .. }) if head == number => Verdict::In,
        Some(Header { sealed: true, .. }) => Verdict::Sealed,
        Some(Header { head, .. }) if head.checked_add(1) == Some(number) => Verdict::Again,
        _ => Verdict::Foreign,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_says_whether_an_entry_is_in_never_will_be_or_may_be_yet() {
        let header = |head, sealed| Some(Header { head, done: 0, sealed });
        let table = [
            (header(7, false), Verdict::In),
            (header(7, true), Verdict::In),
            (header(6, true), Verdict::Sealed),
            (header(6, false), Verdict::Again),
            (header(5, true), Verdict::Sealed),
            (header(5, false), Verdict::Foreign),
            (header(8, false), Verdict::Foreign),
            (None, Verdict::Foreign),
        ];
        for (header, verdict) in table {
            assert_eq!(judge(header, 7), verdict, "{header:?}");
        }
    }

    #[test]
    fn a_header_is_whole_or_damaged() {
        let read = Header::read((Some(300), Some(44), Some(false)));
        assert_eq!(read, Some(Header { head: 300, done: 44, sealed: false }));
        for row in [
            (None, Some(0), Some(false)),
            (Some(1), None, Some(false)),
            (Some(1), Some(0), None),
            (Some(1), Some(2), Some(false)),
            (Some(1), Some(-1), Some(false)),
        ] {
            assert_eq!(Header::read(row), None, "{row:?}");
        }
    }

    #[test]
    fn as_many_entries_wait_as_there_are_slots_at_the_most() {
        let waiting = |head, done| Header { head, done, sealed: false }.waiting();
        assert!(waiting(0, 0).is_some_and(|none| none.is_empty()));
        assert_eq!(waiting(300, 44), Some(45..=300));
        assert_eq!(waiting(301, 44), None);
    }

    #[test]
    fn the_slots_are_a_ring() {
        assert_eq!([0, 1, 255, 256, 257].map(slot), [0, 1, 255, 0, 1]);
        assert_eq!(slot(u64::MAX), 255);
    }
}
