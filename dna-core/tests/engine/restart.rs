//! What waits to be committed belongs to the name: it is seen whatever becomes of the activation.

use dna_core::{CallError, Memory};

use crate::{
    harness::{sent, until},
    support::{Step, get, heard, line, look, puppet, put, run, start},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_that_waits_to_be_committed_is_seen_after_a_panic_of_its_actor() {
    let memory = Memory::new();
    let engine = start(&memory).await;
    let alice = puppet(&engine, "alice");
    run(&alice, vec![put("a", "0"), put("b", "0")]).await.unwrap();
    memory.faults().hold_commits();
    let writer = sent(run(&alice, vec![put("a", "1"), Step::Delete("b".into()), Step::Count]));
    memory.faults().commits_waiting(1).await;
    let panicked = sent(run(&alice, vec![Step::Panic]));
    let reader = sent(look(&alice, vec![Step::List, Step::Seen, Step::Ring("restart: panic".into())]));
    heard("restart: panic").await;
    assert_eq!(engine.stats().activations, 2);
    memory.faults().release_commits();
    writer.answer().await.unwrap();
    assert!(matches!(panicked.answer().await, Err(CallError::Panicked { .. })));
    assert_eq!(reader.answer().await.unwrap(), [line("a=1"), line("0"), None]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_that_waits_to_be_committed_is_seen_after_a_passivation_of_its_actor() {
    let memory = Memory::new();
    let engine = start(&memory).await;
    let alice = puppet(&engine, "alice");
    run(&alice, vec![put("a", "0"), put("b", "0")]).await.unwrap();
    memory.faults().hold_commits();
    let writer = sent(run(&alice, vec![put("a", "1"), Step::DeleteRange("b".into(), "c".into()), Step::Count]));
    memory.faults().commits_waiting(1).await;
    for round in 2..=4 {
        engine.passivate_all().await;
        assert_eq!(engine.stats().active, 0);
        let mut reader = sent(look(&alice, vec![get("a"), Step::Seen, Step::Ring("restart: passive".into())]));
        heard("restart: passive").await;
        assert_eq!(engine.stats().activations, round, "it was a fresh activation that read");
        assert!(reader.is_open(), "what it read is not durable");
        let last = sent(look(&alice, vec![Step::List, Step::Ring("restart: list".into())]));
        heard("restart: list").await;
        if round == 4 {
            memory.faults().release_commits();
            assert_eq!(reader.answer().await.unwrap(), [line("1"), line("0"), None]);
            assert_eq!(last.answer().await.unwrap(), [line("a=1"), None]);
        }
    }
    writer.answer().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_comes_while_its_actor_is_passive_lets_the_answers_go() {
    let memory = Memory::new();
    let engine = start(&memory).await;
    let alice = puppet(&engine, "alice");
    memory.faults().hold_commits();
    let writer = sent(run(&alice, vec![put("a", "1")]));
    memory.faults().commits_waiting(1).await;
    engine.passivate_all().await;
    memory.faults().release_commits();
    writer.answer().await.unwrap();
    until("the node has come to rest", || engine.stats().uncommitted_bytes == 0).await;
    assert_eq!(look(&alice, vec![get("a")]).await.unwrap(), [line("1")]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_of_a_panicking_message_is_not_seen_by_the_next_activation() {
    let memory = Memory::new();
    let engine = start(&memory).await;
    let alice = puppet(&engine, "alice");
    memory.faults().hold_commits();
    let writer = sent(run(&alice, vec![put("a", "1")]));
    memory.faults().commits_waiting(1).await;
    let panicked = sent(run(&alice, vec![put("a", "2"), Step::DeleteAll, put("b", "2"), Step::Panic]));
    let reader = sent(look(&alice, vec![Step::List, Step::Ring("restart: undone".into())]));
    heard("restart: undone").await;
    memory.faults().release_commits();
    writer.answer().await.unwrap();
    assert!(matches!(panicked.answer().await, Err(CallError::Panicked { .. })));
    assert_eq!(reader.answer().await.unwrap(), [line("a=1"), None]);
}
