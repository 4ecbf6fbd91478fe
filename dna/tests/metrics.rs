//! What nodes tell a recorder: as the table has it, and right. The recorder is that of the process, so there is one test
//! that has nodes.
#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods, clippy::indexing_slicing, reason = "tests")]

#[path = "support/nodes.rs"]
mod nodes;
#[path = "support/pipeline.rs"]
mod pipeline;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use dna::{CallError, MemoryCluster, Metric, MetricKind, Overload, prelude::*};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use nodes::{LEASE, until_balanced};
use pipeline::sent;
use tokio::sync::Semaphore;

static GATE: Semaphore = Semaphore::const_new(0);
static BEGUN: AtomicU64 = AtomicU64::new(0);

struct Counter {
    total: Value<u64>,
}

#[dna::actor]
impl Counter {
    async fn init(ctx: Context) -> dna::Result<Self> {
        Ok(Counter { total: ctx.open("total")? })
    }

    pub async fn add(&mut self, amount: u64) -> dna::Result<u64> {
        let total = self.total.get().await?.unwrap_or(0) + amount;
        self.total.set(total);
        Ok(total)
    }

    pub async fn fail(&mut self) -> Result<(), String> {
        Err("no".to_owned())
    }

    pub async fn panic(&mut self) {
        panic!("as it is told to")
    }

    /// Ends when the gate is open.
    pub async fn held(&mut self) {
        BEGUN.fetch_add(1, Ordering::SeqCst);
        GATE.acquire().await.unwrap().forget();
    }
}

const DOCUMENT: &str = include_str!("../../docs/metrics.md");

fn kind(kind: MetricKind) -> &'static str {
    match kind {
        MetricKind::Counter => "counter",
        MetricKind::Gauge => "gauge",
        MetricKind::Histogram => "histogram",
        _ => panic!("a kind that has no word"),
    }
}

fn row(metric: &Metric) -> String {
    let labels: Vec<_> = metric.labels.iter().map(|label| format!("`{}`", label.name)).collect();
    let row = format!("| `{}` | {} | {} | {} |", metric.name, kind(metric.kind), labels.join(", "), metric.what);
    row.replace("  ", " ")
}

fn values() -> BTreeSet<String> {
    let labels = dna::metrics().flat_map(|metric| metric.labels).filter(|label| !label.values.is_empty());
    let words = |values: &[&str]| values.iter().map(|value| format!("`{value}`")).collect::<Vec<_>>().join(", ");
    labels.map(|label| format!("| `{}` | {} |", label.name, words(label.values))).collect()
}

#[test]
fn the_table_of_metrics_is_that_of_the_code() {
    let documented: Vec<_> = DOCUMENT.lines().filter(|line| line.starts_with("| `dna_")).collect();
    let expected: Vec<_> = dna::metrics().map(row).collect();
    assert_eq!(documented, expected, "the table is to be:\n{}\n", expected.join("\n"));
    for line in values() {
        assert!(DOCUMENT.contains(&line), "this line is not there:\n{line}");
    }
}

#[test]
fn every_label_has_a_bounded_set_of_values() {
    for label in dna::metrics().flat_map(|metric| metric.labels) {
        assert!(!label.values.is_empty() || label.name == "actor_type", "{}", label.name);
    }
}

async fn start(cluster: &MemoryCluster) -> Node {
    let listen: SocketAddr = "127.0.0.1:0".parse().unwrap();
    let node = Node::builder().store(cluster.clone()).listen(listen).lease(LEASE).actor::<Counter>();
    node.mailbox_messages_max(1).start().await.unwrap()
}

/// What a server would fetch: the value of each line, by its name and labels.
fn told(prometheus: &PrometheusHandle) -> BTreeMap<String, f64> {
    let text = prometheus.render();
    let samples = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    samples
        .map(|line| line.rsplit_once(' ').unwrap())
        .map(|(key, value)| (key.to_owned(), value.parse().unwrap()))
        .collect()
}

/// Waits until what was told is so.
async fn until(prometheus: &PrometheusHandle, what: &str, is: impl Fn(&BTreeMap<String, f64>) -> bool) {
    for _ in 0..600 {
        if is(&told(prometheus)) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{what}: {:#?}", told(prometheus));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_tell_every_metric_of_the_table_and_count_what_was_done_moved_refused_and_dropped() {
    let prometheus = PrometheusBuilder::new().install_recorder().unwrap();
    let cluster = MemoryCluster::new();
    let first = start(&cluster).await;
    let second = start(&cluster.another()).await;
    let is = |key: &'static str, expected: f64| {
        move |told: &BTreeMap<String, f64>| told.get(key).is_some_and(|value| *value == expected)
    };
    until(&prometheus, "shards move", |told| {
        told.get("dna_move_duration_seconds_count").is_some_and(|batches| *batches > 1.0)
    })
    .await;
    until(&prometheus, "two members", is("dna_members", 2.0)).await;
    until_balanced(&[&first, &second]).await;
    until(&prometheus, "what was given away was gained by the other one", |told| {
        let [gained, given] = ["dna_shards_gained_total", "dna_shards_given_away_total"].map(|key| told[key]);
        given > 0.0 && gained >= 256.0 + given
    })
    .await;
    for n in 0..300 {
        let name = format!("{}", n % 100);
        first.client::<Counter>(name.as_str()).add(1).await.unwrap();
        second.client::<Counter>(name).add(1).await.unwrap();
    }
    for _ in 0..3 {
        first.client::<Counter>("0").fail().await.unwrap_err();
    }
    until(&prometheus, "three failures", is("dna_messages_failed_total{error=\"handler\"}", 3.0)).await;
    until(&prometheus, "a hundred actors on two nodes", is("dna_active_actors{actor_type=\"Counter\"}", 100.0)).await;
    assert_eq!(told(&prometheus).get("dna_casts_dropped_total").copied().unwrap_or_default(), 0.0);
    first.client::<Counter>("0").panic().cast().await.unwrap();
    until(&prometheus, "one cast whose handler has panicked", is("dna_casts_dropped_total", 1.0)).await;
    let busy = first.client::<Counter>("busy");
    let held = sent(busy.held()).await;
    until(&prometheus, "it is held", |_| BEGUN.load(Ordering::SeqCst) == 1).await;
    let queued = sent(busy.add(1)).await;
    let refused = busy.add(1).no_wait().await.unwrap_err();
    assert!(matches!(refused, CallError::Overloaded(Overload::Mailbox)), "{refused:?}");
    until(&prometheus, "a full mailbox", is("dna_messages_failed_total{error=\"overloaded_mailbox\"}", 1.0)).await;
    until(&prometheus, "one that waits", is("dna_mailbox_messages", 1.0)).await;
    GATE.add_permits(1);
    held.await.unwrap().unwrap();
    queued.await.unwrap().unwrap();
    until(&prometheus, "none that waits", is("dna_mailbox_messages", 0.0)).await;
    until(&prometheus, "each node is connected with the other", is("dna_connections{direction=\"out\"}", 2.0)).await;
    until(&prometheus, "all shards are owned", is("dna_shards_owned", 256.0)).await;
    let now = told(&prometheus);
    assert!(now["dna_activations_total{actor_type=\"Counter\"}"] >= 100.0, "{now:#?}");
    assert!(now["dna_messages_total{actor_type=\"Counter\"}"] >= 603.0, "{now:#?}");
    assert!(now["dna_group_messages_sum"] >= 590.0 && now["dna_group_messages_count"] >= 1.0, "{now:#?}");
    let timed =
        |served: &str| now[&format!("dna_call_duration_seconds_count{{actor_type=\"Counter\",served=\"{served}\"}}")];
    assert!(timed("here") >= 1.0 && timed("elsewhere") >= 1.0, "{now:#?}");
    assert!(now["dna_lease_remaining_seconds"] > 0.0 && now["dna_lease_remaining_seconds"] <= LEASE.as_secs_f64());

    drop(second);
    until(&prometheus, "a takeover", is("dna_takeovers_total", 1.0)).await;
    until(&prometheus, "how long it took", is("dna_takeover_duration_seconds_count", 1.0)).await;
    assert!(told(&prometheus)["dna_joins_total"] >= 2.0);
    let names: BTreeSet<_> =
        told(&prometheus).into_keys().map(|key| key.split('{').next().unwrap().to_owned()).collect();
    for metric in dna::metrics() {
        let name = metric.name.to_owned() + if metric.kind == MetricKind::Histogram { "_count" } else { "" };
        assert!(names.contains(&name), "{name} was not told: {names:#?}");
    }
    for name in names {
        let plain = name.trim_end_matches("_count").trim_end_matches("_sum");
        assert!(dna::metrics().any(|metric| metric.name == plain || metric.name == name), "{name} is not in the table");
    }
    let described = prometheus.render();
    for metric in dna::metrics() {
        assert!(described.contains(&format!("# HELP {} {}\n", metric.name, metric.what)), "{}", metric.name);
    }

    first.shutdown().await.unwrap();
    until(&prometheus, "no actors", is("dna_active_actors{actor_type=\"Counter\"}", 0.0)).await;
    until(&prometheus, "no shards", is("dna_shards_owned", 0.0)).await;
}
