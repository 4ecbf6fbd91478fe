//! How long an actor takes for a message, as far as the coarse clock shows it.
//!
//! When more comes than an actor can do, messages wait until they are about to expire. One that is begun then ends behind its
//! deadline: work for nothing, and the more the longer a message takes, up to all of it. So messages that can hardly be done
//! in time are not begun, while there are others behind them.
//!
//! Where the actors of a thread have more to compute than it can, the time in which the others had their turns is in it.

use crate::limits::CLOCK_TICK;

/// How long the messages of an actor take, on the average of the last ticks.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Pace {
    /// Since when, on the coarse clock, `handled` counts.
    since: u64,
    handled: u64,
    millis: u64,
}

/// The step of the coarse clock in milliseconds.
#[expect(clippy::cast_possible_truncation, reason = "it is a tenth of a second")]
const TICK_MS: u64 = CLOCK_TICK.as_millis() as u64;

impl Pace {
    /// A batch begins; before it the actor may have had nothing to do.
    #[inline]
    pub(crate) fn begin(&mut self, now: u64) {
        (self.since, self.handled) = (now, 0);
    }

    /// A message is begun.
    #[inline]
    pub(crate) fn count(&mut self) {
        self.handled += 1;
    }

    /// Takes in what has happened since the last tick.
    #[inline]
    pub(crate) fn look(&mut self, now: u64) {
        if now != self.since {
            self.take_in(now);
        }
    }

    fn take_in(&mut self, now: u64) {
        let took = now.saturating_sub(self.since) / self.handled.max(1);
        self.millis = u64::midpoint(self.millis, took);
        self.begin(now);
    }

    /// A batch ends.
    #[inline]
    pub(crate) fn end(&mut self, now: u64) {
        self.look(now);
        // All of them were handled within one tick.
        if let Some(most) = TICK_MS.checked_div(self.handled) {
            self.millis = self.millis.min(most);
        }
    }

    /// How long before its deadline a message has to be begun, in milliseconds.
    #[inline]
    pub(crate) fn margin(&self) -> u64 {
        if self.millis == 0 { 0 } else { self.millis + TICK_MS }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Batches of so many messages that take so long each, one after the other.
    fn paced(batches: u64, messages: u64, millis: u64) -> Pace {
        let mut pace = Pace::default();
        let mut time = 0;
        let coarse = |time: u64| time / TICK_MS * TICK_MS;
        for _ in 0..batches {
            pace.begin(coarse(time));
            for _ in 0..messages {
                pace.look(coarse(time));
                pace.count();
                time += millis;
            }
            pace.end(coarse(time));
        }
        pace
    }

    #[test]
    fn the_pace_of_a_slow_actor_is_known_and_that_of_a_quick_one_is_nothing() {
        for (batches, messages, millis) in [(40, 1, 50), (4, 100, 50), (4, 20, 250), (10, 1, 1000)] {
            let margin = paced(batches, messages, millis).margin();
            assert!((millis / 2..=2 * millis).contains(&(margin - TICK_MS)), "{millis} ms became {margin}");
        }
        assert_eq!(paced(10, 1000, 0).margin(), 0);
    }

    #[test]
    fn one_message_that_took_long_is_soon_forgotten() {
        let mut pace = paced(1, 1, 10_000);
        assert!(pace.margin() > 1000);
        pace.begin(10_000);
        (0..1000).for_each(|_| pace.count());
        pace.end(10_000);
        assert_eq!(pace.margin(), 0);
    }
}
