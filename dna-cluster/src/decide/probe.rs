//! The probe: a node whose main runtime has stood still for long is of no use to anybody, and must not seem alive.

use std::time::Duration;

use crate::moment::Moment;

/// Whether a node may beat whose main runtime last ran the probe task at `last_run`.
pub fn may_beat(now: Moment, last_run: Moment, age_max: Duration) -> bool {
    now.since(last_run) < age_max
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::PROBE_AGE_MAX;

    #[test]
    fn a_node_stops_to_beat_when_its_runtime_has_stood_still_too_long() {
        let at = |ms| Moment::since_boot(Duration::from_millis(ms));
        for (now, last_run, may) in [(10_000, 10_000, true), (19_999, 10_000, true), (20_000, 10_000, false)] {
            assert_eq!(may_beat(at(now), at(last_run), PROBE_AGE_MAX), may, "at {now}, probe at {last_run}");
        }
        assert!(may_beat(at(5), at(10), PROBE_AGE_MAX), "the probe ran meanwhile");
    }
}
