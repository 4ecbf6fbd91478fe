//! `on_stop` and `after_persist`.

use std::sync::Arc;

use dna_core::{Memory, Refusal};

use crate::{
    support::{Notified, Step, bump, cast, get, line, look, put, run, say, wait},
    world::{Hook, World, begin, doll, doll_of, until},
};

#[tokio::test]
async fn what_on_stop_writes_at_passivation_is_durable_and_seen_by_the_next_activation() {
    let world = World::new();
    world.on(Hook::Stop, |_| vec![bump("stops")]);
    let memory = Memory::new();
    let engine = world.start(&memory).await;
    let alice = doll(&engine, "alice");
    run(&alice, vec![]).await.unwrap();
    memory.faults().hold_commits();
    engine.passivate_all().await;
    let seen = begin(look(&alice, vec![get("stops")])).await;
    memory.faults().commits_waiting(1).await;
    until("it was read", || engine.stats().queued == 0 && engine.stats().active == 1).await;
    assert!(!seen.is_finished(), "an answer shows what on_stop wrote before it is durable");
    memory.faults().release_commits();
    assert_eq!(seen.await.unwrap().unwrap(), [line("1")]);
    engine.shutdown().await.unwrap();

    world.on(Hook::Stop, |_| vec![]);
    let engine = world.start(&memory).await;
    assert_eq!(look(&doll(&engine, "alice"), vec![get("stops")]).await.unwrap(), [line("2")]);
}

#[tokio::test]
async fn on_stop_that_panics_is_rolled_back_and_the_name_goes_on() {
    let world = World::new();
    world.on(Hook::Stop, |_| vec![put("half", "done"), cast("bob", vec![say("cast")]), Step::Panic]);
    let engine = world.start(&Memory::new()).await;
    let alice = doll(&engine, "alice");
    run(&alice, vec![put("a", "1")]).await.unwrap();
    engine.passivate_all().await;
    assert_eq!((engine.stats().active, world.alive()), (0, 0));
    assert_eq!(look(&alice, vec![Step::List, Step::Count]).await.unwrap(), [line("a=1"), line("1")]);
    world.on(Hook::Stop, |_| vec![]);
    engine.shutdown().await.unwrap();
    assert_eq!(world.times("cast"), 0);
}

#[tokio::test]
async fn on_stop_does_not_run_behind_a_panic_or_a_refused_commit() {
    let world = World::new();
    world.on(Hook::Stop, |_| vec![say("stopped")]);
    let memory = Memory::new();
    let engine = world.start(&memory).await;
    let alice = doll(&engine, "alice");
    run(&alice, vec![Step::Panic]).await.unwrap_err();
    until("the activation is dropped", || world.alive() == 0).await;
    let bob = doll(&engine, "bob");
    memory.faults().refuse_next(1, Refusal::Full);
    run(&bob, vec![put("a", "1")]).await.unwrap_err();
    engine.passivate_all().await;
    assert_eq!(world.times("stopped"), 0);
    run(&bob, vec![]).await.unwrap();
    engine.shutdown().await.unwrap();
    assert_eq!(world.times("stopped"), 1);
}

#[tokio::test]
async fn a_cast_that_on_stop_sends_is_handled() {
    let world = World::new();
    world.on(
        Hook::Stop,
        |name| if name == "alice" { vec![put("a", "1"), cast("bob", vec![bump("n")])] } else { vec![] },
    );
    let engine = world.start(&Memory::new()).await;
    run(&doll(&engine, "alice"), vec![]).await.unwrap();
    engine.passivate_all().await;
    until("bob has it", || engine.stats().activations == 2).await;
    assert_eq!(run(&doll(&engine, "bob"), vec![get("n")]).await.unwrap(), [line("1")]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn after_persist_runs_after_commits_once_for_several_and_beside_no_handler() {
    let world = World::new();
    world.on(Hook::Persisted, |_| vec![say("persisted"), Step::Yield, Step::Yield]);
    let memory = Memory::new();
    let engine = world.start(&memory).await;
    let alice = doll_of::<Notified>(&engine, "alice");
    look(&alice, vec![]).await.unwrap();
    assert_eq!(world.times("persisted"), 0, "there was no commit");

    memory.faults().hold_commits();
    let held = begin(run(&alice, vec![bump("n")])).await;
    memory.faults().commits_waiting(1).await;
    assert_eq!(world.times("persisted"), 0, "it was called before the commit");
    // While a handler is at work, two commits come in.
    let busy = begin(run(&alice, vec![bump("n"), wait("door")])).await;
    until("it is at work", || world.times("at door") == 1).await;
    memory.faults().release_commits();
    held.await.unwrap().unwrap();
    assert_eq!(world.times("persisted"), 0, "it ran beside a handler");
    world.open("door");
    busy.await.unwrap().unwrap();
    until("it is called", || world.times("persisted") >= 1).await;

    let mut answers = Vec::new();
    for _ in 0..500 {
        answers.push(begin(run(&alice, vec![bump("n")])).await);
        answers.push(begin(look(&alice, vec![Step::Yield, get("n")])).await);
    }
    for answer in answers {
        answer.await.unwrap().unwrap();
    }
    until("all is persisted", || engine.stats().uncommitted_bytes == 0).await;
    let (calls, groups) = (world.times("persisted"), memory.faults().stats().groups_committed);
    assert!(calls as u64 <= groups, "{calls} calls for {groups} commits");
    world.check_overlaps();
}

#[tokio::test]
async fn after_persist_is_called_for_an_idle_actor_and_skipped_for_a_passivated_one() {
    let world = World::new();
    world.on(Hook::Persisted, |name| vec![say(&format!("persisted {name}"))]);
    let memory = Memory::new();
    let engine = world.start(&memory).await;
    memory.faults().hold_commits();
    let bob = begin(run(&doll_of::<Notified>(&engine, "bob"), vec![put("a", "1")])).await;
    memory.faults().commits_waiting(1).await;
    engine.passivate_all().await;
    let alice = begin(run(&doll_of::<Notified>(&engine, "alice"), vec![put("a", "1")])).await;
    // Long enough for its task to have ended.
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    memory.faults().release_commits();
    alice.await.unwrap().unwrap();
    bob.await.unwrap().unwrap();
    until("alice is told", || world.times("persisted alice") == 1).await;
    engine.shutdown().await.unwrap();
    assert_eq!(world.times("persisted bob"), 0);
}

#[tokio::test]
async fn after_persist_that_writes_panics_and_costs_the_activation_but_nothing_else() {
    let world = World::new();
    let mut calls = 0;
    world.on(Hook::Persisted, move |_| {
        calls += 1;
        if calls == 1 { vec![get("a"), say("tried"), put("b", "2"), say("written")] } else { vec![] }
    });
    let memory = Memory::new();
    let engine = world.start(&memory).await;
    let alice = doll_of::<Notified>(&engine, "alice");
    assert_eq!(run(&alice, vec![put("a", "1"), Step::Count]).await.unwrap(), [None, line("1")]);
    until("the activation is dropped", || world.alive() == 0).await;
    assert_eq!((world.times("tried"), world.times("written")), (1, 0));
    assert_eq!(look(&alice, vec![Step::List, Step::Count]).await.unwrap(), [line("a=1"), line("1")]);
    engine.shutdown().await.unwrap();
    assert_eq!(memory.faults().stats().groups_committed, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_after_persist_sends_out_is_handled() {
    let world = World::new();
    world.on(Hook::Persisted, |name| if name == "alice" { vec![cast("bob", vec![bump("n")])] } else { vec![] });
    let engine = Arc::new(world.start(&Memory::new()).await);
    run(&doll_of::<Notified>(&engine, "alice"), vec![put("a", "1")]).await.unwrap();
    until("bob has it", || engine.stats().activations == 2).await;
    assert_eq!(look(&doll_of::<Notified>(&engine, "bob"), vec![get("n")]).await.unwrap(), [line("1")]);
}
