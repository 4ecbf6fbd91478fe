//! The metrics of memberships and routing. `docs/metrics.md` has them as a table; a test compares the two.

use std::fmt;

use dna_core::{Metric, MetricLabel, NodeId, Portion};
use dna_transport::{Event, Observer};
use parking_lot::Mutex;

use crate::{host::Loss, lease::LeaseHandle, moment::Moment, view::View};

const WHY: MetricLabel = MetricLabel { name: "why", values: &["lease_lapsed", "fenced", "other"] };
const DIRECTION: MetricLabel = MetricLabel { name: "direction", values: &["out", "in"] };

macro_rules! metrics {
    ($($constant:ident: $kind:ident $name:literal $labels:expr, $what:literal;)*) => {
        $(pub(crate) const $constant: Metric = Metric::$kind($name, $labels, $what);)*

        /// All metrics of this crate.
        pub const METRICS: &[Metric] = &[$($constant),*];
    };
}

metrics! {
    MEMBERS: gauge "dna_members" &[], "Members of the cluster, as this process has seen them last";
    SHARDS_OWNED: gauge "dna_shards_owned" &[], "Shards that this process owns";
    SHARDS_GAINED: counter "dna_shards_gained_total" &[], "Shards that came to this process";
    SHARDS_GIVEN_AWAY: counter "dna_shards_given_away_total" &[], "Shards that this process gave to another one";
    MOVE_DURATION: histogram "dna_move_duration_seconds" &[],
        "How long the shards of one batch were served by nobody, up to the new view";
    MOVES_LATE: counter "dna_moves_late_total" &[], "Batches whose actors did not end in time, and that move later";
    TAKEOVERS: counter "dna_takeovers_total" &[], "Dead members that this process took over from";
    TAKEOVER_DURATION: histogram "dna_takeover_duration_seconds" &[],
        "From when a member was taken for dead to the view without it";
    JOINS: counter "dna_joins_total" &[], "Memberships of this process: all but the first are after a loss";
    MEMBERSHIPS_LOST: counter "dna_memberships_lost_total" &[WHY], "Memberships that were lost";
    HEARTBEATS_FAILED: counter "dna_heartbeats_failed_total" &[], "Heartbeats that the database did not confirm";
    LEASE_REMAINING: gauge "dna_lease_remaining_seconds" &[],
        "For how long this process may answer if no heartbeat succeeds any more";
    CONNECTIONS: gauge "dna_connections" &[DIRECTION], "Connections with other nodes";
    MESSAGES_BOUNCED: counter "dna_messages_bounced_total" &[],
        "Messages that came back, since the node that they were sent to does not serve their name";
    MESSAGES_RESENT: counter "dna_messages_resent_total" &[], "Messages that came back and were sent again";
}

/// Tells what the metrics are.
pub(crate) fn describe() {
    METRICS.iter().for_each(Metric::describe);
}

/// A membership was lost.
pub(crate) fn lost(why: Loss) {
    let why = match why {
        Loss::LeaseLapsed => "lease_lapsed",
        Loss::Fenced => "fenced",
        _ => "other",
    };
    MEMBERSHIPS_LOST.add(&[why], 1);
}

/// The gauges of one membership. Dropped with it, they are 0.
#[derive(Debug)]
pub(crate) struct Gauges {
    shards: Portion,
}

impl Gauges {
    pub(crate) fn new() -> Self {
        Gauges { shards: Portion::new(&SHARDS_OWNED, &[]) }
    }

    /// Tells how things are.
    #[expect(clippy::cast_precision_loss, reason = "gauges are floating numbers")]
    pub(crate) fn tell(&mut self, view: &View, me: NodeId, lease: &LeaseHandle, now: Moment) {
        MEMBERS.set(&[], view.members().count() as f64);
        self.shards.set(view.shards_of(me).count());
        LEASE_REMAINING.set(&[], lease.until().since(now).as_secs_f64());
    }
}

impl Drop for Gauges {
    fn drop(&mut self) {
        MEMBERS.set(&[], 0.0);
        LEASE_REMAINING.set(&[], 0.0);
    }
}

/// Counts the connections of one incarnation.
pub(crate) struct Connections {
    out: Mutex<(usize, Portion)>,
    incoming: Mutex<(usize, Portion)>,
}

impl Connections {
    pub(crate) fn new() -> Self {
        let none = |labels| Mutex::new((0, Portion::new(&CONNECTIONS, labels)));
        Connections { out: none(&["out"]), incoming: none(&["in"]) }
    }
}

fn count(side: &Mutex<(usize, Portion)>, change: impl FnOnce(usize) -> usize) {
    let mut side = side.lock();
    let (connections, portion) = &mut *side;
    *connections = change(*connections);
    portion.set(*connections);
}

impl Observer for Connections {
    fn event(&self, event: Event) {
        let (more, less) = (|now: usize| now + 1, |now: usize| now.saturating_sub(1));
        match event {
            Event::Connected { .. } => count(&self.out, more),
            Event::Disconnected { .. } => count(&self.out, less),
            Event::Accepted { .. } => count(&self.incoming, more),
            Event::Left { .. } => count(&self.incoming, less),
            _ => {}
        }
    }
}

impl fmt::Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connections").finish_non_exhaustive()
    }
}
