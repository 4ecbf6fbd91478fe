//! Tells the recorder, from time to time, what a node has counted.

use std::{collections::BTreeMap, sync::Arc, sync::atomic::Ordering};

use crate::engine::Shared;

use super::{
    counts::KindMeter,
    metric::Metric,
    portion::Portion,
    spread::Spread,
    table::{
        ACTIVATIONS, ACTIVE_ACTORS, ACTOR_TASKS, CACHED, CALL_DURATION, COMMIT_DURATION, DROPPED_CASTS, ELSEWHERE,
        EXPIRED, FAILURES_TOTAL, GROUP_BYTES, GROUP_MESSAGES, GROUPS, HELD_REPLIES, HERE, MAILBOX_LONGEST,
        MAILBOX_MESSAGES, MESSAGES, METRICS, PASSIVATIONS, ROUTED, ROWS_AGE, ROWS_BYTES, ROWS_OPERATIONS, UNCOMMITTED,
    },
};

/// How often it tells: every so many milliseconds of the coarse clock.
const PERIOD_MS: u64 = 1000;

const NANO: f64 = 1e-9;

/// Tells the recorder what one node has counted. It is the sweeper's.
pub(crate) struct Publisher {
    next: u64,
    /// What was told of each counter.
    told: BTreeMap<(&'static str, &'static str), u64>,
    queued: Portion,
    routed: Portion,
    uncommitted: Portion,
    held: Portion,
    cached: Portion,
    tasks: Portion,
    rows_bytes: Portion,
    rows_operations: Portion,
    kinds: BTreeMap<&'static str, (Portion, Portion)>,
}

impl Publisher {
    /// Describes the metrics, and has told nothing yet.
    pub(crate) fn new() -> Self {
        METRICS.iter().for_each(Metric::describe);
        let portion = |metric: &'static Metric| Portion::new(metric, &[]);
        Publisher {
            next: 0,
            told: BTreeMap::new(),
            queued: portion(&MAILBOX_MESSAGES),
            routed: portion(&ROUTED),
            uncommitted: portion(&UNCOMMITTED),
            held: portion(&HELD_REPLIES),
            cached: portion(&CACHED),
            tasks: portion(&ACTOR_TASKS),
            rows_bytes: portion(&ROWS_BYTES),
            rows_operations: portion(&ROWS_OPERATIONS),
            kinds: BTreeMap::new(),
        }
    }

    /// Tells, if it is time.
    pub(crate) fn tick(&mut self, shared: &Shared, now: u64) {
        if cfg!(feature = "metrics") && now >= self.next {
            self.next = now + PERIOD_MS;
            self.publish(shared);
        }
    }

    /// Tells now.
    pub(crate) fn publish(&mut self, shared: &Shared) {
        let counts = &shared.counts;
        self.count(&EXPIRED, "", counts.expired());
        self.count(&GROUPS, "", shared.groups());
        self.count(&DROPPED_CASTS, "", shared.dropped_casts.load(Ordering::Relaxed));
        for (error, failures) in counts.failures() {
            self.count(&FAILURES_TOTAL, error, failures);
        }
        record(&GROUP_BYTES, &[], &counts.group_bytes, 1.0);
        record(&GROUP_MESSAGES, &[], &counts.group_messages, 1.0);
        record(&COMMIT_DURATION, &[], &counts.commit_nanos, NANO);
        self.queued.set(shared.queued());
        self.routed.set(shared.routed());
        self.uncommitted.set(shared.uncommitted_bytes());
        self.held.set(shared.held());
        self.cached.set(shared.cached_bytes());
        self.tasks.set(shared.tasks());
        let waiting = shared.rows_waiting();
        self.rows_bytes.set(waiting.bytes);
        self.rows_operations.set(waiting.operations);
        ROWS_AGE.set(&[], waiting.age.as_secs_f64());
        for kind in shared.kinds() {
            self.publish_kind(&kind);
        }
    }

    fn publish_kind(&mut self, meter: &Arc<KindMeter>) {
        let [kind] = *meter.kind;
        self.count(&ACTIVATIONS, kind, meter.activations());
        self.count(&PASSIVATIONS, kind, meter.passivations());
        self.count(&MESSAGES, kind, meter.messages());
        record(&CALL_DURATION, &[kind, HERE], &meter.here, NANO);
        record(&CALL_DURATION, &[kind, ELSEWHERE], &meter.elsewhere, NANO);
        let portions = || (Portion::new(&ACTIVE_ACTORS, meter.kind), Portion::new(&MAILBOX_LONGEST, meter.kind));
        let (active, longest) = self.kinds.entry(kind).or_insert_with(portions);
        active.set(usize::try_from(meter.active()).unwrap_or(usize::MAX));
        longest.set(meter.take_longest());
    }

    /// Tells by how much a counter has risen. It has one label at the most, of this value.
    fn count(&mut self, metric: &Metric, label: &'static str, now: u64) {
        let told = self.told.entry((metric.name, label)).or_default();
        let more = now.saturating_sub(std::mem::replace(told, now));
        let labels = [label];
        metric.add(if metric.labels.is_empty() { &[] } else { &labels }, more);
    }
}

fn record(metric: &Metric, labels: &[&'static str], spread: &Spread, unit: f64) {
    for (value, times) in spread.take() {
        metric.record(labels, value * unit, times);
    }
}
