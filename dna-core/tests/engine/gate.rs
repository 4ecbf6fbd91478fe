//! The output gate: an answer leaves when everything that it may show is durable, and not before.

use dna_core::{CallError, Memory, Outcome};

use crate::{
    harness::sent,
    support::{Step, get, heard, line, look, puppet, put, run, start},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_commit_held_back_neither_the_writers_nor_a_later_readers_answer_leaves() {
    let memory = Memory::new();
    let engine = start(&memory).await;
    let alice = puppet(&engine, "alice");
    memory.faults().hold_commits();

    let mut writer = sent(run(&alice, vec![put("a", "1")]));
    memory.faults().commits_waiting(1).await;
    let mut alone = sent(run(&alice, vec![get("a")]));
    let mut shared = sent(look(&alice, vec![get("a")]));
    let mut failed = sent(run(&alice, vec![get("a"), Step::Fail]));
    let mut panicked = sent(look(&alice, vec![Step::Panic]));
    // What comes after them has been handled, so they have been.
    let mut last = sent(run(&alice, vec![Step::Ring("gate: last".into())]));
    heard("gate: last").await;

    assert!(writer.is_open(), "the writer's answer has left");
    assert!(alone.is_open(), "a `&mut self` reader's answer has left");
    assert!(shared.is_open(), "a `&self` reader's answer has left");
    assert!(failed.is_open(), "a failed handler's error has left");
    assert!(panicked.is_open(), "a panic's error has left");
    assert!(last.is_open(), "the answer of a handler that touched nothing has left");
    assert_eq!(memory.faults().stats().groups_committed, 0);

    memory.faults().release_commits();
    assert_eq!(writer.answer().await.unwrap(), [None]);
    assert_eq!(alone.answer().await.unwrap(), [line("1")]);
    assert_eq!(shared.answer().await.unwrap(), [line("1")]);
    let error = failed.answer().await.unwrap_err();
    assert!(matches!(error, CallError::Handler { outcome: Outcome::NotApplied, .. }), "{error:?}");
    assert_eq!(panicked.answer().await.unwrap_err(), CallError::Panicked { outcome: Outcome::NotApplied });
    assert_eq!(last.answer().await.unwrap(), [None]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_shows_a_plain_field_waits_for_the_writes_before_it() {
    let memory = Memory::new();
    let engine = start(&memory).await;
    let alice = puppet(&engine, "alice");
    memory.faults().hold_commits();
    let writer = sent(run(&alice, vec![Step::Count, put("a", "1")]));
    memory.faults().commits_waiting(1).await;
    let mut reader = sent(look(&alice, vec![Step::Seen]));
    let mut last = sent(look(&alice, vec![Step::Ring("gate: field".into())]));
    heard("gate: field").await;
    assert!(reader.is_open() && last.is_open(), "a field that an uncommitted message set was shown");
    memory.faults().release_commits();
    assert_eq!(reader.answer().await.unwrap(), [line("1")]);
    writer.answer().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_with_nothing_before_it_leaves_at_once_while_other_commits_are_held() {
    let memory = Memory::new();
    let engine = start(&memory).await;
    let (alice, bob) = (puppet(&engine, "alice"), puppet(&engine, "bob"));
    run(&bob, vec![put("b", "1")]).await.unwrap();
    memory.faults().hold_commits();
    let mut writer = sent(run(&alice, vec![put("a", "1")]));
    memory.faults().commits_waiting(1).await;

    assert_eq!(look(&bob, vec![get("b")]).await.unwrap(), [line("1")]);
    assert_eq!(run(&bob, vec![Step::List]).await.unwrap(), [line("b=1")]);
    assert!(matches!(run(&bob, vec![put("b", "2"), Step::Fail]).await, Err(CallError::Handler { .. })));
    assert_eq!(look(&puppet(&engine, "carol"), vec![Step::List]).await.unwrap(), [line("")]);
    assert!(writer.is_open());
    memory.faults().release_commits();
    writer.answer().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_waits_for_the_writes_before_it_and_not_for_those_behind_it() {
    let memory = Memory::new();
    let engine = start(&memory).await;
    let alice = puppet(&engine, "alice");
    memory.faults().hold_commits();
    let first = sent(run(&alice, vec![put("a", "1")]));
    memory.faults().commits_waiting(1).await;
    let between = sent(look(&alice, vec![get("a")]));
    let mut second = sent(run(&alice, vec![put("a", "2")]));
    let mut behind = sent(look(&alice, vec![get("a"), Step::Ring("gate: behind".into())]));
    heard("gate: behind").await;

    memory.faults().release_next_commits(1);
    first.answer().await.unwrap();
    assert_eq!(between.answer().await.unwrap(), [line("1")]);
    memory.faults().commits_waiting(1).await;
    assert!(second.is_open() && behind.is_open());
    memory.faults().release_commits();
    second.answer().await.unwrap();
    assert_eq!(behind.answer().await.unwrap(), [line("2"), None]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_suspended_handler_does_not_hold_back_the_answers_before_it() {
    let memory = Memory::new();
    let engine = start(&memory).await;
    let alice = puppet(&engine, "alice");
    let door = sent(run(&alice, vec![Step::Wait("gate: batch".into())]));
    heard("gate: batch").await;
    // These make one batch.
    let writer = sent(run(&alice, vec![put("a", "1")]));
    let reader = sent(look(&alice, vec![get("a")]));
    let mut alone = sent(run(&alice, vec![Step::Wait("gate: suspended".into())]));
    crate::support::open("gate: batch");
    door.answer().await.unwrap();
    writer.answer().await.unwrap();
    assert_eq!(reader.answer().await.unwrap(), [line("1")]);
    assert!(alone.is_open());
    crate::support::open("gate: suspended");
    alone.answer().await.unwrap();
}
