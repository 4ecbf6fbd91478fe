//! `&self` handlers of one batch run concurrently.

use dna_core::{CallError, Memory, Outcome, Refusal};

use crate::{
    support::{Step, bump, get, line, look, put, run, say, wait},
    world::{World, begin, doll, until},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn consecutive_shared_messages_of_a_batch_run_at_once_and_an_exclusive_one_waits_for_them() {
    const HANDLERS: usize = 100;
    let world = World::new();
    let engine = world.start(&Memory::new()).await;
    let alice = doll(&engine, "alice");
    let first = begin(run(&alice, vec![wait("first")])).await;
    until("it is at work", || world.times("at first") == 1).await;
    let mut looks = Vec::new();
    for _ in 0..HANDLERS {
        looks.push(begin(look(&alice, vec![get("n"), wait("door"), get("n")])).await);
    }
    let written = begin(run(&alice, vec![bump("n")])).await;
    let behind = begin(look(&alice, vec![get("n")])).await;
    world.open("first");
    first.await.unwrap().unwrap();
    until("all are at the door", || world.times("at door") == HANDLERS).await;
    assert_eq!((world.running(), world.most_beside()), (HANDLERS, HANDLERS));
    assert!(!written.is_finished());
    world.open("door");
    for answer in looks {
        assert_eq!(answer.await.unwrap().unwrap(), [None, None, None]);
    }
    assert_eq!(written.await.unwrap().unwrap(), [line("1")]);
    assert_eq!(behind.await.unwrap().unwrap(), [line("1")]);
    world.check_overlaps();
}

#[tokio::test]
async fn a_suspended_handler_does_not_hold_back_the_answers_of_finished_ones() {
    let world = World::new();
    let engine = world.start(&Memory::new()).await;
    let alice = doll(&engine, "alice");
    let first = begin(run(&alice, vec![wait("first")])).await;
    let written = begin(run(&alice, vec![put("a", "1")])).await;
    let before = begin(look(&alice, vec![get("a")])).await;
    let suspended = begin(look(&alice, vec![wait("door"), get("a")])).await;
    let behind = begin(look(&alice, vec![get("a")])).await;
    let last = begin(run(&alice, vec![put("a", "2")])).await;
    world.open("first");
    first.await.unwrap().unwrap();
    written.await.unwrap().unwrap();
    assert_eq!(before.await.unwrap().unwrap(), [line("1")]);
    assert_eq!(behind.await.unwrap().unwrap(), [line("1")]);
    assert!(!suspended.is_finished() && !last.is_finished());
    world.open("door");
    assert_eq!(suspended.await.unwrap().unwrap(), [None, line("1")]);
    last.await.unwrap().unwrap();
}

#[tokio::test]
async fn of_shared_handlers_that_run_at_once_only_the_panicking_one_fails() {
    let world = World::new();
    let engine = world.start(&Memory::new()).await;
    let alice = doll(&engine, "alice");
    let first = begin(run(&alice, vec![wait("first"), Step::Count])).await;
    let before = begin(look(&alice, vec![wait("door"), say("before")])).await;
    let at_once = begin(look(&alice, vec![Step::Panic])).await;
    let later = begin(look(&alice, vec![wait("door"), Step::Panic])).await;
    let behind = begin(run(&alice, vec![Step::Count])).await;
    world.open("first");
    first.await.unwrap().unwrap();
    let panicked = CallError::Panicked { outcome: Outcome::NotApplied };
    assert_eq!(at_once.await.unwrap().unwrap_err(), panicked);
    assert!(!before.is_finished(), "a neighbour's panic ended it");
    world.open("door");
    before.await.unwrap().unwrap();
    // It stood behind the panic: it has a fresh activation, and panics there.
    assert_eq!(later.await.unwrap().unwrap_err(), panicked);
    assert_eq!(behind.await.unwrap().unwrap(), [line("1")]);
    assert_eq!(engine.stats().active, 1);
}

#[tokio::test]
async fn shared_messages_behind_a_panic_find_a_fresh_activation() {
    let world = World::new();
    let engine = world.start(&Memory::new()).await;
    let alice = doll(&engine, "alice");
    let first = begin(run(&alice, vec![wait("first"), Step::Count])).await;
    let panicked = begin(look(&alice, vec![Step::Panic])).await;
    let behind = begin(look(&alice, vec![Step::Count])).await;
    world.open("first");
    assert_eq!(first.await.unwrap().unwrap(), [None, line("1")]);
    panicked.await.unwrap().unwrap_err();
    assert_eq!(behind.await.unwrap().unwrap(), [line("1")], "it ran on the activation that had panicked");
    assert_eq!(engine.stats().activations, 2);
}

#[tokio::test]
async fn shared_messages_behind_a_refused_commit_find_a_fresh_activation() {
    let world = World::new();
    let memory = Memory::new();
    let engine = world.start(&memory).await;
    let alice = doll(&engine, "alice");
    memory.faults().hold_commits();
    let first = begin(run(&alice, vec![put("a", "1"), Step::Count])).await;
    memory.faults().commits_waiting(1).await;
    // One batch; the first of it makes room for the refusal while it runs.
    let door = begin(run(&alice, vec![wait("start")])).await;
    until("it is at work", || world.times("at start") == 1).await;
    let suspended = begin(look(&alice, vec![wait("door")])).await;
    let mut behind = Vec::new();
    for _ in 0..10 {
        behind.push(begin(look(&alice, vec![Step::Count, get("a")])).await);
    }
    world.open("start");
    until("all were handled", || engine.stats().queued == 0 && world.times("at door") == 1).await;
    memory.faults().refuse_next(1, Refusal::Full);
    memory.faults().release_commits();
    world.open("door");
    for answer in [first, door, suspended] {
        let error = answer.await.unwrap().unwrap_err();
        assert!(matches!(error, CallError::NotCommitted { outcome: Outcome::NotApplied, .. }), "{error:?}");
    }
    for answer in behind {
        let error = answer.await.unwrap().unwrap_err();
        assert!(matches!(error, CallError::NotCommitted { outcome: Outcome::NotApplied, .. }), "{error:?}");
    }
    assert_eq!(look(&alice, vec![Step::Count, get("a")]).await.unwrap(), [line("1"), None]);
}
