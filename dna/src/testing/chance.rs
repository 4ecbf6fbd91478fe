//! Numbers that follow from a seed.

use std::{ops::RangeInclusive, time::Duration};

/// Numbers that follow from a seed: SplitMix64, by Sebastiano Vigna.
#[derive(Debug, Clone)]
pub struct Chance(u64);

impl Chance {
    /// From this seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        // Seeds that are near each other are to have nothing in common.
        let mut chance = Chance(seed);
        Chance(chance.number())
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// A number below `bound`; 0 if that is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        let number = self.number();
        number.checked_rem(bound).unwrap_or_default()
    }

    /// An index of something that has so many.
    pub fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).unwrap_or_default()
    }

    /// `true` once in `times` times.
    pub fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    /// A time within these bounds, in whole milliseconds.
    pub fn time(&mut self, within: &RangeInclusive<Duration>) -> Duration {
        let millis = |duration: &Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let (first, last) = (millis(within.start()), millis(within.end()));
        let count = last.saturating_sub(first).saturating_add(1);
        Duration::from_millis(first.saturating_add(self.below(count)))
    }

    /// Another source of numbers, which follows from this one.
    #[must_use]
    pub fn another(&mut self) -> Self {
        Chance::new(self.number())
    }
}

/// Spreads the bits of a number.
pub(super) fn mix(number: u64) -> u64 {
    let mixed = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
