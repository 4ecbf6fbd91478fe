//! How much is done on a CQL server.

use std::time::Duration;

use crate::bench::Bench;

#[derive(Debug, Clone, Copy)]
pub(super) struct Scale {
    /// Casts to one actor.
    pub(super) casts: u64,
    /// How long a load that is bounded by time runs.
    pub(super) run: Duration,
    /// How many callers one actor has.
    pub(super) callers: &'static [u64],
    /// How many actors have a caller each.
    pub(super) actors: &'static [u64],
    /// Names that have a row.
    pub(super) names: u64,
}

const FULL: Scale = Scale {
    casts: 500_000,
    run: Duration::from_secs(2),
    callers: &[1, 4, 16, 64, 256, 1024],
    actors: &[64, 256, 1024],
    names: 20_000,
};

const QUICK: Scale =
    Scale { casts: 20_000, run: Duration::from_millis(200), callers: &[1, 64], actors: &[64, 1024], names: 1000 };

impl Scale {
    pub(super) fn of(bench: &Bench) -> Self {
        if bench.args.quick { QUICK } else { FULL }
    }
}
