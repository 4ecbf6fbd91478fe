//! The metrics of the engine. `docs/metrics.md` has them as a table; a test compares the two.

use super::{
    counts::FAILURES,
    metric::{ACTOR_TYPE, Metric, MetricLabel},
};

const SERVED: MetricLabel = MetricLabel { name: "served", values: &[HERE, ELSEWHERE] };
pub(super) const HERE: &str = "here";
pub(super) const ELSEWHERE: &str = "elsewhere";

macro_rules! metrics {
    ($($constant:ident: $kind:ident $name:literal $labels:expr, $what:literal;)*) => {
        $(pub(crate) const $constant: Metric = Metric::$kind($name, $labels, $what);)*

        /// All metrics of this crate.
        pub const METRICS: &[Metric] = &[$($constant),*];
    };
}

metrics! {
    ACTIVATIONS: counter "dna_activations_total" &[ACTOR_TYPE], "Actors that were activated";
    PASSIVATIONS: counter "dna_passivations_total" &[ACTOR_TYPE],
        "Actors that were passivated, because they were idle, because of a bound, or to move";
    ACTIVE_ACTORS: gauge "dna_active_actors" &[ACTOR_TYPE], "Actors in memory";
    MESSAGES: counter "dna_messages_total" &[ACTOR_TYPE], "Messages that came into mailboxes";
    MAILBOX_MESSAGES: gauge "dna_mailbox_messages" &[], "Messages in mailboxes";
    MAILBOX_LONGEST: gauge "dna_mailbox_longest_messages" &[ACTOR_TYPE],
        "Messages in the longest mailbox that was seen within the last second";
    ROUTED: gauge "dna_routed_messages" &[], "Messages to other nodes that wait, or are on their way, or wait for an answer";
    CALL_DURATION: histogram "dna_call_duration_seconds" &[ACTOR_TYPE, SERVED],
        "From a call's sending, or its arrival from another node, to its reply; one call in 128";
    FAILURES_TOTAL: counter "dna_messages_failed_total" &[MetricLabel { name: "error", values: &FAILURES }],
        "Calls and casts whose sender was told an error, on the sender's node";
    EXPIRED: counter "dna_messages_expired_total" &[], "Messages whose deadline passed before they were begun";
    DROPPED_CASTS: counter "dna_casts_dropped_total" &[], "Casts that were accepted and not handled, or whose handler panicked";
    GROUPS: counter "dna_groups_total" &[], "Groups that were sent to the store";
    GROUPS_RESENT: counter "dna_groups_resent_total" &[], "Times a group was sent again, since its answer was lost";
    GROUPS_REFUSED: counter "dna_groups_refused_total" &[], "Groups that the store refused";
    GROUP_BYTES: histogram "dna_group_size_bytes" &[], "Keys and values of a group, with 16 bytes on top of each write";
    GROUP_MESSAGES: histogram "dna_group_messages" &[], "Messages whose writes a group has";
    COMMIT_DURATION: histogram "dna_commit_duration_seconds" &[], "From a group's sending to its answer";
    UNCOMMITTED: gauge "dna_uncommitted_bytes" &[], "Writes that wait to be committed";
    HELD_REPLIES: gauge "dna_held_replies" &[], "Replies, and calls and casts of handlers, that wait for a commit";
    CACHED: gauge "dna_cached_bytes" &[], "Rows in the caches of actors";
    ACTOR_TASKS: gauge "dna_actor_tasks" &[], "Tasks of actors, at work or lingering";
    ROWS_BYTES: gauge "dna_rows_waiting_bytes" &[], "Committed writes that wait to be stored as rows";
    ROWS_OPERATIONS: gauge "dna_rows_waiting_operations" &[], "Puts and deletes that wait to be stored as rows";
    ROWS_AGE: gauge "dna_rows_waiting_age_seconds" &[], "How long ago the oldest of these was committed";
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::meter::MetricKind;

    #[test]
    fn names_are_unique_and_end_as_their_kind_asks() {
        let names: BTreeSet<_> = METRICS.iter().map(|metric| metric.name).collect();
        assert_eq!(names.len(), METRICS.len());
        for metric in METRICS {
            assert!(metric.name.starts_with("dna_"), "{}", metric.name);
            assert_eq!(metric.name.ends_with("_total"), metric.kind == MetricKind::Counter, "{}", metric.name);
        }
    }
}
