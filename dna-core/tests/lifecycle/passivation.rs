//! Passivation: when actors leave memory, that nothing is lost by it, and that nothing is left of them.

use std::{sync::Arc, time::Duration};

use dna_core::{CallError, Memory, Overload, Settings, limits::LINGERING_TASKS_MAX};

use crate::{
    support::{Step, Tight, bump, get, line, look, put, run, wait},
    world::{Hook, World, begin, doll, doll_of, until},
};

const SECOND: Duration = Duration::from_secs(1);

fn idle_for(seconds: u64) -> impl FnOnce(&mut Settings) {
    move |settings| settings.idle_timeout = Duration::from_secs(seconds)
}

/// How often the actor has counted since its activation: 1 if it was passivated.
async fn count(engine: &dna_core::Engine, name: &str) -> String {
    look(&doll(engine, name), vec![Step::Count]).await.unwrap()[0].clone().unwrap()
}

#[tokio::test(start_paused = true)]
async fn an_idle_actor_is_passivated_after_its_time_and_not_before() {
    let world = World::new();
    let engine = world.start_with(&Memory::new(), idle_for(10)).await;
    run(&doll(&engine, "alice"), vec![put("a", "1")]).await.unwrap();
    tokio::time::sleep(9 * SECOND).await;
    assert_eq!(engine.stats().active, 1);
    tokio::time::sleep(2 * SECOND).await;
    assert_eq!((engine.stats().active, world.alive()), (0, 0));
    assert_eq!(look(&doll(&engine, "alice"), vec![get("a"), Step::Count]).await.unwrap(), [line("1"), line("1")]);
}

#[tokio::test(start_paused = true)]
async fn an_actor_that_is_used_now_and_then_stays() {
    let world = World::new();
    let engine = world.start_with(&Memory::new(), idle_for(10)).await;
    for round in 1..=10 {
        assert_eq!(count(&engine, "alice").await, round.to_string());
        tokio::time::sleep(7 * SECOND).await;
    }
    assert_eq!(engine.stats().activations, 1);
}

#[tokio::test(start_paused = true)]
async fn an_actor_at_work_is_not_passivated() {
    let world = World::new();
    let engine = world
        .start_with(&Memory::new(), |settings| {
            settings.idle_timeout = SECOND;
            settings.max_active = 0;
            settings.call_timeout = 1000 * SECOND;
        })
        .await;
    let answer = begin(run(&doll(&engine, "alice"), vec![Step::Count, wait("door"), Step::Count])).await;
    let looks = begin(look(&doll(&engine, "bob"), vec![Step::Count, wait("door"), Step::Count])).await;
    tokio::time::sleep(100 * SECOND).await;
    assert_eq!(engine.stats().active, 2);
    world.open("door");
    assert_eq!(answer.await.unwrap().unwrap(), [line("1"), None, line("2")]);
    assert_eq!(looks.await.unwrap().unwrap(), [line("1"), None, line("2")]);
    until("both are passivated", || engine.stats().active == 0).await;
}

#[tokio::test(start_paused = true)]
async fn above_max_active_the_least_recently_used_actor_goes_first() {
    let world = World::new();
    let engine = world.start_with(&Memory::new(), |settings| settings.max_active = 3).await;
    for name in ["a", "b", "c"] {
        count(&engine, name).await;
        tokio::time::sleep(SECOND).await;
    }
    assert_eq!(count(&engine, "a").await, "2");
    tokio::time::sleep(SECOND).await;
    count(&engine, "d").await;
    until("one is passivated", || engine.stats().active == 3).await;
    tokio::time::sleep(SECOND).await;
    assert_eq!(engine.stats().active, 3);
    for (name, counted) in [("a", "3"), ("c", "2"), ("d", "2")] {
        assert_eq!(count(&engine, name).await, counted, "{name} was passivated before b");
    }
    assert_eq!(count(&engine, "b").await, "1", "b was not passivated");
}

#[tokio::test(start_paused = true)]
async fn above_cache_bytes_max_the_least_recently_used_actor_goes_and_the_others_stay() {
    let world = World::new();
    let engine = world.start_with(&Memory::new(), |settings| settings.cache_bytes_max = 250_000).await;
    let value = "x".repeat(100_000);
    for name in ["a", "b", "c"] {
        run(&doll(&engine, name), vec![Step::Count, put("value", &value)]).await.unwrap();
        tokio::time::sleep(SECOND).await;
    }
    until("there is room in the cache", || engine.stats().cached_bytes <= 250_000).await;
    tokio::time::sleep(SECOND).await;
    assert_eq!(engine.stats().active, 2);
    assert_eq!(count(&engine, "c").await, "2", "c was passivated before a");
    assert_eq!(count(&engine, "b").await, "2", "b was passivated before a");
    assert_eq!(look(&doll(&engine, "a"), vec![Step::Count, get("value")]).await.unwrap(), [line("1"), Some(value)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_message_is_lost_while_the_actor_is_passivated_all_the_time() {
    const TASKS: usize = 8;
    const MESSAGES: usize = 300;
    let world = World::new();
    let engine = Arc::new(world.start(&Memory::new()).await);
    let mut tasks = Vec::new();
    // Handles that keep the slot that took their last message.
    let alice = doll(&engine, "alice");
    for task in 0..TASKS {
        let alice = if task % 2 == 0 { alice.clone() } else { doll(&engine, "alice") };
        tasks.push(tokio::spawn(async move {
            for number in 0..MESSAGES {
                if number % 3 == 0 {
                    run(&alice, vec![bump("n")]).cast().await.unwrap();
                } else {
                    run(&alice, vec![bump("n")]).await.unwrap();
                }
                if number % 4 == 0 {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            }
        }));
    }
    let storm = tokio::spawn({
        let engine = engine.clone();
        async move {
            loop {
                engine.passivate_all().await;
                tokio::task::yield_now().await;
            }
        }
    });
    for task in tasks {
        task.await.unwrap();
    }
    storm.abort();
    let total = (TASKS * MESSAGES).to_string();
    assert_eq!(run(&alice, vec![get("n")]).await.unwrap(), [line(&total)]);
    assert!(engine.stats().activations > 20, "the actor was hardly ever passivated: {:?}", engine.stats());
    assert_eq!(engine.stats().dropped_casts, 0);
    world.check_overlaps();
}

#[tokio::test]
async fn a_write_that_waits_for_its_commit_is_seen_behind_passivation_through_an_old_and_a_new_handle() {
    let world = World::new();
    let memory = Memory::new();
    let engine = world.start(&memory).await;
    let alice = doll(&engine, "alice");
    run(&alice, vec![put("a", "0")]).await.unwrap();
    memory.faults().hold_commits();
    let written = begin(run(&alice, vec![put("a", "1")])).await;
    memory.faults().commits_waiting(1).await;
    engine.passivate_all().await;
    assert_eq!(world.alive(), 0);
    let old = begin(look(&alice, vec![get("a"), Step::Count])).await;
    let new = begin(look(&doll(&engine, "alice"), vec![get("a"), Step::Count])).await;
    until("both were handled", || world.alive() == 1 && engine.stats().queued == 0).await;
    assert!(!written.is_finished() && !old.is_finished() && !new.is_finished());
    memory.faults().release_commits();
    assert_eq!(old.await.unwrap().unwrap(), [line("1"), line("1")]);
    assert_eq!(new.await.unwrap().unwrap(), [line("1"), line("2")]);
    written.await.unwrap().unwrap();
}

#[tokio::test]
async fn of_passivated_names_nothing_stays_in_the_node_also_where_their_writes_had_to_wait() {
    let world = World::new();
    let memory = Memory::new();
    // Answered calls are not to be kept for their deadline.
    let engine = world.start_with(&memory, |settings| settings.call_timeout = 3600 * SECOND).await;
    // One that stays, and was there first.
    let alice = doll(&engine, "alice");
    run(&alice, vec![put("a", "1")]).await.unwrap();
    for number in 0..200 {
        drop(begin(run(&doll(&engine, &number.to_string()), vec![put("a", "1")])).await);
    }
    until("all are written", || engine.stats().uncommitted_bytes == 0 && engine.stats().active == 201).await;
    assert_eq!(engine.names_held(), 201);
    memory.faults().hold_commits();
    for number in 0..200 {
        drop(begin(run(&doll(&engine, &number.to_string()), vec![put("a", "2")])).await);
    }
    engine.passivate_all().await;
    run(&alice, vec![]).await.unwrap();
    assert_eq!(engine.names_held(), 201, "what waits to be committed keeps its name");
    memory.faults().release_commits();
    until("only the one in use is left", || engine.names_held() == 1).await;
    assert_eq!(engine.stats().active, 1);
    engine.passivate_all().await;
    until("nothing is left", || engine.names_held() == 0 && engine.stats().cached_bytes == 0).await;
}

#[tokio::test]
async fn a_name_whose_handler_panicked_leaves_the_node_when_its_writes_are_durable() {
    let world = World::new();
    let memory = Memory::new();
    let engine = world.start(&memory).await;
    // An idle actor that has time yet stands before it in the queue of idle ones.
    run(&doll(&engine, "idle"), vec![]).await.unwrap();
    tokio::time::sleep(Duration::from_millis(400)).await;
    memory.faults().hold_commits();
    let alice = doll(&engine, "alice");
    let written = begin(run(&alice, vec![put("a", "1")])).await;
    let panicked = begin(run(&alice, vec![Step::Panic])).await;
    until("the activation is gone", || engine.stats().queued == 0 && engine.stats().active == 1).await;
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert_eq!(engine.names_held(), 2);
    memory.faults().release_commits();
    written.await.unwrap().unwrap();
    panicked.await.unwrap().unwrap_err();
    until("only the idle actor is left", || engine.names_held() == 1).await;
}

#[tokio::test]
async fn a_name_whose_first_message_is_refused_is_not_kept() {
    let world = World::new();
    let engine = world.start_with(&Memory::new(), |settings| settings.queued_messages_max = 1).await;
    let alice = doll(&engine, "alice");
    let busy = begin(run(&alice, vec![wait("door")])).await;
    until("it is at work", || world.times("at door") == 1).await;
    let queued = begin(run(&alice, vec![])).await;
    for number in 0..100 {
        let error = run(&doll(&engine, &number.to_string()), vec![]).await.unwrap_err();
        assert_eq!(error, CallError::Overloaded(Overload::Node));
    }
    assert_eq!(engine.names_held(), 1);
    world.open("door");
    busy.await.unwrap().unwrap();
    queued.await.unwrap().unwrap();
    run(&doll(&engine, "7"), vec![]).await.unwrap();
}

#[tokio::test]
async fn actors_that_were_passivated_keep_no_cache_however_many_clients_they_have() {
    let world = World::new();
    world.on(Hook::Stop, |_| vec![put("last", &"x".repeat(1000))]);
    let engine = world.start(&Memory::new()).await;
    let clients: Vec<_> = (0..100).map(|name| doll(&engine, &name.to_string())).collect();
    for client in &clients {
        run(client, vec![]).await.unwrap();
    }
    engine.passivate_all().await;
    until("every name is let go", || engine.names_held() == 0).await;
    assert_eq!(engine.stats().cached_bytes, 0);
    drop(clients);
}

#[tokio::test]
async fn a_cast_that_was_withdrawn_does_not_activate_its_actor() {
    let world = World::new();
    let engine = world.start(&Memory::new()).await;
    let alice = doll_of::<Tight>(&engine, "alice");
    let first = begin(run(&alice, vec![wait("door"), Step::Panic])).await;
    until("it is at work", || world.times("at door") == 1).await;
    for _ in 0..3 {
        assert!(futures_util::poll!(&mut run(&alice, vec![])).is_pending());
    }
    assert!(futures_util::poll!(&mut run(&alice, vec![]).cast()).is_pending(), "it waits for room");
    world.open("door");
    first.await.unwrap().unwrap_err();
    until("the name is let go", || engine.names_held() == 0).await;
    let stats = engine.stats();
    assert_eq!((stats.activations, stats.dropped_casts), (1, 0));
}

/// Lets every task run that has something to do, on a clock that stands still.
async fn let_run() {
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn tasks_linger_up_to_their_bound_and_the_one_behind_it_ends_at_once() {
    let world = World::new();
    let engine = world.start(&Memory::new()).await;
    for number in 0..LINGERING_TASKS_MAX {
        run(&doll(&engine, &number.to_string()), vec![]).await.unwrap();
    }
    let_run().await;
    assert_eq!(engine.tasks(), LINGERING_TASKS_MAX);

    run(&doll(&engine, "one more"), vec![put("a", "1"), Step::Count]).await.unwrap();
    let_run().await;
    assert_eq!(engine.tasks(), LINGERING_TASKS_MAX);
    assert_eq!(engine.stats().active, LINGERING_TASKS_MAX + 1, "its actor stays in memory");
    assert_eq!(look(&doll(&engine, "one more"), vec![get("a"), Step::Count]).await.unwrap(), [line("1"), line("2")]);
}
