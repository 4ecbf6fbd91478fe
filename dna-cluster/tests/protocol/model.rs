//! The model: its size, its rules, and what must hold in every state.

use std::num::{NonZeroU16, NonZeroU32};

use dna_cluster::{Machine, Member, MemberState, Settings, View, decide};
use dna_core::Timestamp;
use stateright::{Model, Property};

use super::{
    actions::Action,
    database::{Database, Journal, Row},
    node::{Doing, Lane, Node},
    shown::{Shown, id},
};

/// A rule of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rule {
    /// The journals of a dead node are sealed before its shards are claimed.
    SealBeforeClaim,
    /// What of them is not stored, is stored before.
    Replay,
    /// A new owner's timestamps are above those of the view.
    ClockAboveView,
    /// The view's timestamp is above those of the journals that were replayed.
    ClockAboveJournal,
    /// A change of the view without an answer is settled before anything else is done.
    SettleSwaps,
    /// A sealed journal takes nothing.
    SealedRefuses,
    /// What is committed is stored before its shard is handed over.
    StoredBeforeMove,
    /// A node answers only while its lease holds.
    Lease,
    /// A lapsed lease is never renewed.
    LapsedStaysLapsed,
    /// The number of a group without an answer is used for no other one.
    NumbersAreNotReused,
    /// The version is in the condition of a swap.
    VersionInCondition,
    /// All lanes of a node are sealed before any of them is read.
    EveryLaneIsSealed,
    /// Nobody takes over from a live node before its lease has run out.
    LeaseIsWaitedFor,
}

/// Every rule.
pub const RULES: [Rule; 13] = [
    Rule::SealBeforeClaim,
    Rule::Replay,
    Rule::ClockAboveView,
    Rule::ClockAboveJournal,
    Rule::SettleSwaps,
    Rule::SealedRefuses,
    Rule::StoredBeforeMove,
    Rule::Lease,
    Rule::LapsedStaysLapsed,
    Rule::NumbersAreNotReused,
    Rule::VersionInCondition,
    Rule::EveryLaneIsSealed,
    Rule::LeaseIsWaitedFor,
];

/// The rules that hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    pub without: Option<Rule>,
}

impl Rules {
    pub fn on(self, rule: Rule) -> bool {
        self.without != Some(rule)
    }
}

/// The protocol, in one size.
#[derive(Debug, Clone)]
pub struct Protocol {
    pub rules: Rules,
    /// How many nodes are members at the start, and how many may join later.
    pub members: usize,
    pub joiners: usize,
    /// How many counters there are, each in a shard of its own.
    pub keys: usize,
    pub lanes: usize,
    /// Up to what a counter counts.
    pub count_max: u8,
    /// How many groups a node commits on a lane.
    pub groups_max: u8,
    /// The highest version of the view.
    pub version_max: u64,
    /// Whether what is counted while a group is under way goes into the next one.
    pub pipelined: bool,
    /// Whether nodes leave.
    pub leaves: bool,
}

/// Everything there is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct World {
    pub database: Database,
    pub nodes: Vec<Node>,
    /// The values that were acknowledged, a bit each, by key.
    pub acknowledged: Vec<u16>,
    pub wrong: Option<Wrong>,
}

/// What must never be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Wrong {
    AcknowledgedTwice { key: usize, value: u8 },
    LoadedLess { key: usize, value: u8 },
    AnsweredLess { key: usize, value: u8 },
}

impl World {
    /// The highest value of a key that was acknowledged.
    pub fn highest(&self, key: usize) -> u8 {
        let bits = self.acknowledged[key];
        u8::try_from(16 - bits.leading_zeros()).unwrap().saturating_sub(1)
    }

    /// What a node would answer that is older than what was acknowledged.
    pub fn stale_answer(&self, rules: Rules) -> Option<Wrong> {
        for node in &self.nodes {
            for (key, value) in node.memory.iter().enumerate() {
                let Some(value) = *value else { continue };
                let may_answer = node.runs(key) && (!node.expired || !rules.on(Rule::Lease));
                if may_answer && value < self.highest(key) {
                    return Some(Wrong::AnsweredLess { key, value });
                }
            }
        }
        None
    }
}

impl Protocol {
    pub fn settings(&self) -> Settings {
        Settings {
            shards: NonZeroU32::new(u32::try_from(self.keys).unwrap()).unwrap(),
            agreement: String::new(),
            lease: std::time::Duration::from_secs(3),
            placements: [].into(),
        }
    }

    pub fn member(&self, index: usize) -> Member {
        Member {
            id: id(index),
            address: ([127, 0, 0, 1], 7000).into(),
            state: MemberState::Active,
            types: [].into(),
            lanes: NonZeroU16::new(u16::try_from(self.lanes).unwrap()).unwrap(),
            protocol: 1,
            weight: 1,
            machine: None::<Machine>,
        }
    }

    fn first_view(&self) -> Shown {
        let mut seen: Option<Shown> = None;
        for index in 0..self.members {
            let before = seen.as_ref().map(Shown::seen);
            let view: View = decide::join(before, &self.member(index), &self.settings(), Timestamp::ZERO).unwrap();
            seen = Some(Shown::new(seen.map_or(1, |seen| seen.version() + 1), view));
        }
        seen.unwrap()
    }
}

impl Model for Protocol {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        let view = self.first_view();
        let nodes = self.members + self.joiners;
        let node = |index: usize| Node {
            up: index < self.members,
            fresh: index >= self.members,
            draining: false,
            released: false,
            expired: false,
            seen: view.clone(),
            own: (0..self.keys).map(|key| view.epoch(key, index)).collect(),
            memory: vec![None; self.keys],
            clock: 0,
            lanes: vec![Lane::default(); self.lanes],
            doing: Doing::Nothing,
        };
        let database = Database {
            journals: vec![vec![Journal::default(); self.lanes]; nodes],
            rows: vec![Row::default(); self.keys],
            view: view.clone(),
            net: [].into(),
        };
        let acknowledged = vec![0; self.keys];
        vec![World { database, nodes: (0..nodes).map(node).collect(), acknowledged, wrong: None }]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        if world.wrong.is_none() && world.stale_answer(self.rules).is_none() {
            self.possible(world, actions);
        }
    }

    fn next_state(&self, world: &World, action: Action) -> Option<World> {
        let mut next = world.clone();
        self.act(&mut next, action);
        next.database.forget(self.rules);
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![Property::always("nothing is lost, doubled or stale", |model: &Protocol, world: &World| {
            world.wrong.is_none() && world.stale_answer(model.rules).is_none()
        })]
    }
}
