//! Failure detection: which members have not beaten for so long that their lease must have run out.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use dna_core::NodeId;

use crate::moment::Moment;

/// What is added to a lease before its holder is taken for dead: the clocks of two machines do not run alike.
pub fn margin(lease: Duration) -> Duration {
    lease / 10
}

/// When a table of heartbeats was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Reading {
    /// When the read was sent.
    pub started: Moment,
    /// When its answer came.
    pub ended: Moment,
}

/// Watches the heartbeats of the other members, each by when its *value* changed on this node's own clock: from the end
/// of the read that first showed it to the start of the last read that still did.
///
/// A heartbeat that its sender could count would have been seen by the last of these reads; and the one before it was
/// sent before the first of them ended. So whoever is dead here, by more than a lease, has none that holds.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Detector {
    seen: BTreeMap<NodeId, Heard>,
}

/// What is known of a member's heartbeats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Heard {
    /// None as long as no heartbeat of it was seen: that, too, is a value that lasts.
    beat: Option<u64>,
    first_shown: Moment,
    last_shown: Moment,
}

impl Detector {
    /// Takes in what a read has shown of `members`, who were known as such before it started.
    pub fn observe(&mut self, reading: Reading, members: impl IntoIterator<Item = NodeId>, beats: &[(NodeId, u64)]) {
        let Reading { started, ended } = reading;
        let beats = beats.iter().copied().collect::<BTreeMap<_, _>>();
        let heard = |node: NodeId| {
            let beat = beats.get(&node).copied();
            match self.seen.get(&node) {
                Some(before) if before.beat == beat => (node, Heard { last_shown: started, ..*before }),
                _ => (node, Heard { beat, first_shown: ended, last_shown: ended }),
            }
        };
        self.seen = members.into_iter().map(heard).collect();
    }

    /// The table could not be read: all that was seen counts for nothing. A database that is away is no sign that a
    /// peer is dead.
    pub fn start_anew(&mut self) {
        self.seen.clear();
    }

    /// The members whose lease must have run out.
    pub fn dead(&self, lease: Duration) -> BTreeSet<NodeId> {
        self.seen.iter().filter(|(_, heard)| heard.is_silent(lease)).map(|(node, _)| *node).collect()
    }

    /// When the next one of the others is dead, if nothing is heard of it until then: a read that starts then shows it.
    pub fn next_due(&self, lease: Duration) -> Option<Moment> {
        let others = self.seen.values().filter(|heard| !heard.is_silent(lease));
        others.map(|heard| heard.first_shown.after(patience(lease))).min()
    }
}

/// How long a heartbeat may last.
fn patience(lease: Duration) -> Duration {
    lease + margin(lease)
}

impl Heard {
    fn is_silent(&self, lease: Duration) -> bool {
        self.last_shown.since(self.first_shown) >= patience(lease)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: Duration = Duration::from_secs(3);

    fn node(byte: u8) -> NodeId {
        NodeId::from_bytes([byte; 16])
    }

    /// A read from `start` to `end`, in milliseconds.
    fn read(start: u64, end: u64) -> Reading {
        let at = |ms| Moment::since_boot(Duration::from_millis(ms));
        Reading { started: at(start), ended: at(end) }
    }

    /// What a read found: the heartbeat of node 2, if it has one; or an error of the table.
    type Found = Result<Option<u64>, ()>;

    /// Who is dead after each of these reads: (start, end, what it found).
    fn dead_after(reads: &[(u64, u64, Found)]) -> Vec<bool> {
        let mut detector = Detector::default();
        let step = |&(start, end, beat): &(u64, u64, Found)| {
            match beat {
                Ok(beat) => {
                    let beats = beat.map(|beat| (node(2), beat)).into_iter().collect::<Vec<_>>();
                    detector.observe(read(start, end), [node(2)], &beats);
                }
                Err(()) => detector.start_anew(),
            }
            detector.dead(LEASE).contains(&node(2))
        };
        reads.iter().map(step).collect()
    }

    #[test]
    fn silence_counts_from_the_end_of_the_first_read_to_the_start_of_the_last() {
        assert_eq!(
            dead_after(&[(0, 1000, Ok(Some(1))), (4299, 9000, Ok(Some(1))), (4300, 4301, Ok(Some(1)))]),
            [false, false, true]
        );
        assert_eq!(dead_after(&[(0, 0, Ok(Some(1))), (3299, 3299, Ok(Some(1)))]), [false, false], "lease and margin");
    }

    #[test]
    fn a_read_that_starts_when_it_is_due_shows_who_is_dead_and_an_earlier_one_does_not() {
        let at = |ms| Moment::since_boot(Duration::from_millis(ms));
        let mut detector = Detector::default();
        let mut shows = |start, second, third| {
            detector.observe(read(start, start + 10), [node(2), node(3)], &[(node(2), second), (node(3), third)]);
            (detector.dead(LEASE), detector.next_due(LEASE))
        };
        assert_eq!(shows(0, 1, 1), ([].into(), Some(at(3310))));
        assert_eq!(shows(500, 1, 2), ([].into(), Some(at(3310))));
        assert_eq!(shows(3309, 1, 3), ([].into(), Some(at(3310))));
        assert_eq!(shows(3310, 1, 3), ([node(2)].into(), Some(at(6619))), "of the dead nothing is awaited any more");
        detector.start_anew();
        assert_eq!(detector.next_due(LEASE), None);
    }

    #[test]
    fn one_slow_read_alone_says_nothing() {
        assert_eq!(dead_after(&[(0, 60_000, Ok(Some(1)))]), [false]);
        assert_eq!(dead_after(&[(0, 60_000, Ok(Some(1))), (60_001, 120_000, Ok(Some(1)))]), [false, false]);
    }

    #[test]
    fn every_new_value_starts_anew_even_a_lower_one() {
        let reads =
            [(0, 0, Ok(Some(1))), (3000, 3000, Ok(Some(2))), (6000, 6000, Ok(Some(1))), (9000, 9000, Ok(Some(1)))];
        assert_eq!(dead_after(&reads), [false; 4]);
    }

    #[test]
    fn every_error_of_the_table_starts_anew() {
        let reads = [(0, 0, Ok(Some(1))), (2000, 2000, Err(())), (4000, 4000, Ok(Some(1))), (7300, 7300, Ok(Some(1)))];
        assert_eq!(dead_after(&reads), [false, false, false, true]);
    }

    #[test]
    fn a_member_that_was_never_heard_is_dead_after_the_same_time() {
        assert_eq!(dead_after(&[(0, 0, Ok(None)), (3300, 3300, Ok(None))]), [false, true]);
        assert_eq!(dead_after(&[(0, 0, Ok(None)), (3300, 3300, Ok(Some(1)))]), [false, false]);
    }

    #[test]
    fn who_is_no_member_any_more_is_forgotten() {
        let mut detector = Detector::default();
        detector.observe(read(0, 0), [node(2)], &[(node(2), 1)]);
        detector.observe(read(3300, 3300), [], &[(node(2), 1)]);
        detector.observe(read(6600, 6600), [node(2)], &[(node(2), 1)]);
        assert!(detector.dead(LEASE).is_empty());
    }

    #[test]
    fn members_are_watched_apart() {
        let mut detector = Detector::default();
        for (ms, second) in [(0, 1), (1700, 2), (3400, 3)] {
            detector.observe(read(ms, ms), [node(2), node(3)], &[(node(2), second), (node(3), 7)]);
        }
        assert_eq!(detector.dead(LEASE), [node(3)].into());
    }
}
