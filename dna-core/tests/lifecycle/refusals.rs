//! A store that refuses groups now and then, under load: every answer tells the truth.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use dna_core::{CallError, Memory, Outcome, Refusal};

use crate::{
    support::{Batched, Step, bump, get, look, put, run, wait},
    world::{World, begin, doll, doll_of, until},
};

/// Refuses a group now and then until the test has ended.
fn refuse_now_and_then(memory: &Memory) -> tokio::task::JoinHandle<()> {
    let faults = memory.faults();
    tokio::spawn(async move {
        loop {
            faults.refuse_next(1, Refusal::Busy);
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn exactly_the_writes_that_were_answered_ok_are_there_while_groups_are_refused() {
    let world = World::new();
    let memory = Memory::new();
    let engine = Arc::new(world.start(&memory).await);
    let refusals = refuse_now_and_then(&memory);
    let mut tasks = Vec::new();
    for task in 0..8 {
        let alice = doll(&engine, "alice");
        tasks.push(tokio::spawn(async move {
            let mut kept = Vec::new();
            let mut refused = 0;
            for number in 0..1500 {
                let key = format!("{task}-{number}");
                match run(&alice, vec![put(&key, "1")]).await {
                    Ok(_) => kept.push(key),
                    Err(CallError::NotCommitted { outcome: Outcome::NotApplied, .. }) => refused += 1,
                    Err(error) => panic!("{error:?}"),
                }
            }
            (kept, refused)
        }));
    }
    let (mut kept, mut refused) = (BTreeSet::new(), 0);
    for task in tasks {
        let (keys, count) = task.await.unwrap();
        kept.extend(keys);
        refused += count;
    }
    refusals.abort();
    assert!(refused > 100, "only {refused} were refused");
    engine.passivate_all().await;
    let rows = loop {
        // The last refusal may still be to come.
        if let Ok(lines) = look(&doll(&engine, "alice"), vec![Step::List]).await {
            break lines[0].clone().unwrap();
        }
    };
    let rows = rows.split_whitespace().map(|row| row.split_once('=').unwrap().0.to_owned()).collect::<BTreeSet<_>>();
    let (lost, kept_wrongly) = (kept.difference(&rows).count(), rows.difference(&kept).count());
    assert_eq!((lost, kept_wrongly), (0, 0), "answered Ok and lost, answered an error and kept");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_activation_outlives_a_refusal_with_what_it_keeps_in_memory() {
    let world = World::new();
    let memory = Memory::new();
    let engine = Arc::new(world.start(&memory).await);
    let refusals = refuse_now_and_then(&memory);
    let mut tasks = Vec::new();
    for task in 0..4 {
        let alice = doll(&engine, "alice");
        tasks.push(tokio::spawn(async move {
            let mut numbers = BTreeMap::new();
            for _ in 0..1500 {
                if task == 0 {
                    // Every answer shows what is durable: a number that was shown never goes back.
                    if let Ok(lines) = look(&alice, vec![get("n")]).await {
                        let number = lines[0].clone().map_or(0, |number| number.parse::<u64>().unwrap());
                        let last = numbers.insert(0, number).unwrap_or(0);
                        assert!(number >= last, "{last} was shown, then {number}");
                    }
                } else if let Ok(lines) = run(&alice, vec![bump("n")]).await {
                    let number = lines[0].clone().unwrap().parse::<u64>().unwrap();
                    assert!(numbers.insert(number, number).is_none(), "{number} was given out twice");
                }
            }
            if task == 0 { BTreeMap::new() } else { numbers }
        }));
    }
    let mut all = BTreeSet::new();
    for task in tasks {
        for number in task.await.unwrap().into_keys() {
            assert!(all.insert(number), "{number} was answered twice");
        }
    }
    refusals.abort();
    assert_eq!(all.last().copied(), Some(all.len() as u64), "a number is missing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_refusal_while_a_batch_is_collected_leaves_no_caller_without_an_answer() {
    let world = World::new();
    let memory = Memory::new();
    let engine = Arc::new(world.start(&memory).await);
    memory.faults().refuse_next(1_000_000, Refusal::Busy);
    let started = tokio::time::Instant::now();
    let tasks = (0..600).map(|task| {
        let client = doll_of::<Batched>(&engine, if task % 2 == 0 { "alice" } else { "bob" });
        tokio::spawn(async move {
            while started.elapsed() < Duration::from_secs(3) {
                match run(&client, vec![put("a", "1")]).timeout(Duration::from_secs(4)).await {
                    Ok(_) | Err(CallError::NotCommitted { outcome: Outcome::NotApplied, .. }) => {}
                    Err(error) => panic!("{error:?}"),
                }
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
}

#[tokio::test]
async fn an_event_that_fails_behind_a_refused_commit_leaves_nothing() {
    let world = World::new();
    let memory = Memory::new();
    let engine = world.start(&memory).await;
    let alice = doll_of::<Batched>(&engine, "alice");
    run(&alice, vec![]).await.unwrap();
    let faults = memory.faults();
    faults.hold_commits();
    let earlier = begin(run(&alice, vec![put("m", "0")])).await;
    faults.commits_waiting(1).await;
    let before = begin(run(&alice, vec![wait("first")])).await;
    until("the batch before is at work", || world.times("at first") == 1).await;
    // These two are the next batch: the second one begins behind a savepoint, and its commit is refused while it waits.
    let written = begin(run(&alice, vec![put("a", "1"), put("b", "1")])).await;
    let failed = begin(run(&alice, vec![put("c", "1"), wait("door"), put("z", "1"), Step::Fail])).await;
    world.open("first");
    until("the second event waits", || world.times("at door") == 1).await;
    faults.refuse_next(1, Refusal::Busy);
    faults.release_commits();
    earlier.await.unwrap().unwrap_err();
    world.open("door");
    before.await.unwrap().unwrap_err();
    written.await.unwrap().unwrap_err();
    failed.await.unwrap().unwrap_err();
    let keys = || vec![get("m"), get("a"), get("b"), get("c"), get("z")];
    assert_eq!(look(&alice, keys()).await.unwrap(), [None, None, None, None, None]);
    run(&alice, vec![put("q", "1")]).await.unwrap();
    assert_eq!(look(&alice, keys()).await.unwrap(), [None, None, None, None, None], "nor behind the next commit");
    engine.shutdown().await.unwrap();
}
