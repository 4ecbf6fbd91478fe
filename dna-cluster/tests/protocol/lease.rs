//! Leases and failure detection, explored tick by tick over the real `Lease` and `Detector`: nobody is taken for dead who
//! still may answer, however late heartbeats, reads and their answers are.

use std::time::Duration;

use dna_cluster::{
    Moment,
    decide::{Detector, Lease, Reading, Renewal},
};
use dna_core::NodeId;
use stateright::{Checker, HasDiscoveries, Model, Property};

use super::shown::id;

/// In ticks.
const LEASE: u64 = 3;
const TICKS_MAX: u64 = 9;
const BEATS_MAX: usize = 2;

/// A rule of leases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rule {
    LapsedStaysLapsed,
    CountsFromSending,
    ReadsCountFromTheirInside,
    WaitsForTheLease,
}

#[derive(Debug, Clone)]
struct Leases {
    without: Option<Rule>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct World {
    now: u64,
    lease: Lease,
    /// Behind the first one, which has succeeded.
    beats: Vec<Beat>,
    stored: u64,
    read: Option<Read>,
    detector: Detector,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Beat {
    sent: u64,
    arrived: bool,
    answered: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Read {
    started: u64,
    found: Option<u64>,
}

#[derive(Debug, Clone, PartialEq)]
enum Action {
    Tick,
    SendBeat,
    BeatArrives(usize),
    BeatIsAnswered(usize),
    StartRead,
    ReadIsServed,
    EndRead,
    ReadFails,
}

fn at(ticks: u64) -> Moment {
    Moment::since_boot(Duration::from_secs(ticks))
}

fn ticks(ticks: u64) -> Duration {
    Duration::from_secs(ticks)
}

const NODE: fn() -> NodeId = || id(0);

impl Leases {
    fn on(&self, rule: Rule) -> bool {
        self.without != Some(rule)
    }

    fn is_dead(&self, world: &World) -> bool {
        let lease = if self.on(Rule::WaitsForTheLease) { LEASE } else { LEASE - 2 };
        world.detector.dead(ticks(lease)).contains(&NODE())
    }
}

impl Model for Leases {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        let lease = Lease::first(ticks(LEASE), at(0));
        let detector = Detector::default();
        vec![World { now: 0, lease, beats: Vec::new(), stored: 1, read: None, detector }]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        if world.now < TICKS_MAX {
            actions.push(Action::Tick);
        }
        if world.beats.len() < BEATS_MAX && world.lease.clone().holds(at(world.now)) {
            actions.push(Action::SendBeat);
        }
        for (index, beat) in world.beats.iter().enumerate() {
            if !beat.arrived {
                actions.push(Action::BeatArrives(index));
            } else if !beat.answered {
                actions.push(Action::BeatIsAnswered(index));
            }
        }
        match &world.read {
            None => actions.push(Action::StartRead),
            Some(read) => {
                actions.push(Action::ReadFails);
                actions.push(if read.found.is_none() { Action::ReadIsServed } else { Action::EndRead });
            }
        }
    }

    fn next_state(&self, world: &World, action: Action) -> Option<World> {
        let mut next = world.clone();
        match action {
            Action::Tick => next.now += 1,
            Action::SendBeat => next.beats.push(Beat { sent: next.now, arrived: false, answered: false }),
            Action::BeatArrives(index) => {
                next.beats[index].arrived = true;
                next.stored = next.stored.max(index as u64 + 2);
            }
            Action::BeatIsAnswered(index) => {
                next.beats[index].answered = true;
                let sent = if self.on(Rule::CountsFromSending) { next.beats[index].sent } else { next.now };
                let renewal = next.lease.renew(at(sent), at(next.now));
                if renewal == Renewal::Lapsed && !self.on(Rule::LapsedStaysLapsed) {
                    next.lease = Lease::first(ticks(LEASE), at(sent));
                }
            }
            Action::StartRead => next.read = Some(Read { started: next.now, found: None }),
            Action::ReadIsServed => {
                let stored = next.stored;
                next.read.as_mut()?.found = Some(stored);
            }
            Action::EndRead => {
                let Read { started, found } = next.read.take()?;
                let (mut started, mut ended) = (at(started), at(next.now));
                if !self.on(Rule::ReadsCountFromTheirInside) {
                    std::mem::swap(&mut started, &mut ended);
                }
                next.detector.observe(Reading { started, ended }, [NODE()], &[(NODE(), found?)]);
            }
            Action::ReadFails => {
                next.read = None;
                next.detector.start_anew();
            }
        }
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("who is dead does not answer", |model: &Leases, world: &World| {
                !(model.is_dead(world) && world.lease.clone().holds(at(world.now)))
            }),
            Property::sometimes("the dead are found", |model: &Leases, world: &World| model.is_dead(world)),
            Property::sometimes("a lease is renewed", |_: &Leases, world: &World| {
                world.now > LEASE + 1 && world.lease.clone().holds(at(world.now))
            }),
        ]
    }
}

#[test]
fn nobody_is_taken_for_dead_who_still_may_answer() {
    let checker = Leases { without: None }.checker().threads(2).spawn_bfs().join();
    println!("leases: {} states, all that there are", checker.unique_state_count());
    checker.assert_properties();
}

#[test]
fn each_rule_of_leases_that_is_taken_out_is_missed() {
    use Rule::{CountsFromSending, LapsedStaysLapsed, ReadsCountFromTheirInside, WaitsForTheLease};
    for rule in [LapsedStaysLapsed, CountsFromSending, ReadsCountFromTheirInside, WaitsForTheLease] {
        let checker = Leases { without: Some(rule) }.checker().threads(2).finish_when(HasDiscoveries::AnyFailures);
        let checker = checker.spawn_bfs().join();
        println!("leases without {rule:?}: found after {} states", checker.unique_state_count());
        assert!(checker.discovery("who is dead does not answer").is_some(), "{rule:?} is not missed");
    }
}
