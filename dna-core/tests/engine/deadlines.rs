//! Deadlines, cycles and dropped futures. The clock is paused: it moves when nothing else can.

use std::time::Duration;

use dna_core::{Call, CallError, Error, Memory, Outcome, Settings};
use tokio::time::Instant;

use crate::{
    harness::{Sent, sent, until},
    support::{Lines, Puppet, Step, get, heard, line, look, open, puppet, put, run, start, start_with},
};

const NEVER_STARTED: CallError<Error> = CallError::TimedOut { outcome: Outcome::NotApplied };
const UNDER_WAY: CallError<Error> = CallError::TimedOut { outcome: Outcome::Unknown };

/// A node whose calls may take five seconds.
async fn node(memory: &Memory) -> dna_core::Engine {
    let mut settings = Settings::default();
    settings.call_timeout = Duration::from_secs(5);
    start_with(memory, settings).await
}

#[tokio::test(start_paused = true)]
async fn a_message_that_expires_in_the_queue_is_never_started_and_one_under_way_may_have_had_effect() {
    let engine = node(&Memory::new()).await;
    let alice = puppet(&engine, "alice");
    let under_way =
        sent(run(&alice, vec![put("a", "1"), Step::Wait("deadlines: expire".into())]).timeout(Duration::from_secs(2)));
    heard("deadlines: expire").await;
    let queued = sent(run(&alice, vec![put("b", "1")]).timeout(Duration::from_secs(1)));
    let cast = run(&alice, vec![put("c", "1")]).timeout(Duration::from_secs(1)).cast();
    cast.await.unwrap();
    let patient = sent(run(&alice, vec![put("d", "1")]).timeout(Duration::from_secs(3)));
    assert_eq!(queued.answer().await.unwrap_err(), NEVER_STARTED);
    assert_eq!(under_way.answer().await.unwrap_err(), UNDER_WAY);
    open("deadlines: expire");
    patient.answer().await.unwrap();
    assert_eq!(look(&alice, vec![Step::List]).await.unwrap(), [line("a=1 d=1")], "what was started runs to its end");
    assert_eq!(engine.stats().dropped_casts, 1, "an expired cast is counted");
}

#[tokio::test(start_paused = true)]
async fn a_time_out_below_a_second_is_kept_to_the_millisecond_and_the_default_by_the_coarse_clock() {
    let engine = node(&Memory::new()).await;
    let alice = puppet(&engine, "alice");
    let blocker = sent(run(&alice, vec![Step::Wait("deadlines: precise".into())]).timeout(Duration::from_secs(60)));
    heard("deadlines: precise").await;
    for milliseconds in [0, 1, 37, 999] {
        let began = Instant::now();
        let call = run(&alice, vec![]).timeout(Duration::from_millis(milliseconds));
        assert_eq!(call.await.unwrap_err(), NEVER_STARTED);
        let took = began.elapsed().as_millis();
        assert!((milliseconds..=milliseconds + 2).contains(&took.try_into().unwrap()), "{milliseconds}: {took}");
    }
    for (call, seconds) in [(run(&alice, vec![]), 5), (run(&alice, vec![]).timeout(Duration::from_secs(2)), 2)] {
        let began = Instant::now();
        assert_eq!(call.await.unwrap_err(), NEVER_STARTED);
        let took = began.elapsed();
        let due = Duration::from_secs(seconds);
        assert!(took >= due && took <= due + Duration::from_millis(250), "{due:?}: {took:?}");
    }
    open("deadlines: precise");
    blocker.answer().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_the_gate_holds_back_until_the_deadline_is_unknown() {
    let memory = Memory::new();
    let engine = node(&memory).await;
    let alice = puppet(&engine, "alice");
    memory.faults().hold_commits();
    let short = run(&alice, vec![put("a", "1")]).timeout(Duration::from_millis(50));
    assert_eq!(short.await.unwrap_err(), UNDER_WAY);
    assert_eq!(run(&alice, vec![put("b", "1")]).await.unwrap_err(), UNDER_WAY);
    memory.faults().release_commits();
    assert_eq!(look(&alice, vec![Step::List]).await.unwrap(), [line("a=1 b=1")]);
}

#[tokio::test(start_paused = true)]
async fn a_nested_call_inherits_the_deadline() {
    let engine = node(&Memory::new()).await;
    let (alice, bob) = (puppet(&engine, "alice"), puppet(&engine, "bob"));
    let blocker = sent(run(&bob, vec![Step::Wait("deadlines: nested".into())]).timeout(Duration::from_secs(60)));
    heard("deadlines: nested").await;
    let began = Instant::now();
    let steps = vec![Step::Try(60_000, "bob".into(), vec![put("b", "1")]), Step::Note("went on".into())];
    let outer = run(&alice, steps).timeout(Duration::from_secs(1));
    assert_eq!(outer.await.unwrap_err(), UNDER_WAY);
    // The handler went on at the same time: its own call had ended too.
    assert_eq!(run(&alice, vec![Step::Notes]).await.unwrap(), [line("went on")]);
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    open("deadlines: nested");
    blocker.answer().await.unwrap();
    assert_eq!(look(&bob, vec![get("b")]).await.unwrap(), [None], "the expired call was never started");
}

#[tokio::test(start_paused = true)]
async fn a_nested_call_that_waits_at_the_gate_ends_by_its_deadline() {
    let memory = Memory::new();
    let engine = node(&memory).await;
    let alice = puppet(&engine, "alice");
    memory.faults().hold_commits();
    let writer = sent(run(&alice, vec![put("a", "1")]).timeout(Duration::from_secs(60)));
    memory.faults().commits_waiting(1).await;
    let began = Instant::now();
    let steps = vec![
        Step::Try(50, "bob".into(), vec![Step::Note("called".into())]),
        Step::Ring("deadlines: short".into()),
        Step::Try(60_000, "bob".into(), vec![Step::Note("called".into())]),
        Step::Ring("deadlines: long".into()),
    ];
    let caller = sent(run(&alice, steps).timeout(Duration::from_secs(3)));
    heard("deadlines: short").await;
    let took = began.elapsed();
    assert!(took >= Duration::from_millis(50) && took < Duration::from_millis(100), "{took:?}");
    heard("deadlines: long").await;
    let took = began.elapsed();
    assert!(took >= Duration::from_secs(3) && took < Duration::from_millis(3_250), "{took:?}");
    assert_eq!(caller.answer().await.unwrap_err(), UNDER_WAY);
    memory.faults().release_commits();
    writer.answer().await.unwrap();
    assert_eq!(look(&puppet(&engine, "bob"), vec![Step::Notes]).await.unwrap(), [line("")]);
}

#[tokio::test(start_paused = true)]
async fn two_actors_that_call_each_other_at_the_same_time_both_end_in_an_error_by_their_deadline() {
    let engine = node(&Memory::new()).await;
    let (alice, bob) = (puppet(&engine, "alice"), puppet(&engine, "bob"));
    let steps = |door: &str, other: &str| {
        vec![Step::Wait(door.to_owned()), Step::Call(other.to_owned(), vec![put("never", "1")])]
    };
    let began = Instant::now();
    let calls = [sent(run(&alice, steps("deadlines: a", "bob"))), sent(run(&bob, steps("deadlines: b", "alice")))];
    heard("deadlines: a").await;
    heard("deadlines: b").await;
    open("deadlines: a");
    open("deadlines: b");
    for call in calls {
        let error = call.answer().await.unwrap_err();
        assert!(matches!(error, CallError::TimedOut { .. } | CallError::Handler { .. }), "{error:?}");
        assert_eq!(error.outcome(), Outcome::Unknown);
    }
    assert!(began.elapsed() < Duration::from_secs(6), "{:?}", began.elapsed());
    for client in [&alice, &bob] {
        assert_eq!(look(client, vec![Step::List]).await.unwrap(), [line("")], "both are at work again");
    }
}

#[tokio::test]
async fn a_call_that_comes_back_to_an_actor_of_its_own_chain_fails_at_once() {
    let engine = start(&Memory::new()).await;
    let alice = puppet(&engine, "alice");
    let call = |name: &str, steps| Step::Try(30_000, name.to_owned(), steps);
    for (steps, depth) in [
        (vec![call("alice", vec![])], 1),
        (vec![call("bob", vec![call("alice", vec![])])], 2),
        (vec![call("bob", vec![call("carol", vec![call("alice", vec![])])])], 3),
        (vec![call("bob", vec![call("carol", vec![call("bob", vec![])])])], 3),
    ] {
        for shared in [false, true] {
            let call = if shared { look(&alice, steps.clone()) } else { run(&alice, steps.clone()) };
            let lines = call.await.unwrap();
            let answer = lines[0].clone().unwrap();
            assert!(answer.contains("CallCycle"), "{answer}");
            assert_eq!(answer.matches("Ok(").count(), depth - 1, "only the last call of the chain failed: {answer}");
        }
    }
    // A cast to an actor of the chain is no cycle.
    run(&alice, vec![Step::Cast("alice".into(), vec![Step::Ring("deadlines: cast".into())])]).await.unwrap();
    heard("deadlines: cast").await;
}

#[tokio::test(start_paused = true)]
async fn a_call_whose_future_is_dropped_is_skipped_where_it_is_queued_and_ends_where_it_is_under_way() {
    let engine = node(&Memory::new()).await;
    let alice = puppet(&engine, "alice");
    let under_way = sent(run(&alice, vec![put("a", "1"), Step::Wait("deadlines: dropped".into()), put("b", "1")]));
    heard("deadlines: dropped").await;
    let queued: Vec<Sent<Call<Puppet, Lines, Error>>> =
        (0..10).map(|key| sent(run(&alice, vec![put(&format!("c{key}"), "1")]))).collect();
    let unsent = run(&alice, vec![put("d", "1")]);
    drop((under_way, queued, unsent));
    open("deadlines: dropped");
    assert_eq!(look(&alice, vec![Step::List]).await.unwrap(), [line("a=1 b=1")]);
    until("nothing is queued", || engine.stats().queued == 0).await;
}
