//! What a list reads: the decision from its options to a range, and from page to page. It reads nothing itself.

use bytes::{BufMut, Bytes, BytesMut};
use dna_core::KeyRange;

use super::{error::ListError, limits::LIST_PAGE_ROWS};

/// The options of a list, keys encoded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ListOptions {
    pub(super) prefix: Option<Bytes>,
    pub(super) start: Option<Bytes>,
    pub(super) start_after: Option<Bytes>,
    pub(super) end: Option<Bytes>,
    pub(super) limit: Option<usize>,
    pub(super) reverse: bool,
}

impl ListOptions {
    /// The pages that together are the list.
    pub(super) fn pages(self) -> Result<Pages, ListError> {
        let start = match (self.start, self.start_after) {
            (Some(_), Some(_)) => return Err(ListError::StartAndStartAfter),
            (Some(start), None) => start,
            (None, Some(after)) => successor(&after),
            (None, None) => Bytes::new(),
        };
        if self.limit == Some(0) {
            return Err(ListError::LimitZero);
        }
        let bounds = KeyRange { start, end: self.end };
        let range = self.prefix.map_or_else(KeyRange::all, |prefix| KeyRange::prefix(&prefix)).and(&bounds);
        Ok(Pages { range, left: self.limit, reverse: self.reverse, over: false })
    }
}

/// What is still to be read of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pages {
    range: KeyRange,
    left: Option<usize>,
    reverse: bool,
    over: bool,
}

/// One read of a list.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Page<'a> {
    pub(super) range: &'a KeyRange,
    pub(super) limit: usize,
    pub(super) reverse: bool,
}

impl Pages {
    /// What to read next, if anything.
    pub(super) fn next(&self) -> Option<Page<'_>> {
        if self.over || self.left == Some(0) || self.range.is_empty() {
            return None;
        }
        Some(Page { range: &self.range, limit: self.page_rows(), reverse: self.reverse })
    }

    /// Takes note of what was read: how many rows, and the key of the last of them.
    pub(super) fn read(&mut self, rows: usize, last: Option<&Bytes>) {
        self.over = rows < self.page_rows();
        self.left = self.left.map(|left| left.saturating_sub(rows));
        match last {
            Some(key) if self.reverse => self.range.end = Some(key.clone()),
            Some(key) => self.range.start = successor(key),
            None => self.over = true,
        }
    }

    fn page_rows(&self) -> usize {
        self.left.map_or(LIST_PAGE_ROWS, |left| left.min(LIST_PAGE_ROWS))
    }
}

/// The first key behind `key`, in byte order.
fn successor(key: &[u8]) -> Bytes {
    let mut next = BytesMut::with_capacity(key.len() + 1);
    next.put_slice(key);
    next.put_u8(0);
    next.freeze()
}
