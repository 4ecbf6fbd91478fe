//! What a handler sends out: its calls wait for the messages before it, its casts for its own.

use std::collections::VecDeque;

use dna_core::{CallError, Memory, Outcome, Refusal, Settings};

use crate::{
    harness::{sent, until},
    support::{Step, get, heard, line, look, open, puppet, put, run, start, start_with},
};

fn note(word: &str) -> Vec<Step> {
    vec![Step::Note(word.into())]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_from_a_handler_does_not_leave_before_the_commits_of_the_earlier_messages() {
    for shared in [false, true] {
        let memory = Memory::new();
        let engine = start(&memory).await;
        let (alice, bob) = (puppet(&engine, "alice"), puppet(&engine, "bob"));
        memory.faults().hold_commits();
        let writer = sent(run(&alice, vec![put("a", "1")]));
        memory.faults().commits_waiting(1).await;
        let bell = format!("sending: call {shared}");
        let steps = vec![get("a"), Step::Ring(bell.clone()), Step::Call("bob".into(), note("called"))];
        let caller = sent(if shared { look(&alice, steps) } else { run(&alice, steps) });
        heard(&bell).await;
        assert_eq!(look(&bob, vec![Step::Notes]).await.unwrap(), [line("")], "it has been delivered");
        memory.faults().release_commits();
        writer.answer().await.unwrap();
        caller.answer().await.unwrap();
        assert_eq!(look(&bob, vec![Step::Notes]).await.unwrap(), [line("called")]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_is_not_held_back_by_the_writes_of_its_own_message() {
    let memory = Memory::new();
    let engine = start(&memory).await;
    let (alice, bob) = (puppet(&engine, "alice"), puppet(&engine, "bob"));
    memory.faults().hold_commits();
    let steps = vec![put("a", "1"), Step::Call("bob".into(), note("called")), Step::Wait("sending: own".into())];
    let mut caller = sent(run(&alice, steps));
    heard("sending: own").await;
    assert_eq!(look(&bob, vec![Step::Notes]).await.unwrap(), [line("called")]);
    open("sending: own");
    memory.faults().commits_waiting(1).await;
    assert!(caller.is_open());
    memory.faults().release_commits();
    caller.answer().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_behind_a_refused_group_never_leaves() {
    let memory = Memory::new();
    let engine = start(&memory).await;
    let (alice, bob) = (puppet(&engine, "alice"), puppet(&engine, "bob"));
    memory.faults().hold_commits();
    let writer = sent(run(&alice, vec![put("a", "1")]));
    memory.faults().commits_waiting(1).await;
    let steps = vec![Step::Ring("sending: refused".into()), Step::Call("bob".into(), note("called"))];
    let caller = sent(run(&alice, steps));
    heard("sending: refused").await;
    memory.faults().refuse_next(1, Refusal::Full);
    memory.faults().release_commits();
    let refused = CallError::NotCommitted { refusal: Refusal::Full, outcome: Outcome::NotApplied };
    assert_eq!(writer.answer().await.unwrap_err(), refused);
    assert_eq!(caller.answer().await.unwrap_err(), refused);
    assert_eq!(look(&bob, vec![Step::Notes]).await.unwrap(), [line("")]);
}

#[tokio::test]
async fn a_cast_of_a_message_that_is_rolled_back_never_leaves() {
    let memory = Memory::new();
    let engine = start(&memory).await;
    let (alice, bob) = (puppet(&engine, "alice"), puppet(&engine, "bob"));
    for end in [Step::Fail, Step::Panic, Step::PutBytes(2049, 1)] {
        run(&alice, vec![Step::Cast("bob".into(), note("rolled back")), end]).await.unwrap_err();
    }
    memory.faults().refuse_next(1, Refusal::Full);
    run(&alice, vec![put("a", "1"), Step::Cast("bob".into(), note("refused"))]).await.unwrap_err();
    run(&alice, vec![put("a", "1"), Step::Cast("bob".into(), note("kept"))]).await.unwrap();
    until("the cast has come", || engine.stats().queued == 0).await;
    assert_eq!(look(&bob, vec![Step::Notes]).await.unwrap(), [line("kept")]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cast_leaves_when_its_message_is_committed_and_not_before() {
    let memory = Memory::new();
    let engine = start(&memory).await;
    let (alice, bob) = (puppet(&engine, "alice"), puppet(&engine, "bob"));
    memory.faults().hold_commits();
    let steps =
        vec![put("a", "1"), Step::Cast("bob".into(), vec![Step::Note("cast".into()), Step::Ring("bob".into())])];
    let writer = sent(run(&alice, steps));
    memory.faults().commits_waiting(1).await;
    // A message that writes nothing casts too: it waits for what it may have seen.
    let behind = sent(look(&alice, vec![get("a"), Step::Cast("bob".into(), note("behind"))]));
    let last = sent(look(&alice, vec![Step::Ring("sending: cast".into())]));
    heard("sending: cast").await;
    assert_eq!(look(&bob, vec![Step::Notes]).await.unwrap(), [line("")], "it has been delivered");
    memory.faults().release_commits();
    for call in [writer, behind, last] {
        call.answer().await.unwrap();
    }
    assert_eq!(look(&bob, vec![Step::Notes]).await.unwrap(), [line("cast behind")]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_casts_of_one_actor_keep_their_order() {
    const MESSAGES: u64 = 2_000;
    const CASTS: u64 = 20;
    let mut settings = Settings::default();
    settings.max_batch_messages = 1;
    let engine = start_with(&Memory::new(), settings).await;
    let alice = puppet(&engine, "alice");
    let mut number = 0;
    let mut calls = VecDeque::new();
    for message in 0..MESSAGES {
        // Every other message writes nothing, so that it needs no commit of its own, only the one before it.
        let (mut steps, casts) = if message % 2 == 0 { (vec![put("a", "1")], CASTS) } else { (Vec::new(), 1) };
        for _ in 0..casts {
            number += 1;
            steps.push(Step::Cast("bob".into(), vec![Step::Number(number)]));
        }
        calls.push_back(sent(run(&alice, steps)));
        if calls.len() > 8 {
            calls.pop_front().unwrap().answer().await.unwrap();
        }
    }
    for call in calls {
        call.answer().await.unwrap();
    }
    // A cast that was overtaken is refused by its number, so that the last one never comes up.
    let bob = puppet(&engine, "bob");
    let mut last = None;
    for _ in 0..10_000 {
        last = look(&bob, vec![get("last")]).await.unwrap().remove(0);
        if last == line(&number.to_string()) {
            return;
        }
    }
    panic!("a cast was lost or overtaken behind {last:?} of {number}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_of_a_suspended_handler_leaves_though_its_batch_has_not_ended() {
    let memory = Memory::new();
    let engine = start(&memory).await;
    let alice = puppet(&engine, "alice");
    let door = sent(run(&alice, vec![Step::Wait("sending: batch".into())]));
    heard("sending: batch").await;
    let writer = sent(run(&alice, vec![put("a", "1")]));
    let caller = sent(run(&alice, vec![Step::Call("bob".into(), vec![put("b", "1")])]));
    let last = sent(run(&alice, vec![get("a")]));
    open("sending: batch");
    for call in [door, writer, caller, last] {
        call.answer().await.unwrap();
    }
}
