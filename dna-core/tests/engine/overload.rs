//! Bounds on what waits in mailboxes. The clock is paused: it moves when nothing else can.

use std::time::Duration;

use dna_core::{CallError, Engine, Memory, Outcome, Overload, Settings};

use crate::{
    harness::{sent, until},
    support::{Step, heard, line, look, open, puppet, put, run, start_with},
};

/// A node whose mailboxes admit four messages, and a blocked actor with as many in its mailbox.
async fn full(bell: &str) -> Engine {
    let mut settings = Settings::default();
    settings.mailbox_messages_max = 4;
    settings.call_timeout = Duration::from_secs(5);
    let engine = start_with(&Memory::new(), settings).await;
    let alice = puppet(&engine, "alice");
    run(&alice, vec![Step::Wait(bell.into())]).cast().await.unwrap();
    heard(bell).await;
    for number in 1..=4 {
        run(&alice, vec![Step::Number(number)]).timeout(Duration::from_secs(60)).cast().await.unwrap();
    }
    engine
}

#[tokio::test(start_paused = true)]
async fn a_caller_of_a_full_mailbox_waits_for_room_up_to_its_deadline() {
    let engine = full("overload: waits").await;
    let alice = puppet(&engine, "alice");
    for call in [run(&alice, vec![]), run(&alice, vec![]).timeout(Duration::from_millis(50))] {
        let error = call.await.unwrap_err();
        assert_eq!(error, CallError::Overloaded(Overload::Mailbox));
        assert_eq!(error.outcome(), Outcome::NotApplied);
        assert!(error.is_retryable());
    }
    let fifth = sent(run(&alice, vec![Step::Number(5)]));
    open("overload: waits");
    fifth.answer().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_does_not_want_to_wait_is_told_at_once() {
    let engine = full("overload: no wait").await;
    let alice = puppet(&engine, "alice");
    let before = tokio::time::Instant::now();
    let overloaded = CallError::Overloaded(Overload::Mailbox);
    assert_eq!(run(&alice, vec![]).no_wait().await.unwrap_err(), overloaded);
    let cast = run(&alice, vec![]).no_wait().cast().await;
    assert_eq!(cast.unwrap_err(), CallError::Overloaded(Overload::Mailbox));
    assert_eq!(before.elapsed(), Duration::ZERO);
    open("overload: no wait");
    until("there is room", || engine.stats().queued == 0).await;
    run(&alice, vec![Step::Number(5)]).no_wait().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_cast_waits_until_it_is_admitted_and_is_withdrawn_at_its_deadline_or_when_it_is_dropped() {
    let engine = full("overload: cast").await;
    let alice = puppet(&engine, "alice");
    let late = run(&alice, vec![put("late", "1")]).timeout(Duration::from_millis(50)).cast();
    assert_eq!(late.await.unwrap_err(), CallError::Overloaded(Overload::Mailbox));
    let mut fifth = sent(run(&alice, vec![Step::Number(5)]).cast());
    let dropped = sent(run(&alice, vec![put("dropped", "1")]).cast());
    drop(dropped);
    assert!(fifth.is_open(), "it has been admitted beyond the bound");
    open("overload: cast");
    fifth.answer().await.unwrap();
    assert_eq!(look(&alice, vec![Step::List]).await.unwrap(), [line("last=5")]);
}

#[tokio::test(start_paused = true)]
async fn callers_and_casts_that_wait_for_room_keep_their_order() {
    let engine = full("overload: order").await;
    let alice = puppet(&engine, "alice");
    let (mut calls, mut casts) = (Vec::new(), Vec::new());
    for number in 5..=104 {
        let call = run(&alice, vec![Step::Number(number)]);
        if number % 2 == 0 { calls.push(sent(call)) } else { casts.push(sent(call.cast())) }
    }
    open("overload: order");
    for cast in casts {
        cast.answer().await.unwrap();
    }
    for call in calls {
        call.answer().await.unwrap();
    }
    assert_eq!(look(&alice, vec![Step::List]).await.unwrap(), [line("last=104")]);
}

#[tokio::test(start_paused = true)]
async fn beyond_the_nodes_cap_on_queued_messages_everybody_is_told_at_once() {
    let mut settings = Settings::default();
    settings.queued_messages_max = 10;
    let engine = start_with(&Memory::new(), settings).await;
    let alice = puppet(&engine, "alice");
    let blocker = sent(run(&alice, vec![Step::Wait("overload: node".into())]));
    heard("overload: node").await;
    let queued = (1..=10).map(|number| sent(run(&alice, vec![Step::Number(number)]))).collect::<Vec<_>>();
    assert_eq!(engine.stats().queued, 10);
    let before = tokio::time::Instant::now();
    for name in ["alice", "bob"] {
        let client = puppet(&engine, name);
        let error = run(&client, vec![put("never", "1")]).await.unwrap_err();
        assert_eq!(error, CallError::Overloaded(Overload::Node));
        assert_eq!(error.outcome(), Outcome::NotApplied);
        let error = run(&client, vec![put("never", "1")]).cast().await.unwrap_err();
        assert_eq!(error, CallError::Overloaded(Overload::Node));
    }
    assert_eq!(before.elapsed(), Duration::ZERO);
    assert_eq!(engine.stats().queued, 10, "what was refused is not counted");
    open("overload: node");
    blocker.answer().await.unwrap();
    for call in queued {
        call.answer().await.unwrap();
    }
    assert_eq!(engine.stats().queued, 0);
    run(&puppet(&engine, "bob"), vec![]).await.unwrap();
    assert_eq!(look(&alice, vec![Step::List]).await.unwrap(), [line("last=10")]);
}
