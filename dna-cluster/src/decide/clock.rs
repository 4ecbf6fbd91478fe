//! The clock at the start: a cluster whose timestamps are far ahead of it is not joined.

use dna_core::{Outcome, Timestamp, limits::TIMESTAMP_AHEAD_MAX};

/// Why a node must not join with this clock. Nothing was changed; it can be tried again once the clocks are right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the cluster has used {cluster} as timestamp, the wall clock here says {here}; set it by NTP, then try again")]
pub struct ClockError {
    /// The highest timestamp that the view knows of.
    pub cluster: Timestamp,
    /// What the wall clock says.
    pub here: Timestamp,
}

impl ClockError {
    /// Always `NotApplied`: nothing was changed.
    pub fn outcome(&self) -> Outcome {
        Outcome::NotApplied
    }

    /// Always true: the clock may be set.
    pub fn is_retryable(&self) -> bool {
        true
    }
}

/// Whether a node with this wall clock may join a cluster whose view carries `cluster`.
///
/// # Errors
/// Where the timestamps of the cluster are too far ahead of the clock.
pub fn check_clock(here: Timestamp, cluster: Timestamp) -> Result<(), ClockError> {
    let ahead = cluster.as_micros().saturating_sub(here.as_micros());
    if u128::from(ahead) <= TIMESTAMP_AHEAD_MAX.as_micros() { Ok(()) } else { Err(ClockError { cluster, here }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_far_ahead_of_the_clock_are_refused_and_those_behind_it_never() {
        let max = u64::try_from(TIMESTAMP_AHEAD_MAX.as_micros()).unwrap();
        let here = Timestamp::from_micros(1_700_000_000_000_000);
        for (cluster, good) in
            [(0, true), (here.as_micros(), true), (here.as_micros() + max, true), (here.as_micros() + max + 1, false)]
        {
            let cluster = Timestamp::from_micros(cluster);
            assert_eq!(check_clock(here, cluster).is_ok(), good, "the cluster at {cluster}");
        }
    }
}
