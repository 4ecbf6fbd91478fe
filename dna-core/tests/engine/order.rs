//! Messages from one handle are handled in the order in which they were sent.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use dna_core::{Memory, Settings};
use futures_util::future::join_all;

use crate::{
    harness::{sent, until},
    support::{Step, get, line, look, puppet, run, start, start_with},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_thousand_messages_of_one_handle_are_handled_in_order_over_a_slow_store() {
    const MESSAGES: u64 = 100_000;
    let memory = Memory::new();
    memory.faults().delay_commits(Duration::from_millis(1));
    let engine = start(&memory).await;
    let alice = puppet(&engine, "alice");
    // More than the mailbox admits, so that calls stand in line for room, and casts between them wait.
    let mut open = VecDeque::new();
    for number in 1..=MESSAGES {
        let call = run(&alice, vec![Step::Number(number)]);
        if number % 5 == 0 {
            call.cast().await.unwrap();
        } else {
            open.push_back(sent(call));
        }
        if open.len() > 10_000 {
            open.pop_front().unwrap().answer().await.unwrap();
        }
    }
    for call in open {
        call.answer().await.unwrap();
    }
    assert_eq!(look(&alice, vec![get("last")]).await.unwrap(), [line(&MESSAGES.to_string())]);
    assert!(memory.faults().stats().groups_committed > 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn senders_that_wait_for_room_are_served_in_the_order_of_their_sending() {
    let mut settings = Settings::default();
    settings.mailbox_messages_max = 4;
    settings.max_batch_messages = 3;
    let engine = start_with(&Memory::new(), settings).await;
    let alice = puppet(&engine, "alice");
    let first = sent(run(&alice, vec![Step::Wait("order: room".into())]));
    let mut casts = Vec::new();
    let mut calls = Vec::new();
    for number in 1..=10_000 {
        let call = run(&alice, vec![Step::Number(number)]);
        if number % 2 == 0 {
            calls.push(sent(call));
        } else {
            casts.push(sent(call.cast()));
        }
    }
    assert!(casts[9].is_open() && casts[4_999].is_open(), "a cast behind a full mailbox waits for room");
    crate::support::open("order: room");
    first.answer().await.unwrap();
    for cast in join_all(casts.into_iter().map(|cast| cast.answer())).await {
        cast.unwrap();
    }
    for call in join_all(calls.into_iter().map(|call| call.answer())).await {
        call.unwrap();
    }
    assert_eq!(look(&alice, vec![get("last")]).await.unwrap(), [line("10000")]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn order_is_kept_while_the_actor_is_passivated_again_and_again() {
    const ROUNDS: u64 = 200;
    const MESSAGES: u64 = 50;
    let memory = Memory::new();
    let engine = Arc::new(start(&memory).await);
    let sender = tokio::spawn({
        let engine = engine.clone();
        async move {
            let alice = puppet(&engine, "alice");
            for round in 0..ROUNDS {
                let numbers = round * MESSAGES + 1..=(round + 1) * MESSAGES;
                let calls = numbers.map(|number| sent(run(&alice, vec![Step::Number(number)])));
                for call in calls.collect::<Vec<_>>() {
                    call.answer().await.unwrap();
                }
                // Every other round meets the passivation, the others an idle actor.
                if round % 2 == 0 {
                    tokio::task::yield_now().await;
                    until("it is passivated", || engine.stats().active == 0).await;
                }
            }
        }
    });
    while !sender.is_finished() {
        engine.passivate_all().await;
        tokio::task::yield_now().await;
    }
    sender.await.unwrap();
    assert!(engine.stats().activations >= ROUNDS / 2);
    let alice = puppet(&engine, "alice");
    assert_eq!(look(&alice, vec![get("last")]).await.unwrap(), [line(&(ROUNDS * MESSAGES).to_string())]);
}
