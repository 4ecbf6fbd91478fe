//! Answers of the store that say little: a group whose fate is open is settled, not guessed; a lost store ends the node.

use std::sync::{Arc, atomic::Ordering};

use dna_core::{CallError, Loss, Memory, Outcome, Settings, ShutdownError};

use crate::{
    harness::{Recorder, sent, start_on, until},
    support::{Step, get, heard, line, look, puppet, put, run, start},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_answer_is_asked_for_again_and_the_caller_gets_ok_with_exactly_one_effect() {
    let store = Recorder::default();
    let faults = store.memory.faults();
    let engine = start_on(Arc::new(store.clone()), Settings::default()).await;
    let alice = puppet(&engine, "alice");
    faults.lose_next_answers(3);
    for number in 1..=5 {
        run(&alice, vec![Step::Number(number)]).await.unwrap();
    }
    assert_eq!(look(&alice, vec![get("last")]).await.unwrap(), [line("5")]);
    assert_eq!(faults.stats().groups_committed, 5, "each group once");
    assert_eq!(faults.stats().commits_received, 8, "three of them twice");
    for pair in store.groups().windows(2) {
        assert!(pair[0] == pair[1] || pair[0].number + 1 == pair[1].number, "a number has one content");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_request_is_sent_again_and_the_caller_gets_ok() {
    let memory = Memory::new();
    let engine = start(&memory).await;
    let alice = puppet(&engine, "alice");
    memory.faults().lose_next_requests(2);
    run(&alice, vec![Step::Number(1)]).await.unwrap();
    run(&alice, vec![Step::Number(2)]).await.unwrap();
    assert_eq!(memory.faults().stats().groups_committed, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_leaves_while_the_fate_of_a_group_is_open() {
    let memory = Memory::new();
    let engine = start(&memory).await;
    let alice = puppet(&engine, "alice");
    memory.faults().lose_next_requests(2);
    memory.faults().hold_commits();
    let mut writer = sent(run(&alice, vec![put("a", "1")]));
    for _ in 0..2 {
        memory.faults().commits_waiting(1).await;
        let received = memory.faults().stats().commits_received;
        memory.faults().release_next_commits(1);
        until("it is sent again", || memory.faults().stats().commits_received > received).await;
        assert!(writer.is_open());
    }
    memory.faults().release_commits();
    writer.answer().await.unwrap();
}

/// A group in doubt, a write behind it of the same actor and one of another, a read behind the group, a message that
/// is under way, and one that is queued: what each is told when the store is lost.
async fn lose_the_store(loss: Loss, applied: bool, bell: &str) {
    let memory = Memory::new();
    let faults = memory.faults();
    let engine = start(&memory).await;
    let (alice, bob, carol) = (puppet(&engine, "alice"), puppet(&engine, "bob"), puppet(&engine, "carol"));
    run(&alice, vec![put("a", "0")]).await.unwrap();
    look(&carol, vec![]).await.unwrap();
    faults.hold_commits();
    let in_doubt = sent(run(&alice, vec![put("a", "1")]));
    faults.commits_waiting(1).await;
    let behind = sent(run(&alice, vec![put("a", "2")]));
    let failed = sent(run(&alice, vec![Step::Fail]));
    let under_way = sent(run(&alice, vec![get("a"), Step::Wait(bell.into())]));
    let queued = sent(run(&alice, vec![put("a", "3")]));
    let of_bob = sent(run(&bob, vec![put("b", "1"), Step::Ring(bell.into())]));
    heard(bell).await;
    heard(bell).await;

    match loss {
        Loss::Fenced => faults.fence(),
        _ => faults.poison_next(applied),
    }
    faults.release_commits();
    let lost = |outcome| CallError::Lost { loss, outcome };
    assert_eq!(in_doubt.answer().await.unwrap_err(), lost(Outcome::Unknown));
    for call in [behind, failed, under_way, queued, of_bob] {
        assert_eq!(call.answer().await.unwrap_err(), lost(Outcome::NotApplied));
    }
    let error = run(&carol, vec![]).await.unwrap_err();
    assert_eq!(error, lost(Outcome::NotApplied), "what comes later is told too");
    assert!(error.is_retryable());
    until("every activation is dropped", || engine.stats().active == 0).await;
    assert_eq!(engine.shutdown().await, Err(ShutdownError::Lost(loss)));

    faults.reopen();
    let engine = start(&memory).await;
    let value = if applied { "1" } else { "0" };
    assert_eq!(look(&puppet(&engine, "alice"), vec![get("a")]).await.unwrap(), [line(value)]);
    assert_eq!(look(&puppet(&engine, "bob"), vec![Step::List]).await.unwrap(), [line("")]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_fsync_leaves_its_group_unknown_and_all_behind_it_not_applied() {
    lose_the_store(Loss::Poisoned, false, "unknown: not applied").await;
    lose_the_store(Loss::Poisoned, true, "unknown: applied").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_that_meets_a_poisoned_store_was_not_applied_and_ends_the_node() {
    let memory = Memory::new();
    let engine = start(&memory).await;
    let alice = puppet(&engine, "alice");
    run(&alice, vec![put("a", "0")]).await.unwrap();
    memory.faults().poison();

    let error = run(&alice, vec![put("a", "1")]).await.unwrap_err();
    assert_eq!(error, CallError::Lost { loss: Loss::Poisoned, outcome: Outcome::NotApplied });
    assert!(error.is_retryable());
    assert_eq!(engine.shutdown().await, Err(ShutdownError::Lost(Loss::Poisoned)));
    memory.faults().reopen();
    assert_eq!(look(&puppet(&start(&memory).await, "alice"), vec![get("a")]).await.unwrap(), [line("0")]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_whose_fate_was_open_when_the_store_was_poisoned_stays_unknown() {
    let memory = Memory::new();
    let engine = start(&memory).await;
    let alice = puppet(&engine, "alice");
    memory.faults().lose_next_requests(1);
    memory.faults().hold_commits();
    let in_doubt = sent(run(&alice, vec![put("a", "1")]));
    memory.faults().commits_waiting(1).await;
    memory.faults().release_next_commits(1);
    until("it is sent again", || memory.faults().stats().commits_received == 2).await;
    memory.faults().poison();
    memory.faults().release_commits();

    let lost = CallError::Lost { loss: Loss::Poisoned, outcome: Outcome::Unknown };
    assert_eq!(in_doubt.answer().await.unwrap_err(), lost);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fenced_node_drops_its_actors_and_claims_nothing() {
    lose_the_store(Loss::Fenced, false, "unknown: fenced").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_behind_a_group_in_doubt_had_no_effect_and_says_so() {
    let memory = Memory::new();
    let engine = start(&memory).await;
    let alice = puppet(&engine, "alice");
    memory.faults().hold_commits();
    let writer = sent(run(&alice, vec![put("a", "1")]));
    memory.faults().commits_waiting(1).await;
    let reader = sent(look(&alice, vec![get("a")]));
    let failed = sent(run(&alice, vec![put("a", "2"), Step::Fail, Step::Ring("never".into())]));
    let last = sent(look(&alice, vec![Step::Ring("unknown: read".into())]));
    heard("unknown: read").await;
    memory.faults().poison_next(true);
    memory.faults().release_commits();
    assert_eq!(writer.answer().await.unwrap_err().outcome(), Outcome::Unknown);
    for call in [reader, failed, last] {
        assert_eq!(call.answer().await.unwrap_err().outcome(), Outcome::NotApplied);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_dropped_leaves_what_the_store_has_in_doubt_and_nothing_else() {
    let memory = Memory::new();
    let engine = start(&memory).await;
    let alice = puppet(&engine, "alice");
    memory.faults().hold_commits();
    let in_doubt = sent(run(&alice, vec![put("a", "1")]));
    memory.faults().commits_waiting(1).await;
    let behind = sent(run(&alice, vec![put("a", "2"), Step::Ring("unknown: dropped".into())]));
    heard("unknown: dropped").await;
    until("it is finished", || engine.stats().uncommitted_bytes > 20).await;
    drop(engine);
    assert_eq!(in_doubt.answer().await.unwrap_err(), CallError::Stopped { outcome: Outcome::Unknown });
    assert_eq!(behind.answer().await.unwrap_err(), CallError::Stopped { outcome: Outcome::NotApplied });
    memory.faults().release_commits();
    let engine = start(&memory).await;
    assert_eq!(look(&puppet(&engine, "alice"), vec![get("a")]).await.unwrap(), [line("1")]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_commit_of_a_dropped_node_begins_behind_the_end_of_its_claim() {
    let store = Recorder::default();
    let engine = start_on(Arc::new(store.clone()), Settings::default()).await;
    store.linger.store(true, Ordering::Release);
    let call = sent(run(&puppet(&engine, "alice"), vec![put("a", "1")]));
    until("the commit is about to begin", || store.lingers.load(Ordering::Acquire)).await;
    tokio::task::block_in_place(|| drop(engine));
    call.answer().await.unwrap_err();
    // Else it would take the number of a group of the next node.
    until("the commit has begun", || store.groups().len() == 1).await;
    assert!(!store.began_late.load(Ordering::Acquire));
}
