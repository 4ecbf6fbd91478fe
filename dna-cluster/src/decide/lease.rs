//! The lease: until when a node may answer for its actors.

use std::time::Duration;

use crate::moment::Moment;

/// How many heartbeats are sent in the time of a lease.
const BEATS_PER_LEASE: u32 = 6;

/// How often a node beats.
pub fn beat_interval(lease: Duration) -> Duration {
    lease / BEATS_PER_LEASE
}

/// The time in which a node may answer for its actors: a lease's length from when the last heartbeat that succeeded was
/// *sent*. Whoever watches the heartbeats counts from later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Lease {
    length: Duration,
    until: Moment,
    lapsed: bool,
}

/// What became of a lease when a heartbeat succeeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Renewal {
    /// It holds until then.
    Until(Moment),
    /// It had lapsed before the answer came, so that others may have taken over: it never holds again.
    Lapsed,
}

impl Lease {
    /// That of a node whose first heartbeat has succeeded, before it joined.
    pub fn first(length: Duration, sent: Moment) -> Self {
        Lease { length, until: sent.after(length), lapsed: false }
    }

    /// Takes in that a heartbeat succeeded: when it was sent, and when its answer came.
    pub fn renew(&mut self, sent: Moment, answered: Moment) -> Renewal {
        if !self.holds(answered) {
            return Renewal::Lapsed;
        }
        self.until = self.until.max(sent.after(self.length));
        Renewal::Until(self.until)
    }

    /// Whether it holds. Once it does not, it never does again.
    pub fn holds(&mut self, now: Moment) -> bool {
        self.lapsed |= now >= self.until;
        !self.lapsed
    }

    /// Ends it before its time, for good.
    pub fn give_up(&mut self) {
        self.lapsed = true;
    }

    /// Until when it holds.
    pub fn until(&self) -> Moment {
        self.until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: Duration = Duration::from_secs(3);

    fn at(seconds: f64) -> Moment {
        Moment::since_boot(Duration::from_secs_f64(seconds))
    }

    #[test]
    fn a_lease_counts_from_when_its_heartbeat_was_sent() {
        let mut lease = Lease::first(LEASE, at(10.0));
        assert_eq!(lease.renew(at(10.5), at(12.9)), Renewal::Until(at(13.5)));
        assert!(lease.holds(at(13.499)));
        assert!(!lease.holds(at(13.5)));
    }

    #[test]
    fn an_answer_that_comes_when_the_lease_has_lapsed_renews_nothing() {
        let mut lease = Lease::first(LEASE, at(10.0));
        assert_eq!(lease.renew(at(12.9), at(13.0)), Renewal::Lapsed);
        assert_eq!(lease.renew(at(12.9), at(12.95)), Renewal::Lapsed);
        assert!(!lease.holds(at(11.0)));
    }

    #[test]
    fn a_lapse_that_was_noticed_is_final() {
        let mut lease = Lease::first(LEASE, at(10.0));
        assert!(!lease.holds(at(13.0)));
        assert_eq!(lease.renew(at(12.0), at(12.1)), Renewal::Lapsed);
    }

    #[test]
    fn a_lease_that_was_given_up_is_never_renewed() {
        let mut lease = Lease::first(LEASE, at(10.0));
        lease.give_up();
        assert!(!lease.holds(at(10.0)));
        assert_eq!(lease.renew(at(10.5), at(10.6)), Renewal::Lapsed);
    }

    #[test]
    fn answers_out_of_order_do_not_shorten_it() {
        let mut lease = Lease::first(LEASE, at(10.0));
        assert_eq!(lease.renew(at(11.0), at(11.1)), Renewal::Until(at(14.0)));
        assert_eq!(lease.renew(at(10.5), at(11.2)), Renewal::Until(at(14.0)));
    }

    #[test]
    fn six_heartbeats_go_into_a_lease() {
        assert_eq!(beat_interval(LEASE), Duration::from_millis(500));
    }
}
