//! A name that moves from node to node, while requests and answers are lost, late and doubled at random, and wall
//! clocks differ.

use std::{panic::catch_unwind, sync::Arc, time::Duration};

use dna_core::{
    ClusterStore, CommitError, Group, MemoryCluster, NodeId, Replayed, SealError, Store, Timestamp,
    testing::{Fate, FaultPlan, LaneStore, RequestKind, Rule, actor, put, writes},
};

const FATES: [Fate; 8] = [
    Fate::Delay { request: Duration::from_millis(7), answer: Duration::from_millis(3) },
    Fate::Refuse,
    Fate::LoseRequest,
    Fate::LoseAnswer,
    Fate::Late(Duration::from_millis(40)),
    Fate::Strand,
    Fate::Double(Duration::from_millis(90)),
    Fate::Echo,
];

/// How many owners the name has in one run, one after the other.
const OWNERS: u64 = 6;

/// Rules that a simulation sees missing.
pub(crate) const TAKEN_OUT_OF_SIMULATION: &[Rule] = &[
    Rule::SealedRefuses,
    Rule::Replay,
    Rule::ReplayKeepsStamps,
    Rule::ReplayLastIncludesStored,
    Rule::StampsAboveFloor,
    Rule::RowsGoByTimestamp,
    Rule::ReadsMergeWhatWaits,
    Rule::DrainWaits,
    Rule::LastTimestampCovers,
    Rule::DoubtStays,
];

/// One connection, with faults and a wall clock of its own. The making of journals is left alone, since what is in doubt
/// there just means another id.
fn unreliable(cluster: &MemoryCluster, seed: u64) -> MemoryCluster {
    let kinds = RequestKind::ALL.into_iter().filter(|kind| *kind != RequestKind::OpenJournal);
    let link = cluster.another();
    link.faults().follow(FaultPlan::random(seed, 250, kinds, FATES));
    link.faults().set_clock_offset(i64::try_from(seed * 7_919 % 101).unwrap() * 1_000_000 - 50_000_000);
    link
}

/// A node that owns the name until it is deposed.
struct Owner {
    id: NodeId,
    store: LaneStore,
    number: u64,
}

impl Owner {
    /// Starts above `floor`, however often it takes.
    async fn start(link: &MemoryCluster, floor: Timestamp) -> Self {
        loop {
            let id = NodeId::new();
            let Ok(journals) = link.open_journals(id, 1, floor).await else { continue };
            let store = LaneStore::new(journals, 0);
            while store.attach().await.is_err() {}
            return Owner { id, store, number: 1 };
        }
    }

    /// The number that stands in the row; 0 if there is none.
    async fn read(&self) -> u64 {
        loop {
            if let Ok(value) = self.store.get(&actor("alice"), "m", b"k").await {
                return value.map_or(0, |value| std::str::from_utf8(&value).unwrap().parse().unwrap());
            }
        }
    }

    /// Tries to write `count`; the last answer, which is indefinite if it was so `tries` times.
    async fn write(&mut self, count: u64, tries: u32) -> Result<(), CommitError> {
        let put = put("m", "k", count.to_string());
        let group = Arc::new(Group { number: self.number, actors: vec![writes(&actor("alice"), vec![put])] });
        let mut in_doubt = false;
        for _ in 0..tries {
            match self.store.commit(group.clone()).await {
                Ok(()) => {
                    self.number += 1;
                    return Ok(());
                }
                Err(CommitError::Unknown) => in_doubt = true,
                Err(CommitError::NotApplied(_)) => assert!(!in_doubt, "refused after it was in doubt"),
                Err(error) => return Err(error),
            }
        }
        Err(CommitError::Unknown)
    }
}

/// Seals and replays a node, however often it takes.
async fn take_over(link: &MemoryCluster, node: NodeId) -> Replayed {
    loop {
        match link.seal_and_replay(node, 1).await {
            Ok(replayed) => return replayed,
            Err(SealError::Store(_)) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

async fn one_run(cluster: MemoryCluster, seed: u64) {
    let (mut links, mut former) = (Vec::new(), Vec::new());
    let (mut acknowledged, mut attempted, mut floor) = (0, 0, Timestamp::ZERO);
    for generation in 0..OWNERS {
        let link = unreliable(&cluster, seed * 100 + generation);
        let mut owner = Owner::start(&link, floor).await;
        let mut count = owner.read().await;
        assert!((acknowledged..=attempted).contains(&count), "found {count}, acknowledged {acknowledged}");
        // What an owner has seen stays.
        acknowledged = count;
        let mut in_doubt = None;
        for _ in 0..(seed + generation) % 7 {
            count += 1;
            attempted = attempted.max(count);
            // The last one is left in doubt.
            let last = owner.number == 5;
            match owner.write(count, if last { 1 } else { 1_000 }).await {
                Ok(()) => acknowledged = count,
                Err(CommitError::Unknown) if last => {
                    in_doubt = Some(count);
                    break;
                }
                Err(error) => panic!("{error}: {count}, of an owner that nobody has deposed"),
            }
            assert_eq!(owner.read().await, count, "the owner reads what it has written");
        }
        let successor = unreliable(&cluster, seed * 100 + generation + OWNERS);
        let end = (seed + generation) % 3;
        if end < 2 && in_doubt.is_none() {
            while owner.store.journals().drain().await.is_err() {}
        }
        if end == 0 && in_doubt.is_none() {
            // The name moves while its owner lives.
            floor = floor.max(owner.store.journals().last_timestamp());
            links.extend([link, successor]);
            former.push(owner);
            continue;
        }
        floor = floor.max(take_over(&successor, owner.id).await.last);
        links.extend([link, successor]);
        // What was stranded turns up when it can do most harm: once the next one may begin. The deposed one may be gone,
        // or may go on and know nothing.
        if generation % 2 == 0 {
            deliver_stranded(&links);
        }
        if (seed + generation).is_multiple_of(2) {
            match (owner.write(in_doubt.unwrap_or(count + 1), 1_000).await, in_doubt) {
                (Ok(()), Some(count)) => acknowledged = count,
                (answer, _) => assert_eq!(answer, Err(CommitError::Fenced), "of a deposed owner"),
            }
        }
    }
    // Those that the name has moved away from die long after.
    for owner in former {
        floor = floor.max(take_over(&unreliable(&cluster, seed), owner.id).await.last);
    }
    deliver_stranded(&links);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let found = Owner::start(&cluster, floor).await.read().await;
    assert!((acknowledged..=attempted).contains(&found), "found {found} at last, acknowledged {acknowledged}");
}

fn deliver_stranded(links: &[MemoryCluster]) {
    for link in links {
        link.faults().deliver_stranded();
    }
}

/// Runs one seed, in time that passes only when nobody has anything to do.
fn simulate(cluster: impl FnOnce() -> MemoryCluster, seed: u64) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.unwrap().block_on(async { one_run(cluster(), seed).await });
}

#[test]
fn nothing_acknowledged_is_lost_whatever_becomes_of_requests() {
    for seed in 0..150 {
        simulate(MemoryCluster::new, seed);
    }
}

#[test]
fn without_a_rule_something_is_lost_or_found_too_late() {
    for &rule in TAKEN_OUT_OF_SIMULATION {
        let caught = (0..150).find(|&seed| catch_unwind(|| simulate(|| MemoryCluster::without(rule), seed)).is_err());
        assert!(caught.is_some(), "nothing was found wrong without {rule:?}");
    }
}
