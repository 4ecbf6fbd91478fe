//! Joining again: how long a process waits for that which loses one membership after the other.

use std::time::Duration;

use super::lease::beat_interval;

/// For how many leases a membership must have lasted for the next loss to count as the first one.
const STABLE_LEASES: u32 = 20;

/// How many leases the pause before a joining is at the most.
const PAUSE_LEASES_MAX: u32 = 8;

/// How long to wait before joining again, behind a membership that lasted for so long and was joined for after a pause of
/// `before`. A first loss is no reason to wait; with every further one in a row the pause is twice as long, up to a bound:
/// each membership leaves its journals behind, and has others take over.
pub fn rejoin_pause(lease: Duration, before: Option<Duration>, lasted: Duration) -> Duration {
    match before {
        _ if lasted >= STABLE_LEASES * lease => Duration::ZERO,
        None => Duration::ZERO,
        Some(pause) => (2 * pause).max(beat_interval(lease)).min(PAUSE_LEASES_MAX * lease),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: Duration = Duration::from_secs(3);

    #[test]
    fn the_pause_doubles_up_to_a_bound_and_a_stable_membership_ends_it() {
        let (short, stable) = (Duration::from_secs(59), Duration::from_secs(60));
        let ms = Duration::from_millis;
        for (before, lasted, pause) in [
            (None, Duration::ZERO, ms(0)),
            (None, stable, ms(0)),
            (Some(ms(0)), short, ms(500)),
            (Some(ms(500)), short, ms(1000)),
            (Some(ms(1000)), Duration::ZERO, ms(2000)),
            (Some(ms(16_000)), short, ms(24_000)),
            (Some(ms(24_000)), short, ms(24_000)),
            (Some(ms(24_000)), stable, ms(0)),
        ] {
            assert_eq!(rejoin_pause(LEASE, before, lasted), pause, "before: {before:?}, it lasted {lasted:?}");
        }
    }
}
