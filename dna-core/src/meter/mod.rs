//! What a node counts, and how that becomes metrics.
//!
//! Nothing is told of a single message. What happens often is counted in atomics of the node, which its sweeper tells the
//! recorder about once a second; one call in many is timed (`sample`). What is rare is told when it happens. Every
//! metric is a constant of `table`, and whoever tells of one names that constant: so the table is whole.

mod counts;
mod metric;
mod portion;
mod publisher;
mod sample;
mod spread;
mod table;

pub(crate) use self::{
    counts::{Counts, KindMeter},
    publisher::Publisher,
    sample::Sample,
    table::{GROUPS_REFUSED, GROUPS_RESENT},
};
pub use self::{
    metric::{Metric, MetricKind, MetricLabel},
    portion::Portion,
    table::METRICS,
};
