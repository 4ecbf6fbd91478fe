//! The stamps of entries: a hybrid clock, near the wall time and always rising.
//!
//! A stamp is in microseconds since 1970 and fits an `i64`. An entry takes two, its own and the next: rows that order
//! writes by time write its range deletes with the first and its puts and deletes with the second.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Instant, SystemTime, UNIX_EPOCH},
};

/// How many stamps one entry takes.
const STAMPS_PER_ENTRY: u64 = 2;

/// A clock for all journals of one node.
#[derive(Debug)]
pub(crate) struct HybridClock {
    start: Instant,
    wall_at_start: u64,
    /// The last stamp that was given out, with the next one that belongs to it, or the floor.
    last: AtomicU64,
}

/// The wall time, in microseconds since 1970.
#[allow(clippy::disallowed_methods, reason = "this is the seam: wall time only ever becomes a stamp, or is compared")]
pub(crate) fn wall_micros() -> u64 {
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(wall.as_micros()).unwrap_or(u64::MAX)
}

impl HybridClock {
    /// A clock whose stamps are all above `floor`.
    #[allow(clippy::disallowed_methods, reason = "this is the seam: from here on, only time that has passed counts")]
    pub(crate) fn above(floor: u64) -> Self {
        HybridClock { start: Instant::now(), wall_at_start: wall_micros(), last: AtomicU64::new(floor) }
    }

    /// From now on stamps are above this one.
    pub(crate) fn raise(&self, floor: u64) {
        self.last.fetch_max(floor, Ordering::SeqCst);
    }

    /// From now on stamps are above those of an entry with this one.
    pub(super) fn raise_above_entry(&self, stamp: u64) {
        self.raise(last_of_entry(stamp));
    }

    /// At least every stamp that was given out, with the one that belongs to it, and every floor. Never falls.
    #[cfg_attr(not(feature = "scylla"), allow(dead_code, reason = "only a store of several nodes asks"))]
    pub(crate) fn last(&self) -> u64 {
        self.last.load(Ordering::SeqCst)
    }

    /// The stamp of the next entry.
    #[allow(clippy::disallowed_methods, reason = "this is the seam: wall time only ever becomes a stamp here")]
    pub(super) fn next(&self) -> u64 {
        let since_start = u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX);
        let now = self.wall_at_start.saturating_add(since_start);
        let mut last = self.last.load(Ordering::SeqCst);
        loop {
            let stamp = now.max(last.saturating_add(1));
            match self.last.compare_exchange(last, last_of_entry(stamp), Ordering::SeqCst, Ordering::SeqCst) {
                Ok(_) => return stamp,
                Err(newer) => last = newer,
            }
        }
    }
}

/// The last stamp of an entry whose first one this is.
pub(crate) fn last_of_entry(stamp: u64) -> u64 {
    stamp.saturating_add(STAMPS_PER_ENTRY - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_rise_by_two_at_least_and_stay_above_the_floor() {
        let floor = 1 << 60;
        let clock = HybridClock::above(floor);
        let stamps: Vec<u64> = (0..1000).map(|_| clock.next()).collect();

        assert!(stamps.first().is_some_and(|&first| first > floor));
        assert!(stamps.windows(2).all(|pair| pair[1] >= pair[0] + STAMPS_PER_ENTRY));
    }

    #[test]
    fn stamps_stay_above_an_entry_and_a_floor_that_was_learnt() {
        let clock = HybridClock::above(0);
        let high = 1 << 60;
        clock.raise_above_entry(high);
        assert_eq!((clock.last(), clock.next()), (high + 1, high + 2));
        clock.raise(high + 100);
        clock.raise(7);
        assert_eq!((clock.next(), clock.last()), (high + 101, high + 102));
    }

    #[test]
    fn stamps_are_near_the_wall_time() {
        assert!(HybridClock::above(0).next() > 1_600_000_000_000_000);
    }
}
