//! Workload 12: what a change of the view costs each node, in processor time, in a cluster of 4,096 shards. Only the
//! bytes of the view are there; members are simulated.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    num::{NonZeroU16, NonZeroU32},
    sync::Arc,
    time::Duration,
};

use dna_cluster::{
    Member, MemberState, Moment, Placement, Routing, Seen, Settings, View,
    decide::{self, Late, Steady, TakeoverStep},
};
use dna_core::{Actors, Engine, NodeId, Timestamp};
use dna_transport::Security;
use rustix::time::ClockId;

use crate::{
    bench::Bench,
    error::Error,
    measure::computed,
    row::{Board, Class, Spec, Unit},
};

const SHARDS: NonZeroU32 = NonZeroU32::new(4096).unwrap();
const MEMBERS: [u16; 3] = [3, 30, 300];
const DECODING: &str = "decoding the view";

/// What is timed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// A node hears of it: decodes it, sees what it gains and loses and should give away, and has its messages follow.
    Hearing,
    /// Only the decoding of that.
    Decoding,
    /// A node makes it: a takeover from one that is dead, up to the bytes that are swapped in.
    Making,
}

pub(super) fn run(bench: &Bench, board: &mut Board) -> Result<(), Error> {
    for members in MEMBERS {
        let cluster = Cluster::of(members)?;
        let spec = |what: &str| {
            let name = format!("a node's time for a view change, 4,096 shards, members: {members}, {what}");
            Spec::new(12, Class::Reads, Unit::Microseconds, name)
        };
        let (hearing, making) = (spec("who hears of it"), spec("who makes it"));
        for round in bench.rounds(&format!("(12) view changes, members: {members}")) {
            for part in round.order(&[Part::Hearing, Part::Decoding, Part::Making]) {
                let micros = cluster.time(part, bench.scale.view_changes)?;
                if !round.counts() {
                    continue;
                }
                match part {
                    Part::Hearing => board.row(hearing.clone()).ours.push(micros),
                    Part::Decoding => board.row(hearing.clone()).reference(DECODING, micros),
                    Part::Making => board.row(making.clone()).ours.push(micros),
                }
            }
        }
    }
    Ok(())
}

/// A cluster in which every shard is where it belongs, and one member dies.
struct Cluster {
    me: NodeId,
    dead: NodeId,
    before: Seen,
    /// The view in which another node has taken over.
    after: Vec<u8>,
    routing: Arc<Routing>,
    /// What the routing belongs to.
    _engine: Engine,
}

fn node(number: u16) -> NodeId {
    let mut bytes = [7; 16];
    bytes.iter_mut().zip(number.to_be_bytes()).for_each(|(byte, number)| *byte = number);
    NodeId::from_bytes(bytes)
}

fn member(number: u16) -> Member {
    Member {
        id: node(number),
        address: SocketAddr::from(([127, 0, 0, 1], 10_000 + number)),
        state: MemberState::Active,
        types: BTreeMap::from([("Cart".to_owned(), 1), ("Order".to_owned(), 1)]),
        lanes: NonZeroU16::MIN,
        protocol: 1,
        weight: 100,
        machine: None,
    }
}

fn invalid(what: impl ToString) -> Error {
    Error::Invariant(what.to_string())
}

impl Cluster {
    fn of(members: u16) -> Result<Self, Error> {
        let settings = Settings {
            shards: SHARDS,
            agreement: String::new(),
            lease: Duration::from_secs(3),
            placements: BTreeMap::from([("Cart".to_owned(), Placement::Hash), ("Order".to_owned(), Placement::Hash)]),
        };
        let mut seen = None;
        for number in 0..members {
            let view =
                decide::join(seen.as_ref(), &member(number), &settings, Timestamp::default()).map_err(invalid)?;
            seen = Some(Seen { version: seen.map_or(1, |seen: Seen| seen.version + 1), view });
        }
        let seen = seen.ok_or_else(|| invalid("a cluster has members"))?;
        // The first one to join has everything so far.
        let moves = decide::misplaced(&seen.view, node(0)).collect::<Vec<_>>();
        let view = decide::hand_over(&seen, node(0), &moves, Timestamp::default());
        let view = view.ok_or_else(|| invalid("what is the own can be given away"))?;
        let before = Seen { version: seen.version + 1, view };
        let (me, dead) = (node(0), node(1));
        let after = taken_over(&before, node(2), dead)?.encode().map_err(invalid)?;
        let (engine, serving) = Engine::member(Actors::new(), dna_core::Settings::default(), SHARDS)?;
        let routing = Routing::new(serving, SHARDS, "views", Security::none());
        let routing = routing.ok_or_else(|| invalid("an engine has no router yet"))?;
        Ok(Cluster { me, dead, before, after, routing, _engine: engine })
    }

    /// Microseconds of processor time for one change.
    fn time(&self, part: Part, changes: u32) -> Result<f64, Error> {
        let mut all = Duration::ZERO;
        for _ in 0..changes {
            self.routing.follow(&self.before, self.me);
            let mut steady = Steady::default();
            steady.observe(&self.before.view, Moment::default());
            let begin = computed(ClockId::ThreadCPUTime);
            match part {
                Part::Hearing => self.hear(&mut steady)?,
                Part::Decoding => _ = View::decode(&self.after).map_err(invalid)?,
                Part::Making => _ = taken_over(&self.before, self.me, self.dead)?.encode().map_err(invalid)?,
            }
            all += computed(ClockId::ThreadCPUTime).saturating_sub(begin);
        }
        Ok(all.as_secs_f64() * 1e6 / f64::from(changes.max(1)))
    }

    fn hear(&self, steady: &mut Steady) -> Result<(), Error> {
        let seen = Seen { version: self.before.version + 1, view: View::decode(&self.after).map_err(invalid)? };
        let now = Moment::default().after(Duration::from_secs(60));
        steady.observe(&seen.view, now);
        let changes = decide::shard_changes(Some(&self.before.view), &seen.view, self.me);
        if !changes.lost.is_empty() {
            return Err(invalid("a takeover takes nothing from those who live"));
        }
        let patience = Duration::from_secs(30);
        let step = decide::next_moves(&seen.view, self.me, steady, &Late::default(), patience, now);
        if step != decide::MoveStep::Nothing {
            return Err(invalid("what a takeover gives is where it belongs"));
        }
        self.routing.follow(&seen, self.me);
        Ok(())
    }
}

fn taken_over(before: &Seen, me: NodeId, dead: NodeId) -> Result<View, Error> {
    let replayed = Some(Timestamp::default());
    match decide::take_over(before, me, dead, replayed, Timestamp::default()) {
        TakeoverStep::Swap(view) => Ok(view),
        _ => Err(invalid("a dead member is taken over")),
    }
}
