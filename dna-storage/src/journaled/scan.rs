//! Range reads: what waits to be stored, laid over the rows.

use std::{cmp::Ordering, collections::BinaryHeap, ops::Range, sync::Arc, vec};

use bytes::Bytes;
use dna_core::ReadError;

use super::{
    row_key::RowRange,
    rows::Rows,
    run::{Run, covering, joined},
};

/// How many rows one piece of a range read asks for at the most.
const SCAN_PIECE_ROWS_MAX: usize = 4096;

/// Reads a range: `runs`, taken from the overlay before this call, over `rows`.
pub(super) async fn scan<R: Rows>(
    rows: &R,
    runs: &[Arc<Run>],
    range: RowRange,
    limit: usize,
    reverse: bool,
) -> Result<Vec<(Bytes, Bytes)>, ReadError> {
    if limit == 0 || range.is_empty() {
        return Ok(Vec::new());
    }
    if runs.is_empty() {
        return rows.scan(&range, limit, reverse).await;
    }
    let place = range.place_len();
    let mut waiting = Waiting::new(runs, &range, reverse);
    let mut next_waiting = waiting.next();
    let removed = waiting.removed(&range);
    let mut stored = Stored::new(rows, range, removed, limit, reverse);
    let mut next_stored = stored.next().await?;
    let mut found = Vec::new();
    while found.len() < limit {
        let order = match (&next_waiting, &next_stored) {
            (None, None) => break,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(waiting), Some((key, _))) => {
                let order = waiting.key(place).cmp(key.as_ref());
                if reverse { order.reverse() } else { order }
            }
        };
        if order.is_ge()
            && let Some(row) = next_stored.take()
        {
            // What waits is newer than what is stored under the same key.
            if order.is_gt() {
                found.push(row);
            }
            next_stored = if found.len() < limit { stored.next().await? } else { None };
        }
        if order.is_le()
            && let Some(point) = next_waiting.take()
        {
            if let Some(value) = point.value() {
                found.push((Bytes::copy_from_slice(point.key(place)), value.clone()));
            }
            next_waiting = waiting.next();
        }
    }
    Ok(found)
}

/// The rows of a range that no waiting range delete has taken, read in pieces.
struct Stored<'a, R> {
    rows: &'a R,
    left: RowRange,
    removed: Vec<RowRange>,
    place: usize,
    piece: vec::IntoIter<(Bytes, Bytes)>,
    piece_rows: usize,
    reverse: bool,
}

impl<'a, R: Rows> Stored<'a, R> {
    fn new(rows: &'a R, range: RowRange, removed: Vec<RowRange>, limit: usize, reverse: bool) -> Self {
        let place = range.place_len();
        let piece_rows = limit.min(SCAN_PIECE_ROWS_MAX);
        Stored { rows, left: range, removed, place, piece: Vec::new().into_iter(), piece_rows, reverse }
    }

    async fn next(&mut self) -> Result<Option<(Bytes, Bytes)>, ReadError> {
        loop {
            for (key, value) in self.piece.by_ref() {
                let address = address(&self.left, self.place, &key);
                if covering(&self.removed, &address).is_none() {
                    return Ok(Some((key, value)));
                }
            }
            self.skip_removed();
            if self.left.is_empty() {
                return Ok(None);
            }
            let piece = self.rows.scan(&self.left, self.piece_rows, self.reverse).await?;
            self.leave_behind(&piece);
            // Rows that deletes have taken do not count towards the limit: the more there are, the larger the steps.
            self.piece_rows = self.piece_rows.saturating_mul(2).min(SCAN_PIECE_ROWS_MAX);
            self.piece = piece.into_iter();
        }
    }

    /// Takes a piece out of what is left to read.
    fn leave_behind(&mut self, piece: &[(Bytes, Bytes)]) {
        let more = piece.len() >= self.piece_rows;
        let last = piece.last().filter(|_| more).map(|(key, _)| address(&self.left, self.place, key));
        match last {
            // Only the place of `left` is needed from now on.
            None => self.left.end = self.left.start.clone(),
            Some(last) if self.reverse => self.left.end = last.into(),
            Some(mut last) => {
                last.push(0);
                self.left.start = last.into();
            }
        }
    }

    /// Moves over a range delete that the next row would lie in.
    fn skip_removed(&mut self) {
        let left = &mut self.left;
        if self.reverse {
            let behind = self.removed.partition_point(|range| range.start < left.end);
            let last = behind.checked_sub(1).and_then(|index| self.removed.get(index));
            if let Some(range) = last.filter(|range| left.end <= range.end) {
                left.end = range.start.clone().max(left.start.clone());
            }
        } else if let Some(range) = covering(&self.removed, &left.start) {
            left.start = range.end.clone().min(left.end.clone());
        }
    }
}

/// The address of a key in the place of `range`.
fn address(range: &RowRange, place: usize, key: &[u8]) -> Vec<u8> {
    let mut address = Vec::with_capacity(place + key.len() + 1);
    address.extend_from_slice(range.start.get(..place).unwrap_or_default());
    address.extend_from_slice(key);
    address
}

/// The newest waiting operation of each row of a range, in order.
struct Waiting<'a> {
    runs: &'a [Arc<Run>],
    heads: BinaryHeap<Head<'a>>,
    reverse: bool,
}

/// The next point of one run.
struct Head<'a> {
    address: &'a [u8],
    age: usize,
    left: Range<usize>,
    reverse: bool,
}

/// A point that is newer than all others of its row.
struct Point<'a> {
    address: &'a [u8],
    value: Option<&'a Bytes>,
}

impl<'a> Point<'a> {
    fn key(&self, place: usize) -> &'a [u8] {
        self.address.get(place..).unwrap_or_default()
    }

    fn value(&self) -> Option<&'a Bytes> {
        self.value
    }
}

impl<'a> Waiting<'a> {
    fn new(runs: &'a [Arc<Run>], range: &RowRange, reverse: bool) -> Self {
        let mut waiting = Waiting { runs, heads: BinaryHeap::with_capacity(runs.len()), reverse };
        for (age, run) in runs.iter().enumerate() {
            waiting.push(age, run.within(range));
        }
        waiting
    }

    /// What any group has removed of a range: what is stored there is gone.
    fn removed(&self, range: &RowRange) -> Vec<RowRange> {
        let all = self.runs.iter().flat_map(|run| run.ranges());
        joined(all.filter(|own| own.start < range.end && own.end > range.start).cloned().collect())
    }

    fn next(&mut self) -> Option<Point<'a>> {
        let newest = self.pop()?;
        while self.heads.peek().is_some_and(|head| head.address == newest.address) {
            self.pop();
        }
        let index = newest.index();
        let run = self.runs.get(newest.age)?;
        let later = self.runs.get(newest.age + 1..).unwrap_or_default();
        let removed = later.iter().any(|run| run.deletes(newest.address));
        let value = if removed { None } else { run.value(index) };
        Some(Point { address: newest.address, value })
    }

    fn pop(&mut self) -> Option<Head<'a>> {
        let head = self.heads.pop()?;
        let left = if self.reverse {
            head.left.start..head.left.end.saturating_sub(1)
        } else {
            head.left.start + 1..head.left.end
        };
        self.push(head.age, left);
        Some(head)
    }

    fn push(&mut self, age: usize, left: Range<usize>) {
        if left.is_empty() {
            return;
        }
        let Some(run) = self.runs.get(age) else { return };
        let mut head = Head { address: &[], age, left, reverse: self.reverse };
        head.address = run.address(head.index());
        self.heads.push(head);
    }
}

impl Head<'_> {
    fn index(&self) -> usize {
        if self.reverse { self.left.end.saturating_sub(1) } else { self.left.start }
    }
}

/// The greatest head is the one to come next: the first in the direction of the read, of equal ones the newest.
impl Ord for Head<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        let order = self.address.cmp(other.address);
        let order = if self.reverse { order } else { order.reverse() };
        order.then(self.age.cmp(&other.age))
    }
}

impl PartialOrd for Head<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Head<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Head<'_> {}
