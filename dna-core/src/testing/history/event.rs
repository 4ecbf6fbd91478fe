//! The beginning or the end of an operation, as one line of text: what a process that may be killed at any moment writes.
//!
//! ```text
//! 17 node-a 3 invoke alice add 1
//! 19 node-a 3 ok 12
//! ```
//! These are: stamp, process, number of the operation within the process, and what happened: `invoke REGISTER ACTION`,
//! `ok VALUE`, `not-applied` or `unknown`. Actions are `read`, `write N`, `add N` and `swap EXPECTED NEW`.

use std::{fmt, str::FromStr};

use super::operation::{Action, Ended};

/// The beginning or the end of an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// When it happened, by a clock that all processes of the history share.
    pub stamp: u64,
    pub process: String,
    /// The number of the operation, of which the process uses each once.
    pub number: u64,
    pub step: Step,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    Invoke { register: String, action: Action },
    End(Ended),
}

/// A line that is no event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no event; one reads `17 node-a 3 invoke alice add 1` or `19 node-a 3 ok 12`")]
pub struct EventError(String);

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {} ", self.stamp, self.process, self.number)?;
        match &self.step {
            Step::Invoke { register, action } => write!(f, "invoke {register} {action}"),
            Step::End(Ended::Ok(value)) => write!(f, "ok {value}"),
            Step::End(Ended::NotApplied) => write!(f, "not-applied"),
            Step::End(Ended::Unknown) => write!(f, "unknown"),
        }
    }
}

impl FromStr for Event {
    type Err = EventError;

    fn from_str(line: &str) -> Result<Self, EventError> {
        parse(&line.split_whitespace().collect::<Vec<_>>()).ok_or_else(|| EventError(line.to_owned()))
    }
}

impl FromStr for Action {
    type Err = EventError;

    fn from_str(text: &str) -> Result<Self, EventError> {
        action(&text.split_whitespace().collect::<Vec<_>>()).ok_or_else(|| EventError(text.to_owned()))
    }
}

fn parse(words: &[&str]) -> Option<Event> {
    let [stamp, process, number, step @ ..] = words else { return None };
    let step = match step {
        ["invoke", register, rest @ ..] => Step::Invoke { register: (*register).to_owned(), action: action(rest)? },
        ["ok", value] => Step::End(Ended::Ok(value.parse().ok()?)),
        ["not-applied"] => Step::End(Ended::NotApplied),
        ["unknown"] => Step::End(Ended::Unknown),
        _ => return None,
    };
    let (stamp, number) = (stamp.parse().ok()?, number.parse().ok()?);
    Some(Event { stamp, process: (*process).to_owned(), number, step })
}

fn action(words: &[&str]) -> Option<Action> {
    Some(match words {
        ["read"] => Action::Read,
        ["write", value] => Action::Write(value.parse().ok()?),
        ["add", amount] => Action::Add(amount.parse().ok()?),
        ["swap", expected, new] => Action::Swap(expected.parse().ok()?, new.parse().ok()?),
        _ => return None,
    })
}
