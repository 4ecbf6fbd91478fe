//! What a run has shown, as text.

use std::{
    collections::BTreeMap,
    fmt::{self, Write as _},
};

use crate::{faults::Broken, plan};

/// What a run has shown.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// On what it ran.
    pub(crate) ground: String,
    pub(crate) seed: u64,
    pub(crate) seconds: f64,
    /// Calls by what was called, each with how many of them were answered.
    pub(crate) calls: Vec<(&'static str, u64, u64)>,
    pub(crate) errors: BTreeMap<String, u64>,
    /// What was broken, each with the longest time for which a name was answered to nobody, in microseconds.
    pub(crate) broken: Vec<(Broken, u64)>,
    /// When the load began, by the clock.
    pub(crate) since: u64,
    /// What was wrong.
    pub(crate) wrong: Vec<String>,
}

/// How much of what was wrong is shown.
const WRONG_SHOWN_MAX: usize = 20;

impl Report {
    /// These times by what broke, the shortest first.
    fn silences(&self) -> BTreeMap<&'static str, Vec<u64>> {
        let mut kinds = BTreeMap::<_, Vec<u64>>::new();
        for (broken, silence) in &self.broken {
            let silences = kinds.entry(broken.fault.kind()).or_default();
            silences.push(*silence);
            silences.sort_unstable();
        }
        kinds
    }

    /// The kinds of fault of which nothing is known, since there was none.
    fn never(&self) -> Vec<&'static str> {
        let broken = self.broken.iter().map(|(broken, _)| broken.fault.kind()).collect();
        plan::kinds().difference(&broken).copied().collect()
    }
}

fn seconds(micros: u64) -> String {
    format!("{:.2} s", micros as f64 / 1e6)
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "# Chaos\n\n{}; {:.0} s, seed {}.\n", self.ground, self.seconds, self.seed)?;
        writeln!(f, "| calls | in all | answered |\n|---|--:|--:|")?;
        for (what, all, answered) in &self.calls {
            writeln!(f, "| {what} | {all} | {answered} |")?;
        }
        writeln!(f, "\n| error, and what is known of its effect | times |\n|---|--:|")?;
        for (kind, times) in &self.errors {
            writeln!(f, "| {kind} | {times} |")?;
        }
        writeln!(
            f,
            "\nThe longest time for which a name was answered to nobody outside of the process that broke:\n\n\
             | what broke | times | shortest | median | longest |\n|---|--:|--:|--:|--:|"
        )?;
        for (kind, silences) in self.silences() {
            let (count, last) = (silences.len(), silences.len() - 1);
            let [shortest, median, longest] = [0, last / 2, last].map(|at| seconds(silences[at]));
            writeln!(f, "| {kind} | {count} | {shortest} | {median} | {longest} |")?;
        }
        let never = self.never();
        if !never.is_empty() {
            writeln!(f, "\nNever broken in this way: {}.", never.join("; "))?;
        }
        writeln!(f, "\n| at | for | what broke | longest silence |\n|--:|--:|---|--:|")?;
        for (Broken { fault, from, until, .. }, silence) in &self.broken {
            let (at, lasted) = (seconds(from.saturating_sub(self.since)), seconds(until.saturating_sub(*from)));
            writeln!(f, "| {at} | {lasted} | {fault} | {} |", seconds(*silence))?;
        }
        let verdict = match self.wrong.len() {
            0 => "Nothing was lost, doubled, stale or out of order, and names were answered again in time.".to_owned(),
            count => {
                self.wrong.iter().take(WRONG_SHOWN_MAX).fold(format!("WRONG, {count} times:\n"), |mut all, wrong| {
                    // Writing to a string does not fail.
                    let _ = write!(all, "\n- {wrong}");
                    all
                })
            }
        };
        writeln!(f, "\n{verdict}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Fault;

    #[test]
    fn times_are_summed_up_by_what_broke() {
        let broken = |node, from| Broken {
            fault: Fault::Kill { node, at_once: false },
            process: format!("n{node}.1"),
            from,
            until: from + 1,
        };
        let silences = [(broken(0, 1_000_000), 3_500_000), (broken(1, 9_000_000), 2_000_000)];
        let report = Report { broken: silences.to_vec(), ..Report::default() }.to_string();
        assert!(report.contains("| kill | 2 | 2.00 s | 2.00 s | 3.50 s |"), "{report}");
        assert!(report.contains("| 9.00 s | 0.00 s | node 2: kill | 2.00 s |"), "{report}");
        assert!(report.contains("Nothing was lost"), "{report}");
        let never = report.lines().find_map(|line| line.strip_prefix("Never broken in this way: ")).unwrap();
        let never = never.trim_end_matches('.').split("; ").collect::<Vec<_>>();
        assert!(never.len() == 11 && !never.contains(&"kill") && never.contains(&"database killed"), "{never:?}");
    }

    #[test]
    fn what_is_wrong_is_said_first_of_all_with_how_much_of_it_there_is() {
        let wrong = (0..30).map(|number| format!("lost: {number}")).collect();
        let report = Report { wrong, ..Report::default() }.to_string();
        assert!(report.contains("WRONG, 30 times") && report.contains("- lost: 19"), "{report}");
        assert!(!report.contains("Nothing was lost"), "{report}");
    }
}
