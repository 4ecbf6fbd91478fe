//! What callers have seen: how many calls were answered in each moment, how long they took, and how long it was until
//! names were answered again.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    str::FromStr,
};

use dna_core::testing::history::{Ended, Operation};

use crate::faults::Broken;

/// One call, and whether it was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) process: String,
    pub(crate) name: String,
    pub(crate) invoked: u64,
    /// When its end was known. A call whose process did not live to see it is as one without end.
    pub(crate) returned: u64,
    pub(crate) answered: bool,
}

impl Call {
    pub(crate) fn of_register(register: &str, operation: &Operation) -> Self {
        Call {
            process: operation.process.clone(),
            name: register.to_owned(),
            invoked: operation.invoked,
            returned: operation.returned,
            answered: matches!(operation.ended, Ended::Ok(_)),
        }
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Call { process, name, invoked, returned, answered } = self;
        write!(f, "{invoked} {returned} {process} {name} {}", if *answered { "ok" } else { "failed" })
    }
}

impl FromStr for Call {
    type Err = String;

    fn from_str(line: &str) -> Result<Self, String> {
        let parse = || {
            let [invoked, returned, process, name, end] = line.split(' ').collect::<Vec<_>>()[..] else { return None };
            let answered = matches!(end, "ok" | "failed").then_some(end == "ok")?;
            let (process, name) = (process.to_owned(), name.to_owned());
            Some(Call { process, name, invoked: invoked.parse().ok()?, returned: returned.parse().ok()?, answered })
        };
        parse().ok_or_else(|| format!("`{line}` is no call"))
    }
}

/// What was called within one span of time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Span {
    /// Calls that were answered.
    pub(crate) answered: u64,
    /// Calls that failed.
    pub(crate) failed: u64,
    /// How long the longest of them took, in microseconds.
    pub(crate) slowest: u64,
}

/// How long a span is, in microseconds.
pub(crate) const SPAN: u64 = 500_000;

/// The spans from a moment up to another one, by when a call began.
pub(crate) fn spans<'a>(calls: impl IntoIterator<Item = &'a Call>, since: u64, until: u64) -> Vec<Span> {
    let count = usize::try_from(until.saturating_sub(since) / SPAN + 1).unwrap();
    let mut spans = vec![Span::default(); count];
    for call in calls {
        let at = usize::try_from(call.invoked.saturating_sub(since) / SPAN).unwrap();
        let Some(span) = spans.get_mut(at) else { continue };
        if call.answered {
            span.answered += 1;
        } else {
            span.failed += 1;
        }
        if call.returned != u64::MAX {
            span.slowest = span.slowest.max(call.returned - call.invoked);
        }
    }
    spans
}

/// How long it was, from when something broke, until the last of the names was answered to a client of a process that was
/// not broken: microseconds. None if some never was.
pub(crate) fn until_all_answer(probes: &[Call], broken: &Broken) -> Option<u64> {
    let mut first = HashMap::<&str, u64>::new();
    for call in probes.iter().filter(|call| call.invoked >= broken.from && call.process != broken.process) {
        let answer = if call.answered { call.returned } else { u64::MAX };
        let first = first.entry(&call.name).or_insert(u64::MAX);
        *first = answer.min(*first);
    }
    let last = first.into_values().max()?;
    (last != u64::MAX).then(|| last - broken.from)
}

/// How often each kind of error stands behind a stamp.
pub(crate) fn counts(errors: &[String]) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for line in errors {
        let (_, kind) = line.split_once(' ').unwrap_or(("", line));
        *counts.entry(kind.to_owned()).or_default() += 1;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Fault;

    const CALLS: [&str; 6] = [
        "100 200 n1.1 a ok",
        "1100 1200 n2.1 a failed",
        "1300 4300 n2.1 a ok",
        "1400 1500 n3.1 b ok",
        "1050 1060 n1.1 b ok",
        "600000 600700 n2.1 c ok",
    ];

    fn calls(lines: &[&str]) -> Vec<Call> {
        let calls = lines.iter().map(|line| line.parse::<Call>().unwrap()).collect::<Vec<_>>();
        assert!(calls.iter().map(Call::to_string).eq(lines.iter().map(|line| (*line).to_owned())));
        calls
    }

    #[test]
    fn an_outage_ends_with_the_answer_of_the_last_name_that_is_called() {
        let fault = Fault::Kill { node: 0, at_once: false };
        let broken = Broken { fault, process: "n1.1".to_owned(), from: 1_000, until: 5_000 };
        assert_eq!(until_all_answer(&calls(&CALLS[..5]), &broken), Some(3_300));
        assert_eq!(until_all_answer(&calls(&CALLS[..2]), &broken), None);
    }

    #[test]
    fn calls_count_for_the_span_in_which_they_began() {
        let spans = spans(&calls(&CALLS), 0, SPAN);
        assert_eq!(spans[0], Span { answered: 4, failed: 1, slowest: 3_000 });
        assert_eq!(spans[1], Span { answered: 1, failed: 0, slowest: 700 });
    }
}
