//! A point in time on this machine's own clock. Compared with nothing that another machine says.

use std::time::Duration;

/// A point in time: how long ago this machine was started. The clock goes on while the machine is suspended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Moment(Duration);

impl Moment {
    /// So long after the start of the machine.
    pub const fn since_boot(duration: Duration) -> Self {
        Moment(duration)
    }

    /// How long that is after the start of the machine.
    pub const fn as_duration(self) -> Duration {
        self.0
    }

    /// So much later.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        Moment(self.0.saturating_add(duration))
    }

    /// How much later this is than `earlier`; zero if it is not.
    pub fn since(self, earlier: Moment) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}
