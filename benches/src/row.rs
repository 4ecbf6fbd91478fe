//! The rows of a run: what was measured of DNA, and beside it what was measured of each limit in the same rounds.

use crate::measure::Summary;

/// What a row's `Ok` promises. Rows of different classes never share a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// The disk alone.
    Disk,
    /// What was answered outlives a power failure.
    Synced,
    /// What was answered stands in the commit log of a database.
    Database,
    /// What was answered outlives the process.
    Buffered,
    /// What was answered is lost with the process.
    Memory,
    /// Nothing is written.
    Reads,
}

impl Class {
    pub(crate) fn title(self) -> &'static str {
        match self {
            Class::Disk => "the disk alone",
            Class::Synced => "durable: every `Ok` outlives a power failure",
            Class::Database => "durable as the database is: every `Ok` stands in its commit log",
            Class::Buffered => "NOT durable: an `Ok` outlives the process, not a power failure",
            Class::Memory => "NOT durable: in memory, lost with the process",
            Class::Reads => "nothing is written",
        }
    }
}

/// What a value counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    PerSecond,
    Microseconds,
    Seconds,
    Bytes,
    /// Puts that share something.
    Puts,
    /// Operations that wait.
    Waiting,
    /// Rows of a table that is not to grow.
    Slots,
}

impl Unit {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Unit::PerSecond => "1/s",
            Unit::Microseconds => "µs",
            Unit::Seconds => "s",
            Unit::Bytes => "B",
            Unit::Puts => "puts",
            Unit::Waiting => "operations",
            Unit::Slots => "slots",
        }
    }

    /// Whether more is better.
    fn rises(self) -> bool {
        matches!(self, Unit::PerSecond | Unit::Puts)
    }

    /// Whether a value, or a ratio of values, is as good as it should be.
    pub(crate) fn meets(self, found: f64, target: f64) -> bool {
        if self.rises() { found >= target } else { found <= target }
    }

    /// The sign in front of a target.
    pub(crate) fn bound(self) -> &'static str {
        if self.rises() { "≥" } else { "≤" }
    }

    /// Which way a ratio is good.
    pub(crate) fn direction(self) -> &'static str {
        if self.rises() { "higher is better" } else { "lower is better" }
    }

    /// The same as a sign.
    pub(crate) fn arrow(self) -> &'static str {
        if self.rises() { "↑" } else { "↓" }
    }
}

/// A plot that a row is a point of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Figure {
    Throughput,
    Latency,
    Growth,
    /// Throughput by actors with a caller each.
    Actors,
    GroupSize,
    Commits,
    LagOperations,
    LagSeconds,
}

/// How good a row is to be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Target {
    /// The reference that the ratio is to; `None`: the value itself.
    pub(crate) of: Option<&'static str>,
    pub(crate) at: f64,
}

/// What a row is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Spec {
    pub(crate) workload: u8,
    pub(crate) name: String,
    pub(crate) class: Class,
    pub(crate) unit: Unit,
    pub(crate) point: Option<(Figure, u64)>,
    pub(crate) targets: Vec<Target>,
}

impl Spec {
    pub(crate) fn new(workload: u8, class: Class, unit: Unit, name: impl Into<String>) -> Self {
        Spec { workload, name: format!("({workload}) {}", name.into()), class, unit, point: None, targets: Vec::new() }
    }

    /// Makes it a point of a plot.
    pub(crate) fn at(mut self, figure: Figure, x: u64) -> Self {
        self.point = Some((figure, x));
        self
    }

    /// Sets what it is to reach beside a reference, or by itself.
    pub(crate) fn aim(mut self, of: impl Into<Option<&'static str>>, at: f64) -> Self {
        self.targets.push(Target { of: of.into(), at });
        self
    }

    /// What it is to reach beside this reference; by itself where there is none.
    pub(crate) fn target(&self, reference: Option<&str>) -> Option<f64> {
        self.targets.iter().find(|target| target.of == reference).map(|target| target.at)
    }
}

/// A row: what was measured, round by round.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) spec: Spec,
    pub(crate) ours: Vec<f64>,
    pub(crate) references: Vec<Reference>,
}

/// What was measured of one limit beside a row.
#[derive(Debug, Clone)]
pub(crate) struct Reference {
    pub(crate) name: String,
    pub(crate) values: Vec<f64>,
}

impl Row {
    pub(crate) fn summary(&self) -> Option<Summary> {
        Summary::of(&self.ours)
    }

    /// Adds a value of a limit.
    pub(crate) fn reference(&mut self, name: &str, value: f64) {
        if let Some(reference) = self.references.iter_mut().find(|reference| reference.name == name) {
            reference.values.push(value);
        } else {
            self.references.push(Reference { name: name.to_owned(), values: vec![value] });
        }
    }

    /// The row's median over the reference's, and the least and greatest ratio within one round.
    pub(crate) fn ratio(&self, reference: &Reference) -> Option<Summary> {
        let (ours, theirs) = (self.summary()?, Summary::of(&reference.values)?);
        let pairs = self.ours.iter().zip(&reference.values).map(|(ours, theirs)| ours / theirs);
        let within = Summary::of(&pairs.collect::<Vec<_>>())?;
        Some(Summary { median: ours.median / theirs.median, ..within })
    }
}

/// All rows of a run, in the order in which they began.
#[derive(Debug, Default)]
pub(crate) struct Board {
    pub(crate) rows: Vec<Row>,
    pub(crate) timelines: Vec<Timeline>,
}

/// What was seen over the time of a run, as lines over seconds.
#[derive(Debug, Clone)]
pub(crate) struct Timeline {
    pub(crate) title: &'static str,
    /// What is counted, with its unit.
    pub(crate) y: &'static str,
    pub(crate) class: Class,
    /// Each line with its name; its points as seconds and value.
    pub(crate) lines: Vec<(&'static str, Vec<(f64, f64)>)>,
}

impl Board {
    /// The row of that name; a new one where there is none.
    pub(crate) fn row(&mut self, spec: Spec) -> &mut Row {
        let index = self.rows.iter().position(|row| row.spec.name == spec.name).unwrap_or_else(|| {
            self.rows.push(Row { spec, ours: Vec::new(), references: Vec::new() });
            self.rows.len() - 1
        });
        #[expect(clippy::indexing_slicing, reason = "the index was found or made in the line above")]
        &mut self.rows[index]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_met_in_the_direction_of_its_unit() {
        let spec = Spec::new(1, Class::Database, Unit::PerSecond, "casts").aim("a", 0.65).aim(None, 2000.0);
        assert_eq!(
            (spec.target(Some("a")), spec.target(Some("b")), spec.target(None)),
            (Some(0.65), None, Some(2000.0))
        );
        assert!(Unit::PerSecond.meets(0.65, 0.65) && !Unit::PerSecond.meets(0.64, 0.65));
        assert!(Unit::Microseconds.meets(1.15, 1.15) && !Unit::Microseconds.meets(1.16, 1.15));
    }

    #[test]
    fn the_ratio_is_of_the_medians_and_its_ends_of_the_rounds() {
        let mut board = Board::default();
        let spec = Spec::new(2, Class::Synced, Unit::PerSecond, "puts");
        for (ours, log) in [(10.0, 10.0), (20.0, 40.0), (30.0, 120.0)] {
            board.row(spec.clone()).ours.push(ours);
            board.row(spec.clone()).reference("log", log);
        }
        assert_eq!(board.rows.len(), 1);
        let row = &board.rows[0];
        let ratio = row.ratio(&row.references[0]).unwrap();
        assert_eq!((ratio.median, ratio.min, ratio.max), (0.5, 0.25, 1.0));
    }
}
