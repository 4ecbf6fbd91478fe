//! Random runs: three processes that count, with requests and answers lost, late and doubled, pauses, deaths, moves,
//! drains, leaves and restarts. No number is given out twice, and none is lost.

use std::{collections::BTreeSet, time::Duration};

use dna_core::{
    MemoryCluster, Shard,
    testing::{Fate, FaultPlan, RequestKind, Rule},
};

use super::support::{LEASE, SHARDS, TestNode, config};

const SEEDS: u64 = 20;
const STEPS: u64 = 150;

/// A small generator of numbers: a multiplier and a shift by D. Steele, G. Lea and C. Flood (SplitMix, OOPSLA 2014).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}

/// Each run has a runtime of its own: what it leaves behind ends with it.
fn run_alone(seed: u64, database: MemoryCluster) -> Result<u64, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    runtime.block_on(run(seed, database))
}

#[test]
fn no_number_is_given_out_twice_and_none_is_lost() {
    let mut counted = 0;
    for seed in 0..SEEDS {
        counted += run_alone(seed, MemoryCluster::new()).unwrap();
    }
    println!("{SEEDS} runs of {STEPS} steps, {counted} numbers given out");
    assert!(counted > SEEDS * STEPS / 4, "the runs get something done: {counted}");
}

#[test]
fn a_database_that_breaks_a_rule_is_caught() {
    for rule in [Rule::SealedRefuses, Rule::Replay, Rule::RowsGoByTimestamp, Rule::DrainWaits] {
        let mut caught = None;
        for seed in 0..SEEDS * 5 {
            if let Err(found) = run_alone(seed, MemoryCluster::without(rule)) {
                caught = Some(found);
                break;
            }
        }
        println!("{rule:?}: {caught:?}");
        assert!(caught.is_some(), "{rule:?} was not missed in {} runs", SEEDS * 5);
    }
}

/// How many numbers were given out, or what was wrong.
async fn run(seed: u64, database: MemoryCluster) -> Result<u64, String> {
    let mut random = Random(seed);
    let mut nodes = Vec::new();
    for _ in 0..3 {
        nodes.push(start(&database, &mut random).await);
    }
    for node in &nodes {
        unsettle(node, random.below(u64::MAX));
    }
    let mut calls = Vec::new();
    for _ in 0..STEPS {
        let index = usize::try_from(random.below(3)).unwrap();
        match random.below(40) {
            0 => nodes.remove(index).die(),
            1 => {
                let node = nodes.remove(index);
                if random.below(2) == 0 {
                    // With an end: it may not be able to give anything away.
                    let _ = tokio::time::timeout(LEASE, node.membership.drain()).await;
                }
                let _ = node.leave().await;
            }
            2 => nodes[index].faults().hold([RequestKind::Beat, RequestKind::Append]),
            3 => nodes[index].faults().cut(),
            4..10 => {
                nodes[index].faults().release(RequestKind::ALL);
                nodes[index].faults().deliver_stranded();
                unsettle(&nodes[index], random.below(u64::MAX));
            }
            10 => tokio::time::sleep(LEASE * 3).await,
            16 => nodes[index].faults().hold([RequestKind::StoreRows]),
            11..16 => tokio::time::sleep(Duration::from_millis(random.below(2000))).await,
            _ => {
                let shard = Shard(u32::try_from(random.below(u64::from(SHARDS))).unwrap());
                for node in &nodes {
                    let counters = node.counters.clone();
                    calls.push((shard, tokio::spawn(async move { counters.count(shard).await })));
                }
                tokio::time::sleep(Duration::from_millis(random.below(100))).await;
            }
        }
        while nodes.len() < 3 {
            nodes.push(start(&database, &mut random).await);
        }
    }
    settle(&nodes).await.map_err(|what| format!("seed {seed}: {what}"))?;
    let mut given_out = vec![BTreeSet::new(); SHARDS as usize];
    for (shard, call) in calls {
        if let Ok(Ok(Ok(number))) = tokio::time::timeout(LEASE, call).await
            && !given_out[shard.0 as usize].insert(number)
        {
            return Err(format!("seed {seed}: {number} of {shard:?} twice"));
        }
    }
    for (shard, given_out) in (0..SHARDS).map(Shard).zip(&given_out) {
        let highest = given_out.last().copied().unwrap_or_default();
        let mut read = BTreeSet::new();
        for node in &nodes {
            read.extend(node.counters.read(shard).await.ok());
        }
        let is_one_owner = read.len() == 1 && read.first() >= Some(&highest);
        if !is_one_owner {
            return Err(format!("seed {seed}: {read:?} of {shard:?}, {highest} was given out"));
        }
    }
    let total = given_out.iter().map(|numbers| numbers.len() as u64).sum();
    for node in nodes {
        node.leave().await.map_err(|error| format!("seed {seed}: {error}"))?;
    }
    Ok(total)
}

/// A node whose id follows from the seed of the run.
async fn start(database: &MemoryCluster, random: &mut Random) -> TestNode {
    let config = config().seed(random.below(u64::MAX));
    TestNode::start_with(database.another(), config).await.unwrap()
}

/// Lets requests go astray.
fn unsettle(node: &TestNode, seed: u64) {
    let late = Fate::Late(Duration::from_millis(700));
    let fates = [Fate::LoseRequest, Fate::LoseAnswer, Fate::Strand, Fate::Echo, Fate::Refuse, late];
    node.faults().follow(FaultPlan::random(seed, 100, RequestKind::ALL, fates));
}

/// Ends all faults, and waits until all shards have an owner that knows of it.
async fn settle(nodes: &[TestNode]) -> Result<(), String> {
    for node in nodes {
        node.faults().follow(FaultPlan::calm());
        node.faults().release(RequestKind::ALL);
        node.faults().deliver_stranded();
    }
    tokio::time::sleep(LEASE * 10).await;
    let owned = nodes.iter().map(TestNode::shards).sum::<usize>();
    if owned == SHARDS as usize { Ok(()) } else { Err(format!("{owned} shards have an owner that knows of it")) }
}
