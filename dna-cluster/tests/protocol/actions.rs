//! What may happen next, and what comes of it.

use dna_cluster::{
    View,
    decide::{self, LeaveStep, Move, NextSwap, TakeoverStep},
};
use dna_core::{Shard, Timestamp};

use super::{
    database::{Change, Entry, Message, Row},
    model::{Protocol, Rule, World, Wrong},
    node::{Doing, Lane, Node},
    shown::{Shown, id},
};

/// Something that happens.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    Arrive(Message),
    Die(usize),
    LeaseEnds(usize),
    /// Only without its rule.
    LateBeatCounts(usize),
    Acknowledge {
        node: usize,
        lane: usize,
    },
    StopAtSeal(usize),
    /// Only without its rule.
    GiveUpGroup {
        node: usize,
        lane: usize,
    },
    ReadView(usize),
    Load {
        node: usize,
        key: usize,
    },
    Count {
        node: usize,
        key: usize,
    },
    HandOver {
        node: usize,
        key: usize,
        /// Nobody where no member is active.
        to: Option<usize>,
    },
    /// Only without its rule.
    GiveUpSwap(usize),
    SettleSwap(usize),
    TakeOver {
        node: usize,
        dead: usize,
    },
    ReadJournals(usize),
    ClaimReplayed(usize),
    Join(usize),
    Drain(usize),
    Leave(usize),
}

fn ts(micros: u64) -> Timestamp {
    Timestamp::from_micros(micros)
}

impl Protocol {
    fn lane_of(&self, key: usize) -> usize {
        usize::from(Shard(u32::try_from(key).unwrap()).lane(self.member(0).lanes))
    }

    /// Everything that may happen next.
    pub fn possible(&self, world: &World, actions: &mut Vec<Action>) {
        actions.extend(world.database.arrivals(self.rules).into_iter().map(Action::Arrive));
        for index in 0..world.nodes.len() {
            self.possible_for(world, index, actions);
        }
    }

    fn possible_for(&self, world: &World, index: usize, actions: &mut Vec<Action>) {
        let (database, node) = (&world.database, &world.nodes[index]);
        let may_change = database.view.version() < self.version_max;
        if node.fresh && may_change {
            actions.push(Action::Join(index));
        }
        if let Doing::Swapping { expected, .. } = node.doing
            && decide::settle(expected, database.view.version()) == NextSwap::DecideAnew
        {
            actions.push(Action::SettleSwap(index));
        }
        if !node.up && node.doing == Doing::Nothing {
            return;
        }
        if !node.expired {
            // After that one cannot tell a dead node from one that is slow for ever.
            actions.push(Action::Die(index));
            actions.push(Action::LeaseEnds(index));
        }
        if !node.up {
            return;
        }
        self.possible_commits(world, index, actions);
        for key in (0..self.keys).filter(|key| node.runs(*key)) {
            // Another load of the same value is no news.
            if node.memory[key] != Some(self.stored(world, index, key)) {
                actions.push(Action::Load { node: index, key });
            }
            if node.memory[key].is_some_and(|value| value < self.count_max)
                && self.takes(&node.lanes[self.lane_of(key)])
            {
                actions.push(Action::Count { node: index, key });
            }
        }
        match &node.doing {
            Doing::Nothing => self.possible_changes(world, index, may_change, actions),
            Doing::Swapping { resting, .. } => {
                if resting.is_some() && !self.rules.on(Rule::SettleSwaps) {
                    actions.push(Action::GiveUpSwap(index));
                }
            }
            Doing::Sealing { dead } => {
                let mut lanes = database.journals[*dead].iter().map(|journal| journal.sealed);
                let is_sealed = if self.rules.on(Rule::EveryLaneIsSealed) {
                    lanes.all(|sealed| sealed)
                } else {
                    lanes.any(|sealed| sealed)
                };
                if is_sealed {
                    actions.push(Action::ReadJournals(index));
                }
            }
            Doing::Replaying { rows, .. } => {
                if may_change && rows.iter().all(|(key, row)| database.rows[*key].ts >= row.ts) {
                    actions.push(Action::ClaimReplayed(index));
                }
            }
        }
    }

    fn possible_commits(&self, world: &World, index: usize, actions: &mut Vec<Action>) {
        let node = &world.nodes[index];
        for (lane, state) in node.lanes.iter().enumerate() {
            let journal = &world.database.journals[index][lane];
            let Some(entry) = &state.under_way else { continue };
            if journal.head >= entry.number {
                actions.push(Action::Acknowledge { node: index, lane });
            } else if journal.sealed && self.rules.on(Rule::SealedRefuses) {
                actions.push(Action::StopAtSeal(index));
            }
            if !self.rules.on(Rule::NumbersAreNotReused) {
                actions.push(Action::GiveUpGroup { node: index, lane });
            }
        }
    }

    fn possible_changes(&self, world: &World, index: usize, may_change: bool, actions: &mut Vec<Action>) {
        let (database, node) = (&world.database, &world.nodes[index]);
        if node.seen != database.view {
            actions.push(Action::ReadView(index));
        }
        let is_sealed = database.journals[index].iter().any(|journal| journal.sealed);
        let is_idle = node.lanes.iter().all(|lane| lane.under_way.is_none());
        if node.expired && !is_sealed && is_idle && !self.rules.on(Rule::LapsedStaysLapsed) {
            actions.push(Action::LateBeatCounts(index));
        }
        if !may_change {
            return;
        }
        let others = || (0..world.nodes.len()).filter(|other| *other != index);
        let member = |other: usize| node.seen.view().member(id(other));
        for dead in others().filter(|other| member(*other).is_some()) {
            let other = &world.nodes[dead];
            let is_gone = other.expired || (!other.up && other.doing == Doing::Nothing);
            if is_gone || !self.rules.on(Rule::LeaseIsWaitedFor) {
                actions.push(Action::TakeOver { node: index, dead });
            }
        }
        for key in (0..self.keys).filter(|key| node.runs(*key)) {
            let lane = &node.lanes[self.lane_of(key)];
            let is_stored = lane.unstored.iter().all(|(_, of, _)| *of != key);
            if !lane.holds(key) && (is_stored || !self.rules.on(Rule::StoredBeforeMove)) {
                let takers = others().filter(|other| member(*other).is_some_and(|member| member.is_active()));
                actions.extend(takers.map(|to| Action::HandOver { node: index, key, to: Some(to) }));
                if !node.seen.view().members().any(|member| member.is_active()) {
                    actions.push(Action::HandOver { node: index, key, to: None });
                }
            }
        }
        if self.leaves && !node.draining {
            actions.push(Action::Drain(index));
        }
        if node.draining && is_idle {
            actions.push(Action::Leave(index));
        }
    }

    /// Whether a lane takes one more value.
    fn takes(&self, lane: &Lane) -> bool {
        match lane.under_way {
            None => lane.head < self.groups_max,
            Some(_) => self.pipelined && lane.head + 1 < self.groups_max,
        }
    }

    /// What comes of an action.
    pub fn act(&self, world: &mut World, action: Action) {
        match action {
            Action::Arrive(message) => {
                world.database.arrive(&message, self.rules);
                for lane in world.nodes.iter_mut().flat_map(|node| &mut node.lanes) {
                    lane.unstored.retain(|(_, key, row)| row.ts > world.database.rows[*key].ts);
                }
            }
            Action::Die(node) | Action::StopAtSeal(node) => self.down(world, node),
            Action::LeaseEnds(node) => world.nodes[node].expired = true,
            Action::LateBeatCounts(node) => {
                world.nodes[node].expired = false;
                world.nodes[node].memory.fill(None);
            }
            Action::Acknowledge { node, lane } => acknowledge(world, node, lane),
            Action::GiveUpGroup { node, lane } => {
                let node = &mut world.nodes[node];
                node.lanes[lane].under_way = None;
                node.lanes[lane].gathered.clear();
                node.memory.fill(None);
            }
            Action::ReadView(node) => {
                self.adopt(world, node);
            }
            Action::Load { node, key } => self.load(world, node, key),
            Action::Count { node, key } => self.count(world, node, key),
            Action::HandOver { node, key, to } => self.hand_over(world, node, key, to),
            Action::GiveUpSwap(node) => {
                world.nodes[node].doing = Doing::Nothing;
            }
            Action::SettleSwap(index) => {
                let node = &mut world.nodes[index];
                node.doing = Doing::Nothing;
                node.up = true;
                self.adopt(world, index);
            }
            Action::TakeOver { node, dead } => self.take_over(world, node, dead),
            Action::ReadJournals(node) => self.read_journals(world, node),
            Action::ClaimReplayed(node) => self.claim(world, node),
            Action::Join(index) => {
                let view = world.database.view.clone();
                let joined = decide::join(Some(view.seen()), &self.member(index), &self.settings(), Timestamp::ZERO);
                world.nodes[index].fresh = false;
                world.nodes[index].seen = view;
                world.nodes[index].own.fill(None);
                swap(world, index, Change::Join { who: index }, joined.unwrap(), None);
            }
            Action::Drain(index) => {
                let node = &world.nodes[index];
                let step = decide::leave(node.seen.seen(), id(index), false, None, ts(node.clock));
                if let LeaveStep::Drain(view) = step {
                    swap(world, index, Change::Drain { who: index }, view, None);
                }
            }
            Action::Leave(index) => {
                let node = &world.nodes[index];
                let step = decide::leave(node.seen.seen(), id(index), true, None, ts(node.clock));
                if matches!(step, LeaveStep::SealAndReplay(_)) {
                    world.nodes[index].released = true;
                    world.nodes[index].memory.fill(None);
                    self.seal(world, index, index);
                }
            }
        }
    }

    /// A node is gone. What it was does not count any more.
    fn down(&self, world: &mut World, index: usize) {
        let settings = self.settings();
        world.nodes[index] = Node {
            up: false,
            fresh: false,
            draining: false,
            released: false,
            expired: true,
            seen: Shown::new(0, View::empty(settings)),
            own: vec![None; self.keys],
            memory: vec![None; self.keys],
            clock: 0,
            lanes: vec![Lane::default(); self.lanes],
            doing: Doing::Nothing,
        };
    }

    /// Takes in the view of now. Whether the node is still a member.
    fn adopt(&self, world: &mut World, index: usize) -> bool {
        let view = world.database.view.clone();
        let Some(member) = view.view().member(id(index)) else {
            self.down(world, index);
            return false;
        };
        let node = &mut world.nodes[index];
        node.draining = !member.is_active();
        if self.rules.on(Rule::ClockAboveView) {
            node.clock = node.clock.max(view.view().ts().as_micros());
        }
        let changes = decide::shard_changes(Some(node.seen.view()), view.view(), id(index));
        for Shard(shard) in changes.lost {
            node.own[shard as usize] = None;
            node.memory[shard as usize] = None;
        }
        for (Shard(shard), epoch) in changes.gained {
            node.own[shard as usize] = Some(epoch);
            node.memory[shard as usize] = None;
        }
        node.seen = view;
        true
    }

    /// What a load finds now.
    fn stored(&self, world: &World, index: usize, key: usize) -> u8 {
        let newest = world.nodes[index].lanes[self.lane_of(key)].newest(key);
        newest.unwrap_or(world.database.rows[key].value)
    }

    /// Loads a counter, for the first time or after it was passivated.
    fn load(&self, world: &mut World, index: usize, key: usize) {
        let lane = self.lane_of(key);
        let value = self.stored(world, index, key);
        let node = &mut world.nodes[index];
        node.memory[key] = Some(value);
        let epoch = node.own[key];
        let is_owner = world.database.view.epoch(key, index) == epoch;
        if is_owner && !world.database.journals[index][lane].sealed && value < world.highest(key) {
            world.wrong = Some(Wrong::LoadedLess { key, value });
        }
    }

    fn count(&self, world: &mut World, index: usize, key: usize) {
        let lane = self.lane_of(key);
        let node = &mut world.nodes[index];
        let value = node.memory[key].unwrap_or_default() + 1;
        node.memory[key] = Some(value);
        node.lanes[lane].gathered.insert(key, value);
        if node.lanes[lane].under_way.is_none() {
            commit(world, index, lane);
        }
    }

    fn hand_over(&self, world: &mut World, index: usize, key: usize, to: Option<usize>) {
        let node = &mut world.nodes[index];
        node.memory[key] = None;
        let (Some(epoch), last) = (node.own[key], node.clock) else { return };
        let shard = Shard(u32::try_from(key).unwrap());
        let moved = Move { shard, epoch, to: to.map(id) };
        if let Some(view) = decide::hand_over(node.seen.seen(), id(index), &[moved], ts(last)) {
            let change = Change::HandOver { from: index, to, shard: key, ts: last };
            swap(world, index, change, view, Some(key));
        }
    }

    fn take_over(&self, world: &mut World, index: usize, dead: usize) {
        if !self.rules.on(Rule::SealBeforeClaim) {
            self.claim_from(world, index, dead, 0);
            return;
        }
        let node = &world.nodes[index];
        let step = decide::take_over(node.seen.seen(), id(index), id(dead), None, ts(node.clock));
        if matches!(step, TakeoverStep::SealAndReplay(_)) {
            self.seal(world, index, dead);
        }
    }

    fn seal(&self, world: &mut World, index: usize, dead: usize) {
        world.nodes[index].doing = Doing::Sealing { dead };
        world.database.net.extend((0..self.lanes).map(|lane| Message::Seal { node: dead, lane }));
    }

    fn read_journals(&self, world: &mut World, index: usize) {
        let Doing::Sealing { dead } = world.nodes[index].doing else { return };
        let (mut rows, mut last) = (Vec::new(), 0);
        for journal in &world.database.journals[dead] {
            for (number, (ts, writes)) in &journal.entries {
                if *number > journal.done && self.rules.on(Rule::Replay) {
                    rows.extend(writes.iter().map(|(key, value)| (*key, Row { ts: *ts, value: *value })));
                }
                if self.rules.on(Rule::ClockAboveJournal) {
                    last = last.max(*ts);
                }
            }
        }
        world.database.net.extend(rows.iter().map(|&(key, row)| Message::Row { key, row }));
        rows.retain(|(key, row)| row.ts > world.database.rows[*key].ts);
        world.nodes[index].doing = Doing::Replaying { dead, rows, last };
    }

    fn claim(&self, world: &mut World, index: usize) {
        let Doing::Replaying { dead, last, .. } = world.nodes[index].doing else { return };
        world.nodes[index].doing = Doing::Nothing;
        self.claim_from(world, index, dead, last);
    }

    /// Reads the view, and swaps the dead node out.
    fn claim_from(&self, world: &mut World, index: usize, dead: usize, last: u64) {
        if !self.adopt(world, index) {
            return;
        }
        let node = &world.nodes[index];
        let (seen, me, own) = (node.seen.seen(), id(index), node.clock);
        let (view, change) = if dead == index {
            let LeaveStep::Swap(view) = decide::leave(seen, me, true, Some(ts(last)), ts(own)) else { return };
            (view, Change::Leave { who: index, last })
        } else {
            let step = decide::take_over(seen, me, id(dead), Some(ts(last)), ts(own));
            let TakeoverStep::Swap(view) = step else { return };
            (view, Change::TakeOver { by: index, dead, last, ts: own })
        };
        swap(world, index, change, view, None);
    }
}

/// Sends a swap of the view that the node has seen.
fn swap(world: &mut World, index: usize, change: Change, new: View, resting: Option<usize>) {
    let expected = world.nodes[index].seen.version();
    let new = Shown::new(expected + 1, new);
    world.nodes[index].doing = Doing::Swapping { expected, resting };
    world.database.net.insert(Message::Swap { expected, change, new });
}

/// Sends what a lane has gathered as the next group.
fn commit(world: &mut World, index: usize, lane: usize) {
    let node = &mut world.nodes[index];
    let state = &mut node.lanes[lane];
    node.clock += 1;
    let (number, writes) = (state.head + 1, std::mem::take(&mut state.gathered));
    let entry = Entry { number, ts: node.clock, writes };
    let done = state.done();
    state.under_way = Some(entry.clone());
    world.database.net.insert(Message::Append { node: index, lane, entry, done });
}

/// A group is in: its values are acknowledged, its rows are on their way, and the next one goes.
fn acknowledge(world: &mut World, index: usize, lane: usize) {
    let state = &mut world.nodes[index].lanes[lane];
    let Some(entry) = state.under_way.take() else { return };
    state.head = entry.number;
    for (key, value) in entry.writes {
        let bit = 1 << value;
        if world.acknowledged[key] & bit != 0 {
            world.wrong = Some(Wrong::AcknowledgedTwice { key, value });
        }
        world.acknowledged[key] |= bit;
        let row = Row { ts: entry.ts, value };
        if row.ts > world.database.rows[key].ts {
            state.unstored.push((entry.number, key, row));
        }
        world.database.net.insert(Message::Row { key, row });
    }
    if !state.gathered.is_empty() {
        commit(world, index, lane);
    }
}
