//! The metrics, as a program sees them.

use dna_core::Metric;

/// All metrics that nodes tell the recorder of the `metrics` crate; `docs/metrics.md` has them as a table.
pub fn metrics() -> impl Iterator<Item = &'static Metric> {
    #[cfg(feature = "cluster")]
    let of_clusters = dna_cluster::METRICS;
    #[cfg(not(feature = "cluster"))]
    let of_clusters: &[Metric] = &[];
    dna_core::METRICS.iter().chain(of_clusters)
}

/// Describes all metrics to the recorder of the process. Every node does so when it starts: only who installs a recorder
/// later calls this.
pub fn describe_metrics() {
    metrics().for_each(Metric::describe);
}
