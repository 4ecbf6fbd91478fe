//! One metric: its name, its labels, and how it is told to the recorder of the process.

/// A metric of DNA. It goes to the recorder of the `metrics` crate that the process has, with the feature `metrics`; without
/// the feature, or without a recorder, nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metric {
    /// Its name, which ends in its unit.
    pub name: &'static str,
    /// Its kind.
    pub kind: MetricKind,
    /// Its labels.
    pub labels: &'static [MetricLabel],
    /// What it says.
    pub what: &'static str,
}

/// What kind of metric it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MetricKind {
    /// It only rises.
    Counter,
    /// It rises and falls.
    Gauge,
    /// Many values, of which there is a distribution.
    Histogram,
}

/// A label of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MetricLabel {
    /// Its name.
    pub name: &'static str,
    /// All values that it can have; none are named where these are the actor types of the program.
    pub values: &'static [&'static str],
}

/// The actor type.
pub(super) const ACTOR_TYPE: MetricLabel = MetricLabel { name: "actor_type", values: &[] };

impl Metric {
    /// A counter.
    pub const fn counter(name: &'static str, labels: &'static [MetricLabel], what: &'static str) -> Self {
        Metric { name, kind: MetricKind::Counter, labels, what }
    }

    /// A gauge.
    pub const fn gauge(name: &'static str, labels: &'static [MetricLabel], what: &'static str) -> Self {
        Metric { name, kind: MetricKind::Gauge, labels, what }
    }

    /// A histogram.
    pub const fn histogram(name: &'static str, labels: &'static [MetricLabel], what: &'static str) -> Self {
        Metric { name, kind: MetricKind::Histogram, labels, what }
    }

    /// Counts so many more; `labels` has the value of each label.
    pub fn add(&self, labels: &[&'static str], count: u64) {
        #[cfg(feature = "metrics")]
        metrics::counter!(self.name, self.labels_of(labels)).increment(count);
        #[cfg(not(feature = "metrics"))]
        let _ = (labels, count);
    }

    /// Sets a gauge.
    pub fn set(&self, labels: &[&'static str], value: f64) {
        #[cfg(feature = "metrics")]
        metrics::gauge!(self.name, self.labels_of(labels)).set(value);
        #[cfg(not(feature = "metrics"))]
        let _ = (labels, value);
    }

    /// Adds a value to a histogram, so many times.
    pub fn record(&self, labels: &[&'static str], value: f64, times: usize) {
        #[cfg(feature = "metrics")]
        metrics::histogram!(self.name, self.labels_of(labels)).record_many(value, times);
        #[cfg(not(feature = "metrics"))]
        let _ = (labels, value, times);
    }

    /// Tells the recorder what the metric is; a counter is 0 from then on, where all values of its labels are known.
    pub fn describe(&self) {
        #[cfg(feature = "metrics")]
        {
            let unit = self.unit();
            match self.kind {
                MetricKind::Counter => metrics::describe_counter!(self.name, unit, self.what),
                MetricKind::Gauge => metrics::describe_gauge!(self.name, unit, self.what),
                MetricKind::Histogram => metrics::describe_histogram!(self.name, unit, self.what),
            }
            if self.kind != MetricKind::Counter {
                return;
            }
            match self.labels {
                [] => self.add(&[], 0),
                [label] => label.values.iter().for_each(|value| self.add(&[*value], 0)),
                _ => {}
            }
        }
    }

    #[cfg(feature = "metrics")]
    fn unit(&self) -> metrics::Unit {
        match self.name {
            name if name.ends_with("_seconds") => metrics::Unit::Seconds,
            name if name.ends_with("_bytes") => metrics::Unit::Bytes,
            _ => metrics::Unit::Count,
        }
    }

    #[cfg(feature = "metrics")]
    fn labels_of(&self, values: &[&'static str]) -> Vec<metrics::Label> {
        debug_assert_eq!(values.len(), self.labels.len(), "each label of {} has a value", self.name);
        let labels = self.labels.iter().zip(values);
        labels.map(|(label, value)| metrics::Label::from_static_parts(label.name, value)).collect()
    }
}
