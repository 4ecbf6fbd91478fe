//! The stamps of entries: a hybrid clock, near the wall time and always rising.
//!
//! A stamp is in microseconds since 1970 and fits an `i64`. An entry takes two, its own and the next: rows that order
//! writes by time write its range deletes with the first and its puts and deletes with the second.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// How many stamps one entry takes.
const STAMPS_PER_ENTRY: u64 = 2;

pub(super) struct HybridClock {
    start: Instant,
    wall_at_start: u64,
    last: u64,
}

impl HybridClock {
    /// A clock whose stamps are all above `floor`.
    #[allow(clippy::disallowed_methods, reason = "this is the seam: wall time only ever becomes a stamp here")]
    pub(super) fn above(floor: u64) -> Self {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let wall_at_start = u64::try_from(wall.as_micros()).unwrap_or(u64::MAX);
        HybridClock { start: Instant::now(), wall_at_start, last: floor.saturating_add(STAMPS_PER_ENTRY - 1) }
    }

    /// The stamp of the next entry.
    #[allow(clippy::disallowed_methods, reason = "this is the seam: wall time only ever becomes a stamp here")]
    pub(super) fn next(&mut self) -> u64 {
        let since_start = u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX);
        let now = self.wall_at_start.saturating_add(since_start);
        let stamp = now.max(self.last.saturating_add(1));
        self.last = stamp.saturating_add(STAMPS_PER_ENTRY - 1);
        stamp
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_rise_by_two_at_least_and_stay_above_the_floor() {
        let floor = 1 << 60;
        let mut clock = HybridClock::above(floor);
        let stamps: Vec<u64> = (0..1000).map(|_| clock.next()).collect();

        assert!(stamps.first().is_some_and(|&first| first > floor + 1));
        assert!(stamps.windows(2).all(|pair| pair[1] >= pair[0] + STAMPS_PER_ENTRY));
    }

    #[test]
    fn stamps_are_near_the_wall_time() {
        assert!(HybridClock::above(0).next() > 1_600_000_000_000_000);
    }
}
