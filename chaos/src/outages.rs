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

/// The longest time, from when something broke up to a later moment, for which one of the names was answered to nobody but
/// to who was in the process that was broken: microseconds.
pub(crate) fn longest_silence(probes: &[Call], broken: &Broken, until: u64) -> u64 {
    let mut answers = HashMap::<&str, Vec<u64>>::new();
    for call in probes.iter().filter(|call| call.process != broken.process) {
        let answers = answers.entry(&call.name).or_default();
        if call.answered && (broken.from..until).contains(&call.returned) {
            answers.push(call.returned);
        }
    }
    let silence = |mut answers: Vec<u64>| {
        answers.sort_unstable();
        let from = [broken.from].into_iter().chain(answers.iter().copied());
        from.zip(answers.iter().copied().chain([until])).map(|(from, until)| until - from).max()
    };
    answers.into_values().filter_map(silence).max().unwrap_or_default()
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

    const CALLS: [&str; 7] = [
        "100 200 n1.1 a ok",
        "1100 1200 n2.1 a failed",
        "1300 4300 n2.1 a ok",
        "1400 1500 n3.1 b ok",
        "1050 1060 n1.1 b ok",
        "4900 5000 n3.1 b ok",
        "600000 600700 n2.1 c ok",
    ];

    fn calls(lines: &[&str]) -> Vec<Call> {
        let calls = lines.iter().map(|line| line.parse::<Call>().unwrap()).collect::<Vec<_>>();
        assert!(calls.iter().map(Call::to_string).eq(lines.iter().map(|line| (*line).to_owned())));
        calls
    }

    #[test]
    fn silence_is_the_longest_time_without_an_answer_to_a_process_that_was_not_broken() {
        let fault = Fault::Kill { node: 0, at_once: false };
        let broken = Broken { fault, process: "n1.1".to_owned(), from: 1_000, until: 5_000 };
        // Of `a` from when it broke to its first answer, of `b` between two.
        assert_eq!(longest_silence(&calls(&CALLS[..4]), &broken, 4_400), 3_300);
        assert_eq!(longest_silence(&calls(&CALLS[3..6]), &broken, 5_100), 3_500);
        assert_eq!(longest_silence(&calls(&CALLS[..2]), &broken, 9_000), 8_000);
    }

    #[test]
    fn calls_count_for_the_span_in_which_they_began() {
        let spans = spans(&calls(&CALLS), 0, SPAN);
        assert_eq!(spans[0], Span { answered: 5, failed: 1, slowest: 3_000 });
        assert_eq!(spans[1], Span { answered: 1, failed: 0, slowest: 700 });
    }
}
