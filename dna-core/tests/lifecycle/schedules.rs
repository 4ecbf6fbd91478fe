//! Messages that an actor sends to itself, later.

use std::time::Duration;

use dna_core::{Client, Memory, Refusal, limits::SCHEDULED_MESSAGES_MAX};

use crate::{
    support::{Doll, Plain, Step, bump, get, line, look, put, run, say, wait},
    world::{Hook, World, begin, doll, until},
};

const SECOND: Duration = Duration::from_secs(1);

fn once(label: &str, delay: u64, steps: Vec<Step>) -> Step {
    Step::Schedule(label.into(), delay, true, steps)
}

fn every(label: &str, period: u64, steps: Vec<Step>) -> Step {
    Step::Every(label.into(), period, true, steps)
}

/// Keeps the actor at work until the door is opened.
async fn occupy(world: &World, alice: &Client<Doll<Plain>>, door: &str) -> tokio::task::JoinHandle<()> {
    let busy = begin(run(alice, vec![wait(door)])).await;
    until("it is at work", || world.times(&format!("at {door}")) == 1).await;
    tokio::spawn(async move { drop(busy.await.unwrap().unwrap()) })
}

#[tokio::test(start_paused = true)]
async fn a_scheduled_message_comes_once_when_its_time_has_come() {
    let world = World::new();
    let engine = world.start(&Memory::new()).await;
    let alice = doll(&engine, "alice");
    run(&alice, vec![once("tick", 10_000, vec![say("tick"), bump("n")])]).await.unwrap();
    tokio::time::sleep(9 * SECOND).await;
    assert_eq!(world.times("tick"), 0);
    assert!(!world.schedules.lock().unwrap()["tick"].is_over());
    tokio::time::sleep(2 * SECOND).await;
    assert_eq!(world.times("tick"), 1);
    tokio::time::sleep(60 * SECOND).await;
    assert_eq!(world.times("tick"), 1);
    assert!(world.schedules.lock().unwrap()["tick"].is_over());
    assert_eq!(look(&alice, vec![get("n")]).await.unwrap(), [line("1")]);
}

#[tokio::test(start_paused = true)]
async fn a_repeating_message_comes_every_period_until_it_is_cancelled() {
    let world = World::new();
    let engine = world.start(&Memory::new()).await;
    let alice = doll(&engine, "alice");
    run(&alice, vec![every("tick", 1000, vec![say("tick")])]).await.unwrap();
    tokio::time::sleep(10 * SECOND + SECOND / 2).await;
    assert!((9..=10).contains(&world.times("tick")), "{:?}", world.said());
    run(&alice, vec![Step::Cancel("tick".into())]).await.unwrap();
    let ticks = world.times("tick");
    tokio::time::sleep(60 * SECOND).await;
    assert_eq!(world.times("tick"), ticks);
}

#[tokio::test(start_paused = true)]
async fn a_schedule_that_is_cancelled_before_its_time_or_while_its_message_is_queued_is_not_carried_out() {
    let world = World::new();
    let engine = world.start(&Memory::new()).await;
    let alice = doll(&engine, "alice");
    run(&alice, vec![once("early", 1000, vec![say("early")]), once("queued", 1000, vec![say("queued")])])
        .await
        .unwrap();
    world.schedules.lock().unwrap()["early"].cancel();
    let busy = occupy(&world, &alice, "door").await;
    until("the message is queued", || engine.stats().queued == 1).await;
    world.schedules.lock().unwrap()["queued"].cancel();
    world.open("door");
    busy.await.unwrap();
    run(&alice, vec![]).await.unwrap();
    tokio::time::sleep(10 * SECOND).await;
    assert_eq!((world.times("early"), world.times("queued"), engine.stats().queued), (0, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_repeating_message_is_left_out_while_the_one_before_it_is_not_handled() {
    let world = World::new();
    let engine = world.start(&Memory::new()).await;
    let alice = doll(&engine, "alice");
    run(&alice, vec![every("tick", 1000, vec![say("tick")])]).await.unwrap();
    let busy = occupy(&world, &alice, "door").await;
    tokio::time::sleep(20 * SECOND).await;
    assert_eq!((engine.stats().queued, world.times("tick")), (1, 0));
    world.open("door");
    busy.await.unwrap();
    until("it is handled", || world.times("tick") == 1).await;
    tokio::time::sleep(3 * SECOND + SECOND / 2).await;
    assert!((3..=5).contains(&world.times("tick")), "{:?}", world.said());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn scheduled_messages_run_beside_no_handler_also_where_they_take_a_shared_actor() {
    let world = World::new();
    let engine = world.start(&Memory::new()).await;
    let alice = doll(&engine, "alice");
    let tick = vec![Step::Alone, Step::Yield, Step::Yield, say("tick")];
    run(&alice, vec![Step::Every("a".into(), 1, false, tick.clone()), Step::Every("b".into(), 1, true, tick)])
        .await
        .unwrap();
    while world.times("tick") < 100 {
        let mut answers = Vec::new();
        for _ in 0..20 {
            answers.push(begin(look(&alice, vec![Step::Yield, Step::Yield])).await);
        }
        for answer in answers {
            answer.await.unwrap().unwrap();
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert!(world.most_beside() > 1, "no two handlers ran at once, so that this shows nothing");
    world.check_overlaps();
}

#[tokio::test(start_paused = true)]
async fn schedules_end_with_their_activation() {
    for end in ["passivation", "panic", "refusal"] {
        let world = World::new();
        let memory = Memory::new();
        let engine = world.start(&memory).await;
        let alice = doll(&engine, "alice");
        run(&alice, vec![every("tick", 1000, vec![say("tick")]), once("once", 5000, vec![say("tick")])]).await.unwrap();
        match end {
            "passivation" => engine.passivate_all().await,
            "panic" => drop(run(&alice, vec![Step::Panic]).await.unwrap_err()),
            _ => {
                memory.faults().refuse_next(1, Refusal::Full);
                run(&alice, vec![put("a", "1")]).await.unwrap_err();
            }
        }
        tokio::time::sleep(60 * SECOND).await;
        assert_eq!(world.times("tick"), 0, "after a {end}");
        assert_eq!(engine.stats().activations, 1, "a schedule woke its actor after a {end}");
        assert!(world.schedules.lock().unwrap().values().all(|scheduled| scheduled.is_over()), "after a {end}");
        assert_eq!(run(&alice, vec![Step::Count]).await.unwrap(), [line("1")]);
        tokio::time::sleep(60 * SECOND).await;
        assert_eq!(world.times("tick"), 0, "after a {end}, on the next activation");
    }
}

#[tokio::test(start_paused = true)]
async fn a_queued_scheduled_message_ends_with_its_activation() {
    for panics in [true, false] {
        let world = World::new();
        let memory = Memory::new();
        let engine = world.start(&memory).await;
        let alice = doll(&engine, "alice");
        run(&alice, vec![once("tick", 1000, vec![say("tick")])]).await.unwrap();
        memory.faults().hold_commits();
        let written = begin(run(&alice, vec![put("a", "1")])).await;
        let last = if panics { vec![wait("door"), Step::Panic] } else { vec![wait("door")] };
        let last = begin(run(&alice, last)).await;
        until("the message is queued", || engine.stats().queued == 1).await;
        if !panics {
            memory.faults().refuse_next(1, Refusal::Full);
        }
        memory.faults().release_commits();
        assert_eq!(written.await.unwrap().is_ok(), panics);
        world.open("door");
        last.await.unwrap().unwrap_err();
        tokio::time::sleep(10 * SECOND).await;
        assert_eq!(world.times("tick"), 0, "behind its end by {}", if panics { "a panic" } else { "a refusal" });
        assert_eq!(run(&alice, vec![Step::Count]).await.unwrap(), [line("1")]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_schedule_vanishes_with_the_message_that_asked_for_it() {
    let world = World::new();
    let memory = Memory::new();
    let engine = world.start(&memory).await;
    let alice = doll(&engine, "alice");
    run(&alice, vec![once("failed", 100, vec![say("tick")]), Step::Fail]).await.unwrap_err();
    run(&alice, vec![once("panicked", 100, vec![say("tick")]), Step::Panic]).await.unwrap_err();
    memory.faults().refuse_next(1, Refusal::Full);
    run(&alice, vec![once("refused", 100, vec![say("tick")]), put("a", "1")]).await.unwrap_err();
    assert!(world.schedules.lock().unwrap().values().all(|scheduled| scheduled.is_over()));
    tokio::time::sleep(10 * SECOND).await;
    assert_eq!(world.times("tick"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_schedule_begins_when_the_message_that_asked_for_it_is_committed() {
    let world = World::new();
    let memory = Memory::new();
    let engine = world.start(&memory).await;
    let alice = doll(&engine, "alice");
    memory.faults().hold_commits();
    let asked = begin(run(&alice, vec![put("a", "1"), once("tick", 100, vec![say("tick")])])).await;
    tokio::time::sleep(10 * SECOND).await;
    assert_eq!(world.times("tick"), 0);
    memory.faults().release_commits();
    asked.await.unwrap().unwrap();
    until("it comes", || world.times("tick") == 1).await;
}

#[tokio::test(start_paused = true)]
async fn init_may_schedule_and_every_activation_has_its_own() {
    let world = World::new();
    world.on(Hook::Init, |_| vec![every("tick", 1000, vec![say("tick")])]);
    let engine = world.start(&Memory::new()).await;
    run(&doll(&engine, "alice"), vec![]).await.unwrap();
    until("it comes", || world.times("tick") == 3).await;
    engine.passivate_all().await;
    let before = world.times("tick");
    tokio::time::sleep(10 * SECOND).await;
    assert_eq!(world.times("tick"), before);
    run(&doll(&engine, "alice"), vec![]).await.unwrap();
    until("it comes again", || world.times("tick") > before).await;
}

#[tokio::test]
async fn an_activation_has_so_many_schedules_and_not_one_more() {
    let world = World::new();
    let engine = world.start(&Memory::new()).await;
    let alice = doll(&engine, "alice");
    let most = SCHEDULED_MESSAGES_MAX.to_string();
    // What a failed message asked for does not count.
    run(&alice, vec![Step::Fill(SCHEDULED_MESSAGES_MAX), Step::Fail]).await.unwrap_err();
    let last = once("last", 10_000_000, vec![]);
    let lines = run(&alice, vec![last.clone(), Step::Fill(SCHEDULED_MESSAGES_MAX)]).await.unwrap();
    assert_eq!(lines, [None, line(&(SCHEDULED_MESSAGES_MAX - 1).to_string())]);
    assert_eq!(run(&alice, vec![Step::Fill(1)]).await.unwrap(), [line("0")]);
    let error = run(&alice, vec![last.clone()]).await.unwrap_err().to_string();
    assert!(error.contains(&most), "{error}");
    // One that ends makes room for one.
    world.schedules.lock().unwrap()["last"].cancel();
    let mut took = false;
    for _ in 0..1000 {
        took |= run(&alice, vec![last.clone()]).await.is_ok();
        if took {
            break;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert!(took, "a schedule that was cancelled still counts");
}

#[tokio::test]
async fn the_schedules_of_an_actor_end_before_it_is_dropped() {
    let world = World::new();
    let engine = world.start(&Memory::new()).await;
    let alice = doll(&engine, "alice");
    run(&alice, vec![Step::Every("tick".into(), 3_600_000, true, vec![])]).await.unwrap();
    run(&alice, vec![Step::Panic]).await.unwrap_err();
    until("it is dropped", || world.alive() == 0).await;
    assert_eq!(world.outlived(), 0);
}
