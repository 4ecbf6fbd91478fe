//! How actors start: one activation a name, and `init`.

use std::sync::Arc;

use dna_core::{CallError, Memory, Outcome};

use crate::{
    support::{Step, bump, cast, get, line, look, put, run, say, wait},
    world::{Hook, World, begin, doll, until},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn ten_thousand_names_started_by_concurrent_messages_are_activated_once_each_and_keep_their_state() {
    const NAMES: usize = 10_000;
    let world = World::new();
    let engine = Arc::new(world.start(&Memory::new()).await);
    for round in 1..=2 {
        let mut tasks = Vec::new();
        for task in 0..8 {
            let engine = engine.clone();
            tasks.push(tokio::spawn(async move {
                // Two tasks for each name, each with a handle of its own.
                for number in (task / 2..NAMES).step_by(4) {
                    let name = doll(&engine, &number.to_string());
                    drop(begin(run(&name, vec![bump("n"), put("name", &number.to_string())])).await);
                }
            }));
        }
        for task in tasks {
            task.await.unwrap();
        }
        for number in 0..NAMES {
            let name = doll(&engine, &number.to_string());
            let lines = look(&name, vec![get("n"), get("name")]).await.unwrap();
            assert_eq!(lines, [line(&(2 * round).to_string()), line(&number.to_string())]);
        }
        let stats = engine.stats();
        assert_eq!((stats.active, stats.activations), (NAMES, round * NAMES as u64));
        assert_eq!(world.alive(), NAMES);
        engine.passivate_all().await;
        assert_eq!((engine.stats().active, world.alive()), (0, 0));
    }
    assert_eq!((engine.stats().queued, engine.stats().uncommitted_bytes), (0, 0));
    until("the caches are empty", || engine.stats().cached_bytes == 0).await;
    world.check_overlaps();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_first_messages_to_one_name_find_one_activation() {
    let world = World::new();
    world.on(Hook::Init, |_| vec![Step::Yield, say("init")]);
    let engine = Arc::new(world.start(&Memory::new()).await);
    let barrier = Arc::new(tokio::sync::Barrier::new(16));
    let mut tasks = Vec::new();
    for _ in 0..16 {
        let (engine, barrier) = (engine.clone(), barrier.clone());
        tasks.push(tokio::spawn(async move {
            barrier.wait().await;
            run(&doll(&engine, "alice"), vec![Step::Count]).await.unwrap()
        }));
    }
    let mut counts = Vec::new();
    for task in tasks {
        counts.push(task.await.unwrap()[0].clone().unwrap().parse::<u64>().unwrap());
    }
    counts.sort_unstable();
    assert_eq!(counts, (1..=16).collect::<Vec<_>>());
    assert_eq!((engine.stats().activations, world.times("init")), (1, 1));
}

#[tokio::test]
async fn init_runs_on_the_first_message_and_its_writes_are_durable_by_the_answer() {
    let world = World::new();
    world.on(Hook::Init, |_| vec![bump("inits")]);
    let memory = Memory::new();
    let engine = world.start(&memory).await;
    let alice = doll(&engine, "alice");
    assert_eq!(engine.stats().activations, 0);
    memory.faults().hold_commits();
    let answer = begin(look(&alice, vec![get("inits")])).await;
    memory.faults().commits_waiting(1).await;
    assert!(!answer.is_finished(), "the answer shows what is not durable");
    memory.faults().release_commits();
    assert_eq!(answer.await.unwrap().unwrap(), [line("1")]);
    drop(engine);

    world.on(Hook::Init, |_| Vec::new());
    let engine = world.start(&memory).await;
    assert_eq!(look(&doll(&engine, "alice"), vec![get("inits")]).await.unwrap(), [line("1")]);
}

#[tokio::test]
async fn writes_of_init_stand_where_the_message_behind_it_fails() {
    let world = World::new();
    world.on(Hook::Init, |_| vec![bump("inits")]);
    let engine = world.start(&Memory::new()).await;
    let alice = doll(&engine, "alice");
    assert!(run(&alice, vec![put("a", "1"), Step::Fail]).await.is_err());
    assert_eq!(look(&alice, vec![Step::List]).await.unwrap(), [line("inits=1")]);
}

#[tokio::test]
async fn an_init_that_fails_leaves_nothing_fails_its_message_and_is_tried_again_by_the_next() {
    for how in [Step::Fail, Step::Panic] {
        let world = World::new();
        let mut tries = 0;
        let last = how.clone();
        world.on(Hook::Init, move |name| {
            if name == "bob" {
                return vec![say("bob")];
            }
            tries += 1;
            let mut steps = vec![
                put("half", "done"),
                cast("bob", vec![say("cast")]),
                Step::Schedule("later".into(), 1, true, vec![say("scheduled")]),
            ];
            steps.extend((tries <= 2).then(|| last.clone()));
            if tries > 2 { vec![bump("inits")] } else { steps }
        });
        let engine = world.start(&Memory::new()).await;
        let alice = doll(&engine, "alice");
        // One batch: the first message is answered by the first try, the second by the next.
        let (first, second) = (begin(run(&alice, vec![])).await, begin(run(&alice, vec![])).await);
        for answer in [first, second] {
            let error = answer.await.unwrap().unwrap_err();
            let CallError::Init { error, outcome: Outcome::NotApplied } = error else { panic!("{error:?}") };
            assert_eq!(error.to_string().contains("panicked"), how == Step::Panic, "{error}");
        }
        assert_eq!((engine.stats().active, engine.stats().activations, world.alive()), (0, 0, 0));
        assert!(world.schedules.lock().unwrap()["later"].is_over());
        assert_eq!(run(&alice, vec![Step::List]).await.unwrap(), [line("inits=1")]);
        engine.shutdown().await.unwrap();
        assert_eq!(world.said(), Vec::<String>::new(), "a cast or schedule of a failed init was carried out");
    }
}

#[tokio::test]
async fn a_cast_whose_init_fails_is_counted_as_dropped() {
    let world = World::new();
    world.on(Hook::Init, |_| vec![Step::Fail]);
    let engine = world.start(&Memory::new()).await;
    run(&doll(&engine, "alice"), vec![]).cast().await.unwrap();
    until("the cast is dropped", || engine.stats().dropped_casts == 1).await;
}

#[tokio::test(start_paused = true)]
async fn a_message_that_waits_for_a_slow_init_is_told_at_its_deadline_that_it_was_not_started() {
    let world = World::new();
    world.on(Hook::Init, |_| vec![wait("init")]);
    let engine =
        world.start_with(&Memory::new(), |settings| settings.call_timeout = std::time::Duration::from_secs(2)).await;
    let alice = doll(&engine, "alice");
    let error = run(&alice, vec![say("handled")]).await.unwrap_err();
    assert_eq!(error, CallError::TimedOut { outcome: Outcome::NotApplied });
    world.open("init");
    assert_eq!(run(&alice, vec![Step::Count]).await.unwrap(), [line("1")]);
    assert_eq!(world.times("handled"), 0, "an expired message was started");
    assert_eq!(engine.stats().activations, 1);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_init_makes_has_the_deadline_of_the_message_that_caused_it() {
    let world = World::new();
    world.on(Hook::Init, |name| match name {
        "alice" => vec![Step::Call("bob".into(), vec![wait("bob")])],
        _ => Vec::new(),
    });
    let engine = world.start(&Memory::new()).await;
    let alice = doll(&engine, "alice");
    let answer = run(&alice, vec![]).timeout(std::time::Duration::from_secs(2)).await;
    assert_eq!(answer.unwrap_err(), CallError::TimedOut { outcome: Outcome::NotApplied });
    // The call of `init` ends then too, so that the actor is free to be tried again.
    world.on(Hook::Init, |_| Vec::new());
    assert_eq!(run(&alice, vec![Step::Count]).await.unwrap(), [line("1")]);
    assert_eq!(engine.stats().activations, 2, "bob's, and alice's second try");
    world.open("bob");
}
