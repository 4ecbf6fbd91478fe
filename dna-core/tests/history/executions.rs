//! Histories that come of a real execution: each operation takes effect at one moment, and is called some time before it
//! and answered some time after.

use std::ops::Range;

use dna_core::testing::history::{Action, Ended, Event, History, Step};
use proptest::{collection::vec, prelude::*};

/// How far apart the moments are.
const MOMENT: u64 = 100;

/// One operation: what it does, how long before its moment it is called, how long after it is answered, and how it ends.
#[derive(Debug, Clone)]
pub(crate) struct Performed {
    pub(crate) action: Action,
    pub(crate) before: u64,
    pub(crate) after: u64,
    pub(crate) end: End,
}

/// What the caller is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Ok,
    /// Nothing, but it took effect.
    UnknownApplied,
    /// Nothing, and it had none.
    UnknownLost,
    NotApplied,
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        3 => Just(Action::Read),
        2 => (0..6_u64).prop_map(Action::Write),
        2 => (1..3_u64).prop_map(Action::Add),
        1 => (0..6_u64, 0..6_u64).prop_map(|(expected, new)| Action::Swap(expected, new)),
    ]
}

fn end() -> impl Strategy<Value = End> {
    prop_oneof![
        12 => Just(End::Ok),
        1 => Just(End::UnknownApplied),
        1 => Just(End::UnknownLost),
        1 => Just(End::NotApplied),
    ]
}

/// Executions of so many operations, which overlap with up to `overlap` others on each side.
pub(crate) fn execution(operations: Range<usize>, overlap: u64) -> impl Strategy<Value = Vec<Performed>> {
    let reach = 0..=overlap * MOMENT;
    let performed = (action(), reach.clone(), reach, end());
    vec(performed.prop_map(|(action, before, after, end)| Performed { action, before, after, end }), operations)
}

/// What is recorded of an execution, event by event: the operation at `n` is number `n` of its process.
pub(crate) fn record(execution: &[Performed]) -> Vec<Event> {
    let mut value = 0;
    let mut events = Vec::new();
    for (moment, performed) in (0..).zip(execution) {
        // A little off the moments, so that no two operations meet in a stamp.
        let at = (moment + 10) * MOMENT;
        let event = |stamp, step| Event { stamp, process: "p".to_owned(), number: moment, step };
        let step = Step::Invoke { register: "r".to_owned(), action: performed.action };
        events.push(event(at.saturating_sub(performed.before), step));
        if matches!(performed.end, End::Ok | End::UnknownApplied) {
            value = performed.action.apply(value);
        }
        events.extend(match performed.end {
            End::Ok => Some(event(at + performed.after, Step::End(Ended::Ok(value)))),
            End::NotApplied => Some(event(at + performed.after, Step::End(Ended::NotApplied))),
            End::UnknownApplied => None,
            End::UnknownLost => Some(event(at + performed.after, Step::End(Ended::Unknown))),
        });
    }
    events
}

pub(crate) fn history(events: Vec<Event>) -> History {
    History::from_events(events).unwrap()
}
