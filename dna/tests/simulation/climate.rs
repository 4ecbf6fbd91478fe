//! What kind of trouble a run has.

use dna::testing::{Chance, Missing};

/// One thing that goes wrong.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Trouble {
    Kill,
    Pause,
    Suspend,
    Partition,
    OneWay,
    Isolate,
    SlowNetwork,
    SlowDatabase,
    DatabaseFails,
    DatabaseHangs,
    LostRequests,
    LostAnswers,
    LateRequests,
    DoubledRequests,
    Drain,
    Leave,
    Join,
}

/// What may go wrong in a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Climate {
    /// Everything, but that the clocks by which leases are counted go on. The wall clock of a process may be far off.
    Storms,
    /// Above all, nodes come and go.
    Tides,
    /// Nodes stand still for longer than their leases hold.
    Doldrums,
    /// Whole machines stand still, with their clocks: beyond what leases assume. Writes have to hold all the same.
    Standstills,
}

impl Climate {
    pub(crate) const ALL: [Climate; 4] = [Climate::Storms, Climate::Tides, Climate::Doldrums, Climate::Standstills];

    /// That of a run; where a rule is missing, the one in which that shows soonest.
    pub(crate) fn of(chance: &mut Chance, without: Option<Missing>) -> Self {
        let any = chance.below(5);
        match without {
            Some(Missing::Fence) => return Climate::Standstills,
            Some(Missing::Lease) => return Climate::Doldrums,
            Some(Missing::Bounce) => return Climate::Tides,
            _ => {}
        }
        match any {
            0 => Climate::Tides,
            1 => Climate::Doldrums,
            2 => Climate::Standstills,
            _ => Climate::Storms,
        }
    }

    /// What goes wrong next.
    pub(crate) fn trouble(self, chance: &mut Chance) -> Trouble {
        let troubles = match self {
            Climate::Storms => STORMS,
            Climate::Tides => TIDES,
            Climate::Doldrums => DOLDRUMS,
            Climate::Standstills => STANDSTILLS,
        };
        troubles[chance.index(troubles.len())]
    }
}

// What stands there more often happens more often.

const STORMS: &[Trouble] = &[
    Trouble::Kill,
    Trouble::Kill,
    Trouble::Kill,
    Trouble::Pause,
    Trouble::Pause,
    Trouble::Pause,
    Trouble::Partition,
    Trouble::OneWay,
    Trouble::Isolate,
    Trouble::SlowNetwork,
    Trouble::SlowDatabase,
    Trouble::DatabaseFails,
    Trouble::DatabaseHangs,
    Trouble::DatabaseHangs,
    Trouble::LostRequests,
    Trouble::LostAnswers,
    Trouble::LateRequests,
    Trouble::DoubledRequests,
    Trouble::Drain,
    Trouble::Leave,
    Trouble::Join,
];

const TIDES: &[Trouble] = &[
    Trouble::Leave,
    Trouble::Leave,
    Trouble::Drain,
    Trouble::Join,
    Trouble::Join,
    Trouble::SlowNetwork,
    Trouble::SlowNetwork,
    Trouble::OneWay,
    Trouble::Partition,
    Trouble::LostRequests,
    Trouble::LostRequests,
    Trouble::LostAnswers,
    Trouble::DatabaseFails,
    Trouble::SlowDatabase,
];

const DOLDRUMS: &[Trouble] = &[
    Trouble::Pause,
    Trouble::Pause,
    Trouble::Pause,
    Trouble::Kill,
    Trouble::SlowDatabase,
    Trouble::DatabaseHangs,
    Trouble::Partition,
];

const STANDSTILLS: &[Trouble] = &[
    Trouble::Suspend,
    Trouble::Suspend,
    Trouble::Suspend,
    Trouble::Kill,
    Trouble::Pause,
    Trouble::Partition,
    Trouble::SlowDatabase,
    Trouble::LateRequests,
    Trouble::LostAnswers,
];
