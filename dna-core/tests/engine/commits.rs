//! Group commit: what waits shares a commit, within the bounds of a group and of what may wait.

use std::sync::Arc;

use dna_core::{
    Call, Engine, Error, Memory, Settings,
    limits::{HELD_REPLIES_MAX, MESSAGE_WRITE_BYTES_MAX, UNCOMMITTED_BYTES_MAX, WRITE_OVERHEAD_BYTES},
};

use crate::{
    harness::{Recorder, Sent, sent, start_on, stays, until},
    support::{Lines, Puppet, Step, get, heard, line, look, puppet, put, run, start},
};

type Calls = Vec<Sent<Call<Puppet, Lines, Error>>>;

/// A node on a recording store with one commit held, behind which everything gathers.
async fn held() -> (Recorder, Engine, Calls) {
    let store = Recorder::default();
    let engine = start_on(Arc::new(store.clone()), Settings::default()).await;
    store.memory.faults().hold_commits();
    let first = sent(run(&puppet(&engine, "first"), vec![put("a", "1")]));
    store.memory.faults().commits_waiting(1).await;
    (store, engine, vec![first])
}

async fn finished(engine: &Engine, bytes: usize) {
    until("every message is finished", || engine.stats().queued == 0 && engine.stats().uncommitted_bytes >= bytes)
        .await;
}

/// What a put of the test costs: a key of four bytes and a value of one.
const PUT_BYTES: usize = WRITE_OVERHEAD_BYTES + 5;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_callers_of_one_actor_share_a_commit() {
    let (store, engine, mut calls) = held().await;
    let alice = puppet(&engine, "alice");
    calls.extend((0..1_000).map(|key| sent(run(&alice, vec![put(&format!("{key:04}"), "x")]))));
    finished(&engine, 1_000 * PUT_BYTES).await;
    store.memory.faults().release_commits();
    for call in calls {
        call.answer().await.unwrap();
    }
    assert_eq!(engine.stats().groups, 2, "the first one, and all that had gathered behind it");
    assert_eq!(store.groups()[1].actors.len(), 1);
    assert_eq!(store.groups()[1].actors[0].writes.len(), 1_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_callers_of_a_thousand_actors_share_a_commit() {
    let (store, engine, mut calls) = held().await;
    let names = (0..1_000).map(|name| format!("{name:04}"));
    calls.extend(names.map(|name| sent(run(&puppet(&engine, &name), vec![put(&name, "x")]))));
    finished(&engine, 1_000 * PUT_BYTES).await;
    store.memory.faults().release_commits();
    for call in calls {
        call.answer().await.unwrap();
    }
    // The first one, those that had gathered behind it, and the stragglers among these.
    assert!(engine.stats().groups <= 5, "{} groups", engine.stats().groups);
    assert!(store.groups().iter().any(|group| group.actors.len() > 900));
}

/// How many groups there are behind the first.
fn checked(store: &Recorder) -> usize {
    store.check();
    store.groups().len() - 1
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_that_is_larger_than_a_group_is_split_between_messages() {
    let (store, engine, mut calls) = held().await;
    let alice = puppet(&engine, "alice");
    // Three keys a message, so that a message that is torn shows.
    let value = "x".repeat(30_000);
    let message = |number: u32| ["a", "b", "c"].map(|key| put(&format!("{number:02}{key}"), &value)).to_vec();
    calls.extend((0..50).map(|number| sent(run(&alice, message(number)))));
    finished(&engine, 50 * 3 * 30_000).await;
    store.memory.faults().release_commits();
    for call in calls {
        call.answer().await.unwrap();
    }
    let groups = checked(&store);
    assert!((5..=10).contains(&groups), "{groups} groups for 4.5 MB");
    for group in store.groups().iter().skip(1) {
        assert_eq!(group.actors[0].writes.len() % 3, 0, "a message is torn");
    }
    let rows = look(&alice, vec![Step::List]).await.unwrap().remove(0).unwrap();
    assert_eq!(rows.split(' ').count(), 150);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn groups_of_many_large_actors_keep_the_bound_and_fill_up() {
    let (store, engine, mut calls) = held().await;
    let value = "x".repeat(100_000);
    let names = (0..30).map(|name| format!("{name:02}"));
    calls.extend(names.clone().map(|name| sent(run(&puppet(&engine, &name), vec![put("a", &value)]))));
    calls.extend(names.map(|name| sent(run(&puppet(&engine, &name), vec![put("b", "x")]))));
    finished(&engine, 30 * 100_000).await;
    store.memory.faults().release_commits();
    for call in calls {
        call.answer().await.unwrap();
    }
    let groups = checked(&store);
    assert!((3..=6).contains(&groups), "{groups} groups for 3 MB");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_of_the_largest_size_go_into_groups_two_by_two_at_the_most() {
    let (store, engine, mut calls) = held().await;
    let half = vec![Step::PutBytes(1, 256 * 1024), Step::PutBytes(2, MESSAGE_WRITE_BYTES_MAX - 256 * 1024 - 3 - 32)];
    for name in ["alice", "bob", "carol"] {
        for _ in 0..2 {
            calls.push(sent(run(&puppet(&engine, name), half.clone())));
        }
    }
    finished(&engine, 6 * MESSAGE_WRITE_BYTES_MAX).await;
    store.memory.faults().release_commits();
    for call in calls {
        call.answer().await.unwrap();
    }
    assert_eq!(checked(&store), 3, "six halves of a group");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_the_bound_of_what_waits_for_its_commit_actors_wait_and_go_on_after_it() {
    let memory = Memory::new();
    let engine = start(&memory).await;
    memory.faults().hold_commits();
    let value = "x".repeat(200_000);
    let mut calls = Calls::new();
    for number in 0..100 {
        calls.push(sent(run(&puppet(&engine, &(number % 4).to_string()), vec![put(&format!("{number}"), &value)])));
    }
    until("the bound is reached", || engine.stats().uncommitted_bytes >= UNCOMMITTED_BYTES_MAX).await;
    let mut other = sent(run(&puppet(&engine, "other"), vec![]));
    stays("everybody waits", || {
        // Each of the four was past the check of the bound with one message at the most.
        other.is_open() && engine.stats().uncommitted_bytes < UNCOMMITTED_BYTES_MAX + 4 * 200_100
    })
    .await;
    calls.push(other);
    memory.faults().release_commits();
    for call in calls {
        call.answer().await.unwrap();
    }
    until("nothing waits any more", || engine.stats().uncommitted_bytes == 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_the_bound_of_held_answers_actors_wait_and_go_on_after_the_commit() {
    let memory = Memory::new();
    let engine = start(&memory).await;
    let (alice, bob) = (puppet(&engine, "alice"), puppet(&engine, "bob"));
    memory.faults().hold_commits();
    let mut calls = vec![sent(run(&alice, vec![put("a", "1")]))];
    memory.faults().commits_waiting(1).await;
    calls.extend((0..HELD_REPLIES_MAX - 2).map(|_| sent(look(&alice, vec![]))));
    calls.push(sent(look(&alice, vec![Step::Ring("commits: last".into())])));
    heard("commits: last").await;
    calls.push(sent(look(&alice, vec![get("a")])));
    until("the one past the bound is taken, so the last batch has ended", || engine.stats().queued == 0).await;
    let mut other = sent(run(&bob, vec![]));
    stays("everybody waits", || other.is_open()).await;
    calls.push(other);
    memory.faults().release_commits();
    for call in calls {
        call.answer().await.unwrap();
    }
    assert_eq!(look(&alice, vec![get("a")]).await.unwrap(), [line("1")]);
}
