//! What was called on a register and what came of it, put together from events.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
};

use super::event::{Event, Step};

/// What a register is asked for. A register holds a number, 0 at first; every operation is answered with the number that
/// stands there behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    Read,
    Write(u64),
    Add(u64),
    /// Puts the second number there if the first one stands there.
    Swap(u64, u64),
}

impl Action {
    /// What stands there behind it, where `before` stood.
    #[must_use]
    pub fn apply(self, before: u64) -> u64 {
        match self {
            Action::Read => before,
            Action::Write(value) => value,
            Action::Add(amount) => before.wrapping_add(amount),
            Action::Swap(expected, new) if before == expected => new,
            Action::Swap(..) => before,
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Action::Read => write!(f, "read"),
            Action::Write(value) => write!(f, "write {value}"),
            Action::Add(amount) => write!(f, "add {amount}"),
            Action::Swap(expected, new) => write!(f, "swap {expected} {new}"),
        }
    }
}

/// How an operation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It was answered with this number.
    Ok(u64),
    /// It has had no effect and never will.
    NotApplied,
    /// It may take effect once, at any time after it was called, or never. So is what has no end in the history.
    Unknown,
}

/// One operation on one register.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// Who called: whatever the test calls its nodes, threads or clients.
    pub process: String,
    pub action: Action,
    pub ended: Ended,
    /// When it was called. Stamps are compared, nothing else is done with them.
    pub invoked: u64,
    /// When its end was known.
    pub returned: u64,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Operation { process, action, invoked, returned, .. } = self;
        match self.ended {
            Ended::Ok(value) => write!(f, "[{invoked}, {returned}] {process}: {action} = {value}"),
            Ended::NotApplied => write!(f, "[{invoked}, {returned}] {process}: {action}, not applied"),
            Ended::Unknown => write!(f, "[{invoked}, …] {process}: {action}, outcome unknown"),
        }
    }
}

/// The operations on each register, in the order in which they were called.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History(BTreeMap<String, Vec<Operation>>);

/// Why events are no history.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HistoryError {
    #[error(
        "operation {1} of process `{0}` begins twice: number the operations of a process, and name processes apart"
    )]
    BegunTwice(String, u64),
    #[error(
        "operation {1} of process `{0}` ends without having begun, or twice: an end is recorded once, after its call"
    )]
    NotBegun(String, u64),
}

impl History {
    /// Puts the events of all processes together, in any order. Two of the same stamp are taken to be concurrent.
    ///
    /// # Errors
    /// [`HistoryError`].
    pub fn from_events(events: impl IntoIterator<Item = Event>) -> Result<Self, HistoryError> {
        let mut events = events.into_iter().collect::<Vec<_>>();
        events.sort_by_key(|event| (event.stamp, matches!(event.step, Step::End(_))));
        let mut history = History::default();
        let mut open = HashMap::new();
        for Event { stamp, process, number, step } in events {
            match step {
                Step::Invoke { register, action } => {
                    let operations = history.0.entry(register.clone()).or_default();
                    if open.insert((process.clone(), number), Some((register, operations.len()))).is_some() {
                        return Err(HistoryError::BegunTwice(process, number));
                    }
                    let (ended, returned) = (Ended::Unknown, u64::MAX);
                    operations.push(Operation { process, action, ended, invoked: stamp, returned });
                }
                Step::End(ended) => {
                    let Some((register, at)) = open.get_mut(&(process.clone(), number)).and_then(Option::take) else {
                        return Err(HistoryError::NotBegun(process, number));
                    };
                    let operation = &mut history.0.get_mut(&register).unwrap()[at];
                    operation.ended = ended;
                    operation.returned = if ended == Ended::Unknown { u64::MAX } else { stamp };
                }
            }
        }
        Ok(history)
    }

    /// The registers and what was done to each.
    pub fn registers(&self) -> impl Iterator<Item = (&str, &[Operation])> {
        self.0.iter().map(|(register, operations)| (register.as_str(), operations.as_slice()))
    }

    /// All operations.
    pub fn operations(&self) -> impl Iterator<Item = &Operation> {
        self.0.values().flatten()
    }
}
