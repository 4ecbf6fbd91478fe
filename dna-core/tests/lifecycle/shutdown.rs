//! How a node ends when it is told to: what it has accepted is done first.

use std::{sync::Arc, time::Duration};

use dna_core::{CallError, Engine, Memory, Outcome, ShutdownError};

use crate::{
    support::{Notified, Step, bump, cast, get, line, look, put, run, say, wait},
    world::{Hook, World, answered, begin, doll, doll_of, until},
};

const NOT_APPLIED: CallError<dna_core::Error> = CallError::Stopped { outcome: Outcome::NotApplied };

#[tokio::test]
async fn a_shutdown_handles_what_is_queued_runs_on_stop_and_commits_it_all() {
    let world = World::new();
    world.on(Hook::Stop, |_| vec![bump("stops")]);
    let memory = Memory::new();
    let engine = world.start(&memory).await;
    let alice = doll(&engine, "alice");
    let first = begin(run(&alice, vec![wait("door")])).await;
    until("it is at work", || world.times("at door") == 1).await;
    let mut calls = Vec::new();
    for _ in 0..10 {
        calls.push(
            begin(run(&alice, vec![bump("n"), cast("bob", vec![bump("n"), cast("carol", vec![bump("n")])])])).await,
        );
        run(&alice, vec![bump("n")]).cast().await.unwrap();
    }
    let down = tokio::spawn(engine.shutdown());
    until("it takes no more", || {
        let mut late = run(&alice, vec![say("late")]);
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        matches!(std::pin::Pin::new(&mut late).poll(&mut context), std::task::Poll::Ready(Err(error)) if error == NOT_APPLIED)
    })
    .await;
    world.open("door");
    down.await.unwrap().unwrap();
    answered(first).await.unwrap();
    for call in calls {
        answered(call).await.unwrap();
    }
    assert_eq!(run(&alice, vec![]).await.unwrap_err(), NOT_APPLIED);
    assert_eq!((world.times("late"), world.alive()), (0, 0));

    world.on(Hook::Stop, |_| vec![]);
    let engine = world.start(&memory).await;
    for (name, rows) in [("alice", "n=20 stops=1"), ("bob", "n=10 stops=1"), ("carol", "n=10 stops=1")] {
        assert_eq!(look(&doll(&engine, name), vec![Step::List]).await.unwrap(), [line(rows)], "{name}");
    }
}

#[tokio::test]
async fn a_cast_of_on_stop_is_handled_before_the_shutdown_ends_and_its_actor_stops_too() {
    let world = World::new();
    world.on(Hook::Stop, |name| match name {
        "alice" => vec![bump("stops"), cast("bob", vec![bump("n")])],
        "bob" => vec![bump("stops"), cast("carol", vec![bump("n")])],
        _ => vec![bump("stops")],
    });
    let memory = Memory::new();
    let engine = world.start(&memory).await;
    run(&doll(&engine, "alice"), vec![]).await.unwrap();
    memory.faults().hold_commits();
    let down = tokio::spawn(engine.shutdown());
    memory.faults().commits_waiting(1).await;
    until("no actor is left", || world.alive() == 0).await;
    // Long enough for the shutdown to have seen it.
    tokio::time::sleep(Duration::from_millis(50)).await;
    memory.faults().release_commits();
    down.await.unwrap().unwrap();

    world.on(Hook::Stop, |_| vec![]);
    let engine = world.start(&memory).await;
    for (name, rows) in [("alice", "stops=1"), ("bob", "n=1 stops=1"), ("carol", "n=1 stops=1")] {
        assert_eq!(look(&doll(&engine, name), vec![Step::List]).await.unwrap(), [line(rows)], "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_shutdown_loses_no_cast_of_a_long_chain() {
    for round in 0..100 {
        let world = World::new();
        let memory = Memory::new();
        let engine = world.start(&memory).await;
        let chain = (0..30).rev().fold(vec![bump("n")], |next, link| vec![bump("n"), cast(&link.to_string(), next)]);
        run(&doll(&engine, "start"), chain).cast().await.unwrap();
        engine.shutdown().await.unwrap();
        let engine = world.start(&memory).await;
        let last = look(&doll(&engine, "29"), vec![get("n")]).await.unwrap();
        assert_eq!(last, [line("1")], "the chain broke in round {round}");
    }
}

#[tokio::test]
async fn schedules_end_at_shutdown() {
    let world = World::new();
    let engine = world.start(&Memory::new()).await;
    let alice = doll_of::<Notified>(&engine, "alice");
    let tick = Step::Every("tick".into(), 1, true, vec![put("a", "1"), say("tick")]);
    run(&alice, vec![tick, Step::Schedule("late".into(), 60_000, true, vec![])]).await.unwrap();
    until("it ticks", || world.times("tick") > 3).await;
    engine.shutdown().await.unwrap();
    assert!(world.schedules.lock().unwrap().values().all(|scheduled| scheduled.is_over()));
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_does_not_end_makes_the_shutdown_time_out_and_is_dropped() {
    let world = World::new();
    let memory = Memory::new();
    let engine = world
        .start_with(&memory, |settings| {
            settings.shutdown_timeout = Duration::from_secs(5);
            settings.call_timeout = Duration::from_secs(100_000);
        })
        .await;
    let alice = doll(&engine, "alice");
    let stuck = begin(run(&alice, vec![put("a", "1"), wait("never")])).await;
    let beside = begin(look(&doll(&engine, "bob"), vec![wait("never")])).await;
    until("they are at work", || world.times("at never") == 2).await;
    let queued = begin(run(&alice, vec![put("b", "1")])).await;
    let started = tokio::time::Instant::now();
    let ended = engine.shutdown().await;
    assert_eq!(ended, Err(ShutdownError::TimedOut { busy: 2, queued: 1 }));
    assert!(started.elapsed() < Duration::from_secs(6), "{:?}", started.elapsed());
    for answer in [stuck, beside, queued] {
        assert_eq!(answered(answer).await.unwrap_err(), NOT_APPLIED);
    }
    until("the handlers are dropped", || world.running() == 0 && world.alive() == 0).await;
    let engine = world.start(&memory).await;
    assert_eq!(look(&doll(&engine, "alice"), vec![Step::List]).await.unwrap(), [line("")]);
}

#[tokio::test(start_paused = true)]
async fn an_on_stop_that_does_not_end_makes_the_shutdown_time_out() {
    let world = World::new();
    world.on(Hook::Stop, |_| vec![put("a", "2"), wait("never")]);
    let memory = Memory::new();
    let engine = world.start(&memory).await;
    run(&doll(&engine, "alice"), vec![put("a", "1")]).await.unwrap();
    assert_eq!(engine.shutdown().await, Err(ShutdownError::TimedOut { busy: 1, queued: 0 }));
    world.on(Hook::Stop, |_| vec![]);
    let engine = world.start(&memory).await;
    assert_eq!(look(&doll(&engine, "alice"), vec![get("a")]).await.unwrap(), [line("1")]);
}

#[tokio::test]
async fn a_shutdown_that_is_dropped_ends_the_node_at_once() {
    let world = World::new();
    let memory = Memory::new();
    let engine = world.start(&memory).await;
    let stuck = begin(run(&doll(&engine, "alice"), vec![wait("never")])).await;
    until("it is at work", || world.times("at never") == 1).await;
    let down = tokio::spawn(engine.shutdown());
    tokio::task::yield_now().await;
    down.abort();
    assert_eq!(answered(stuck).await.unwrap_err(), NOT_APPLIED);
    world.start(&memory).await.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_caller_is_answered_when_the_engine_is_dropped_and_the_store_is_free_at_once() {
    for round in 0..50 {
        let world = World::new();
        let memory = Memory::new();
        let engine = Arc::new(world.start(&memory).await);
        let mut callers = Vec::new();
        for task in 0..16 {
            let client = doll(&engine, &(task % 4).to_string());
            callers.push(tokio::spawn(async move {
                let mut kept = 0;
                loop {
                    let steps = match task % 3 {
                        0 => vec![bump("n"), Step::Yield],
                        1 => vec![bump("n")],
                        _ => vec![bump("n"), Step::Call("other".into(), vec![])],
                    };
                    match run(&client, steps).await {
                        Ok(_) => kept += 1,
                        Err(CallError::Stopped { .. }) => break kept,
                        // Its own call was refused by the node that ended.
                        Err(CallError::Handler { .. }) => {}
                        Err(error) => panic!("{error:?}"),
                    }
                }
            }));
        }
        let stuck = begin(look(&doll(&engine, "stuck"), vec![wait("never")])).await;
        until("there is some traffic", || engine.stats().groups > round).await;
        drop(Arc::into_inner(engine).unwrap());
        let engine: Engine = world.start(&memory).await;
        assert_eq!(answered(stuck).await.unwrap_err(), NOT_APPLIED);
        let mut kept = 0;
        for caller in callers {
            kept += answered(caller).await;
        }
        let mut stored = 0;
        for name in 0..4 {
            let lines = look(&doll(&engine, &name.to_string()), vec![get("n")]).await.unwrap();
            stored += lines[0].clone().map_or(0, |n| n.parse::<u64>().unwrap());
        }
        assert!((kept..=kept + 16).contains(&stored), "{kept} were answered Ok, {stored} are there");
        until("the old actors are dropped", || world.alive() == engine.stats().active).await;
        assert_eq!(world.running(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_that_ends_does_not_sit_out_the_pause_before_a_group_is_sent_again() {
    let world = World::new();
    let memory = Memory::new();
    let engine = world.start_with(&memory, |settings| settings.shutdown_timeout = Duration::from_secs(1)).await;
    memory.faults().lose_next_requests(1_000);
    let writer = begin(run(&doll(&engine, "alice"), vec![put("a", "1")])).await;
    // It is a second long by now, and has just begun anew: 1 + 2 + .. + 512 ms, and 2 s.
    tokio::time::sleep(Duration::from_millis(3_030)).await;
    let begun = tokio::time::Instant::now();
    engine.shutdown().await.unwrap_err();
    writer.await.unwrap().unwrap_err();
    assert!(begun.elapsed() < Duration::from_millis(1_100), "{:?}", begun.elapsed());
}
