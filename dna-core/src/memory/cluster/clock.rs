//! A node's hybrid clock: its timestamps rise, whatever the wall clock does.

use parking_lot::Mutex;

use super::link::WallClock;
use crate::cluster::Timestamp;

#[derive(Debug)]
pub(super) struct NodeClock {
    wall: WallClock,
    last: Mutex<Timestamp>,
}

impl NodeClock {
    pub(super) fn above(floor: Timestamp, wall: WallClock) -> Self {
        NodeClock { wall, last: Mutex::new(floor) }
    }

    /// The stamp of the next entry, which takes this timestamp and the one behind it.
    pub(super) fn next(&self) -> u64 {
        let mut last = self.last.lock();
        let stamp = self.wall.now().as_micros().max(last.as_micros().saturating_add(1));
        *last = Timestamp::from_micros(stamp.saturating_add(1));
        stamp
    }

    pub(super) fn last(&self) -> Timestamp {
        *self.last.lock()
    }

    pub(super) fn raise(&self, floor: Timestamp) {
        let mut last = self.last.lock();
        *last = floor.max(*last);
    }
}
