//! A distribution of numbers in atomics.

use std::sync::atomic::{AtomicU64, Ordering};

/// Parts of each doubling: a number is known to a sixteenth of itself.
const PARTS: u64 = 8;

/// The doublings above `PARTS`: up to about 18 minutes in nanoseconds.
const DOUBLINGS: usize = 38;

const BUCKETS: usize = 8 * DOUBLINGS;

/// How often which number was seen, to about a sixteenth of it. Counting is one addition to an atomic.
#[derive(Debug)]
pub(crate) struct Spread([AtomicU64; BUCKETS]);

impl Default for Spread {
    fn default() -> Self {
        Spread([const { AtomicU64::new(0) }; BUCKETS])
    }
}

impl Spread {
    /// Counts a number.
    pub(crate) fn count(&self, number: u64) {
        if let Some(bucket) = self.0.get(bucket(number)).or_else(|| self.0.last()) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// What was counted since the last time: the middle of each bucket, and how often.
    pub(super) fn take(&self) -> impl Iterator<Item = (f64, usize)> {
        self.0.iter().enumerate().filter_map(|(index, bucket)| {
            // Most are empty, and read only.
            let is_empty = bucket.load(Ordering::Relaxed) == 0;
            let times = if is_empty { 0 } else { bucket.swap(0, Ordering::Relaxed) };
            (times > 0).then(|| (middle(index), usize::try_from(times).unwrap_or(usize::MAX)))
        })
    }
}

/// Numbers below `PARTS` have a bucket each; of the others each doubling has `PARTS`.
fn bucket(number: u64) -> usize {
    if number < PARTS {
        return usize::try_from(number).unwrap_or_default();
    }
    let doubling = u64::from(number.ilog2()) - 3;
    let part = (number >> doubling) - PARTS;
    usize::try_from((doubling + 1) * PARTS + part).unwrap_or(usize::MAX)
}

#[expect(clippy::cast_precision_loss, reason = "a sixteenth is lost already")]
fn middle(bucket: usize) -> f64 {
    let bucket = bucket as u64;
    if bucket < PARTS {
        return bucket as f64;
    }
    let doubling = bucket / PARTS - 1;
    let from = (PARTS + bucket % PARTS) << doubling;
    from as f64 + ((1_u64 << doubling) - 1) as f64 / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_known_to_a_sixteenth() {
        for number in (0..2000).chain((11..40).flat_map(|power| {
            let power = 1_u64 << power;
            [power - 1, power, power + 1, power + power / 3]
        })) {
            let spread = Spread::default();
            spread.count(number);
            let (middle, times) = spread.take().next().unwrap();
            assert_eq!(times, 1);
            assert!((middle - number as f64).abs() <= number as f64 / 16.0, "{number} became {middle}");
            assert_eq!(spread.take().count(), 0, "it was taken");
        }
    }

    #[test]
    fn what_is_beyond_the_last_bucket_is_counted_there() {
        let spread = Spread::default();
        spread.count(u64::MAX);
        spread.count(1 << 41);
        let (middle, times) = spread.take().next().unwrap();
        assert_eq!(times, 2);
        assert!(middle > 1e12, "{middle}");
    }
}
