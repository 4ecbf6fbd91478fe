//! Gauges of a process: where it has several nodes, their values are added up.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicI64, Ordering},
    },
};

use parking_lot::Mutex;

use super::metric::Metric;

type Totals = BTreeMap<(&'static str, &'static [&'static str]), Arc<AtomicI64>>;

/// What the nodes of this process have together.
static TOTALS: LazyLock<Mutex<Totals>> = LazyLock::new(Mutex::default);

/// The part that one node has in a gauge of its process. Dropped, it is 0.
#[derive(Debug)]
pub struct Portion {
    metric: &'static Metric,
    labels: &'static [&'static str],
    total: Arc<AtomicI64>,
    own: i64,
}

impl Portion {
    /// A part of this gauge with these values of its labels: 0 so far.
    pub fn new(metric: &'static Metric, labels: &'static [&'static str]) -> Self {
        let total = TOTALS.lock().entry((metric.name, labels)).or_default().clone();
        Portion { metric, labels, total, own: 0 }
    }

    /// Makes it this, and tells the sum of all.
    pub fn set(&mut self, value: usize) {
        let value = i64::try_from(value).unwrap_or(i64::MAX);
        let change = value - std::mem::replace(&mut self.own, value);
        let total = self.total.fetch_add(change, Ordering::Relaxed) + change;
        #[expect(clippy::cast_precision_loss, reason = "gauges are floating numbers")]
        self.metric.set(self.labels, total as f64);
    }
}

impl Drop for Portion {
    fn drop(&mut self) {
        self.set(0);
    }
}
