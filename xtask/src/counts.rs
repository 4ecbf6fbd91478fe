//! Counts of passed, failed and ignored tests, read from what test runners print.

use std::{
    fmt,
    ops::{Add, AddAssign},
};

/// How many tests, or steps, ended how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) ignored: u64,
    pub(crate) filtered: u64,
}

impl Counts {
    /// What one thing that has no tests of its own counts.
    pub(crate) fn one(ok: bool) -> Self {
        Counts { passed: u64::from(ok), failed: u64::from(!ok), ..Counts::default() }
    }

    /// How many tests ran.
    pub(crate) fn ran(&self) -> u64 {
        self.passed + self.failed
    }

    /// The counts in a line that sums up one test binary: `test result: ok. 3 passed; 0 failed; …`.
    pub(crate) fn parse(line: &str) -> Option<Counts> {
        let plain = without_colours(line);
        let (_, parts) = plain.trim().strip_prefix("test result: ")?.split_once(". ")?;
        let mut counts = Counts::default();
        for part in parts.split(';') {
            let Some((number, what)) = part.trim().split_once(' ') else { continue };
            let Ok(number) = number.parse() else { continue };
            match what {
                "passed" => counts.passed = number,
                "failed" => counts.failed = number,
                "ignored" => counts.ignored = number,
                "filtered out" => counts.filtered = number,
                _ => {}
            }
        }
        Some(counts)
    }
}

impl Add for Counts {
    type Output = Counts;

    fn add(mut self, other: Counts) -> Counts {
        self += other;
        self
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Counts) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.ignored += other.ignored;
        self.filtered += other.filtered;
    }
}

/// `3 passed, 0 failed`, with what was left out behind it.
impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)?;
        if self.ignored > 0 {
            write!(f, ", {} ignored", self.ignored)?;
        }
        if self.filtered > 0 {
            write!(f, ", {} filtered out", self.filtered)?;
        }
        Ok(())
    }
}

/// The text without its colour escapes, which end in `m`.
fn without_colours(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut escaped = false;
    for c in text.chars() {
        match (escaped, c) {
            (false, '\u{1b}') => escaped = true,
            (false, c) => plain.push(c),
            (true, 'm') => escaped = false,
            (true, _) => {}
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_of_a_test_binary_is_read() {
        let counts = |passed, failed, ignored, filtered| Some(Counts { passed, failed, ignored, filtered });
        let table = [
            (
                "test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s",
                counts(3, 0, 0, 0),
            ),
            (
                "test result: FAILED. 12 passed; 2 failed; 1 ignored; 0 measured; 7 filtered out; finished in 1.20s\n",
                counts(12, 2, 1, 7),
            ),
            ("test result: \u{1b}[32mok\u{1b}[0m. 1 passed; 0 failed; 0 ignored", counts(1, 0, 0, 0)),
            ("test gate::holds ... ok", None),
            ("running 3 tests", None),
            ("3 passed, 0 failed", None),
            ("", None),
        ];
        for (line, expected) in table {
            assert_eq!(Counts::parse(line), expected, "{line}");
        }
    }

    #[test]
    fn the_sum_is_plain_where_nothing_was_left_out() {
        let sum = Counts::one(true) + Counts::one(true) + Counts::one(false);
        assert_eq!(sum.to_string(), "2 passed, 1 failed");
        let sum = Counts { ignored: 1, filtered: 2, ..sum };
        assert_eq!(sum.to_string(), "2 passed, 1 failed, 1 ignored, 2 filtered out");
    }
}
