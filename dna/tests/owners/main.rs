//! Nodes that own names on one database in memory, in simulated time: the owner is cut off under load, another node takes
//! over, and the first one's requests arrive after all. The real processes on a real database are in `cql_owners`.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "tests"
)]

#[path = "../support/register.rs"]
mod register;
mod registers;
#[path = "../support/rng.rs"]
#[allow(dead_code, reason = "other test programs take more of it")]
mod rng;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use dna_cluster::{Config, Membership};
use dna_core::{
    MemoryCluster, NodeId,
    testing::{
        RequestKind, Rule,
        history::{Action, Ended, Recorder, check},
    },
};
use registers::{Registers, TYPE};
use rng::Rng;
use tokio::task::JoinHandle;

/// How many histories are made, each from its own seed.
const SEEDS: u64 = 30;
/// How many owners follow each other in one.
const ROUNDS: u64 = 4;

/// Rules that show when they are missing.
const FOUND_OUT: &[Rule] = &[Rule::SealedRefuses, Rule::Replay, Rule::RowsGoByTimestamp];

/// A node, and what reaches it of the database.
struct TestNode {
    name: &'static str,
    link: MemoryCluster,
    registers: Arc<Registers>,
    membership: Membership,
    recorder: Recorder,
}

impl TestNode {
    async fn join(
        name: &'static str,
        database: &MemoryCluster,
        registers: Registers,
        recorder: &Recorder,
        clock_offset: i64,
    ) -> Arc<Self> {
        let (link, registers) = (database.another(), Arc::new(registers));
        link.faults().set_clock_offset(clock_offset);
        // Without a weight nothing moves to anybody, but for what nobody else can take.
        let config = Config::new(([127, 0, 0, 1], 0).into()).actor_type(TYPE.0, 1, TYPE.1).weight(0).simulated();
        let membership = Membership::start(Arc::new(link.clone()), registers.clone(), config).await.unwrap();
        Arc::new(TestNode { name, link, registers, membership, recorder: recorder.clone() })
    }

    async fn call(&self, register: &str, action: Action) -> Ended {
        let pending = self.recorder.invoke(self.name, register, action);
        let ended = self.registers.apply(register, action).await;
        pending.end(ended);
        ended
    }

    async fn serves(&self, register: &str) {
        while !matches!(self.call(register, Action::Read).await, Ended::Ok(_)) {
            pause(50).await;
        }
    }

    async fn has_id_other_than(&self, former: Option<NodeId>) {
        while self.membership.node().is_none() || self.membership.node() == former {
            pause(10).await;
        }
    }
}

async fn pause(millis: u64) {
    tokio::time::sleep(Duration::from_millis(millis)).await;
}

/// Calls a node until it is told to end.
struct Load {
    ends: Arc<AtomicBool>,
    callers: Vec<JoinHandle<()>>,
}

impl Load {
    /// With one of the registers only read: no commit that is held holds its answers.
    fn start(node: &Arc<TestNode>, registers: &[String], only_read: Option<&String>, rng: &mut Rng) -> Self {
        let ends = Arc::new(AtomicBool::new(false));
        let callers = registers.iter().flat_map(|register| [register, register]).map(|register| {
            let (node, ends, register, mut rng) =
                (node.clone(), ends.clone(), register.clone(), Rng::new(rng.number()));
            let only_reads = Some(&register) == only_read;
            tokio::spawn(async move {
                while !ends.load(Ordering::SeqCst) {
                    node.call(&register, if only_reads || rng.once_in(3) { Action::Read } else { Action::Add(1) })
                        .await;
                    pause(1 + rng.below(20)).await;
                }
            })
        });
        Load { callers: callers.collect(), ends }
    }

    async fn end(self) {
        self.ends.store(true, Ordering::SeqCst);
        for caller in self.callers {
            caller.await.unwrap();
        }
    }
}

/// What is held back of an owner: all that it says to the database.
fn everything() -> [RequestKind; RequestKind::ALL.len()] {
    RequestKind::ALL
}

async fn one_history(database: MemoryCluster, seed: u64, registers: impl Fn() -> Registers) -> Result<(), String> {
    let (mut rng, recorder) = (Rng::new(seed), Recorder::new());
    // Up to 50 s, in microseconds.
    let offset = |rng: &mut Rng| i64::try_from(rng.below(100_000_000)).unwrap() - 50_000_000;
    let mut owner = TestNode::join("a", &database, registers(), &recorder, offset(&mut rng)).await;
    let mut other = TestNode::join("b", &database, registers(), &recorder, offset(&mut rng)).await;
    let names = |round: u64| [0, 1, 2].map(|n| format!("{round}-{n}"));
    for round in 0..ROUNDS {
        let names = names(round);
        let [.., only_read] = &names;
        let former = owner.membership.node();
        owner.serves(only_read).await;
        if rng.once_in(2) {
            owner.link.faults().hold([RequestKind::StoreRows]);
        }
        let load = Load::start(&owner, &names, Some(only_read), &mut rng);
        pause(rng.below(200)).await;
        owner.link.faults().hold(everything());
        for name in &names {
            other.serves(name).await;
        }
        let successor = Load::start(&other, &names, None, &mut rng);
        pause(rng.below(200)).await;
        let successor = if rng.once_in(2) {
            Some(successor)
        } else {
            {
                successor.end().await;
                None
            }
        };
        owner.link.faults().release(everything());
        owner.has_id_other_than(former).await;
        pause(rng.below(200)).await;
        load.end().await;
        if let Some(successor) = successor {
            successor.end().await;
        }
        (owner, other) = (other, owner);
    }
    let last = TestNode::join("last", &database, registers(), &recorder, 0).await;
    owner.link.faults().cut();
    other.link.faults().cut();
    for name in (0..ROUNDS).flat_map(names) {
        last.serves(&name).await;
    }
    check(&recorder.history()).map_err(|error| error.to_string())
}

/// Runs one seed, in time that passes only when nobody has anything to do.
fn simulate(database: MemoryCluster, seed: u64, registers: impl Fn() -> Registers) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    runtime.block_on(one_history(database, seed, registers))
}

#[test]
fn nothing_of_an_owner_that_was_cut_off_is_visible() {
    for seed in 0..SEEDS {
        simulate(MemoryCluster::new(), seed, Registers::default).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    }
}

#[test]
fn a_rule_that_is_not_kept_is_found_out() {
    for &rule in FOUND_OUT {
        let mut seeds = 0..SEEDS;
        let found = seeds.find_map(|seed| simulate(MemoryCluster::without(rule), seed, Registers::default).err());
        let found = found.unwrap_or_else(|| panic!("nothing was found wrong without {rule:?}"));
        println!("without {rule:?}: {found}");
    }
}

#[test]
fn an_owner_that_answers_without_a_lease_is_found_out() {
    let found = (0..SEEDS).find_map(|seed| simulate(MemoryCluster::new(), seed, Registers::without_lease).err());
    println!("{}", found.expect("reads are stale"));
}
