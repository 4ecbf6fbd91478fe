//! What is made of single measurements: medians, percentiles, rates. Pure functions of numbers.

use std::time::Duration;

use hdrhistogram::Histogram;
use rustix::time::{ClockId, clock_gettime};

/// The middle and the ends of a row's rounds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Summary {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

impl Summary {
    /// `None` where there is nothing to sum up.
    pub(crate) fn of(values: &[f64]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        let upper = *sorted.get(sorted.len() / 2)?;
        let lower = *sorted.get((sorted.len() - 1) / 2)?;
        Some(Summary { median: f64::midpoint(lower, upper), min, max })
    }
}

/// What one contender did in one round.
#[derive(Debug, Clone, Default)]
pub(crate) struct Measured {
    pub(crate) operations: u64,
    /// Until the last one was answered, and durable where that is promised.
    pub(crate) elapsed: Duration,
    /// Until the last row is stored, where rows are stored later.
    pub(crate) stored: Option<Duration>,
    /// What the whole process computed meanwhile; zero where that was not looked at.
    pub(crate) computed: Duration,
    /// How many groups it took, where it groups.
    pub(crate) groups: u64,
    /// Of each operation, in nanoseconds; empty where they were not timed one by one.
    pub(crate) latencies: Vec<u64>,
    /// How far the rows were behind at the most, where that was watched.
    pub(crate) lag: Lag,
}

/// How far rows are behind what is committed.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Lag {
    pub(crate) groups: u64,
    pub(crate) operations: u64,
    pub(crate) bytes: u64,
    /// Of the oldest group.
    pub(crate) age: Duration,
}

impl Lag {
    /// The greater of each.
    pub(crate) fn most(self, other: Self) -> Self {
        Lag {
            groups: self.groups.max(other.groups),
            operations: self.operations.max(other.operations),
            bytes: self.bytes.max(other.bytes),
            age: self.age.max(other.age),
        }
    }
}

impl Measured {
    /// Operations a second.
    pub(crate) fn rate(&self) -> f64 {
        rate(self.operations, self.elapsed)
    }

    /// Operations a second by the clock that stops when all rows are stored.
    pub(crate) fn stored_rate(&self) -> Option<f64> {
        self.stored.map(|stored| rate(self.operations, stored))
    }

    /// Microseconds for each operation, of all that run together.
    pub(crate) fn cost(&self) -> f64 {
        1e6 / self.rate()
    }

    /// Microseconds of processor time for each operation, on both ends together.
    pub(crate) fn computed_each(&self) -> f64 {
        self.computed.as_secs_f64() * 1e6 / number(self.operations.max(1))
    }

    /// The latency, in microseconds, that this part of the operations kept; `None` where they were not timed.
    pub(crate) fn percentiles(&self) -> Option<Percentiles> {
        Percentiles::of(&self.latencies)
    }
}

/// The latencies, in microseconds, that a half, 99 % and 99.9 % of the operations kept.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Percentiles {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) p999: f64,
}

impl Percentiles {
    fn of(nanoseconds: &[u64]) -> Option<Self> {
        let mut histogram = Histogram::<u64>::new(3).ok()?;
        for value in nanoseconds {
            histogram.record((*value).max(1)).ok()?;
        }
        let at = |quantile| number(histogram.value_at_quantile(quantile)) / 1e3;
        (!histogram.is_empty()).then(|| Percentiles { p50: at(0.5), p99: at(0.99), p999: at(0.999) })
    }

    /// Each with its name.
    pub(crate) fn named(self) -> [(&'static str, f64); 3] {
        [("p50", self.p50), ("p99", self.p99), ("p99.9", self.p999)]
    }
}

/// What was computed so far, by the clock of this thread or of the whole process.
pub(crate) fn computed(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    let (seconds, nanos) = (u64::try_from(time.tv_sec), u32::try_from(time.tv_nsec));
    Duration::new(seconds.unwrap_or_default(), nanos.unwrap_or_default())
}

fn rate(operations: u64, elapsed: Duration) -> f64 {
    number(operations) / elapsed.as_secs_f64().max(1e-9)
}

/// A count as a number to compute with.
#[expect(clippy::cast_precision_loss, reason = "counts and nanoseconds of a run are far below 2^53")]
pub(crate) fn number(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_stands_in_the_middle() {
        type Case<'a> = (&'a [f64], Option<(f64, f64, f64)>);
        let table: [Case<'_>; 4] = [
            (&[], None),
            (&[3.0], Some((3.0, 3.0, 3.0))),
            (&[9.0, 1.0, 5.0], Some((5.0, 1.0, 9.0))),
            (&[4.0, 1.0, 2.0, 100.0], Some((3.0, 1.0, 100.0))),
        ];
        for (values, expected) in table {
            let found = Summary::of(values).map(|summary| (summary.median, summary.min, summary.max));
            assert_eq!(found, expected, "{values:?}");
        }
    }

    #[test]
    fn percentiles_are_of_the_operations() {
        let latencies = (1..=1000_u64).map(|us| us * 1000).collect::<Vec<_>>();
        let found = Percentiles::of(&latencies).unwrap();
        for (found, expected) in [(found.p50, 500.0), (found.p99, 990.0), (found.p999, 999.0)] {
            assert!((found / expected - 1.0).abs() < 0.002, "{found} for {expected}");
        }
        assert_eq!(Percentiles::of(&[]), None);
    }

    #[test]
    fn rates_count_both_clocks() {
        let measured = Measured {
            operations: 1000,
            elapsed: Duration::from_millis(500),
            stored: Some(Duration::from_secs(1)),
            ..Measured::default()
        };
        assert_eq!(measured.rate().round(), 2000.0);
        assert_eq!(measured.stored_rate().map(f64::round), Some(1000.0));
        assert_eq!(measured.cost().round(), 500.0);
    }
}
