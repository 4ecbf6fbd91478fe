//! What one actor does with one message after another.

use dna_core::{CallError, Memory, Outcome};

use crate::support::{Step, get, line, look, puppet, put, run, start};

#[tokio::test]
async fn a_value_that_was_put_is_read_by_the_next_message_and_by_the_next_node() {
    let memory = Memory::new();
    let engine = start(&memory).await;
    let alice = puppet(&engine, "alice");
    run(&alice, vec![put("apple", "3")]).await.unwrap();
    assert_eq!(look(&alice, vec![get("apple"), get("pear")]).await.unwrap(), [line("3"), None]);
    engine.shutdown().await.unwrap();

    let engine = start(&memory).await;
    let alice = puppet(&engine, "alice");
    assert_eq!(look(&alice, vec![get("apple"), Step::List]).await.unwrap(), [line("3"), line("apple=3")]);
    let bob = puppet(&engine, "bob");
    assert_eq!(look(&bob, vec![get("apple")]).await.unwrap(), [None]);
}

#[tokio::test]
async fn a_handler_that_fails_leaves_none_of_its_writes() {
    let engine = start(&Memory::new()).await;
    let alice = puppet(&engine, "alice");
    run(&alice, vec![put("a", "1"), put("b", "1")]).await.unwrap();
    let error = run(&alice, vec![put("a", "2"), Step::DeleteAll, put("c", "2"), Step::Fail]).await.unwrap_err();
    assert!(matches!(error, CallError::Handler { outcome: Outcome::NotApplied, .. }), "{error:?}");
    assert_eq!(run(&alice, vec![Step::List]).await.unwrap(), [line("a=1 b=1")]);
}

#[tokio::test]
async fn a_handler_that_panics_leaves_none_of_its_writes_and_a_fresh_activation_goes_on() {
    let engine = start(&Memory::new()).await;
    let alice = puppet(&engine, "alice");
    assert_eq!(run(&alice, vec![put("a", "1"), Step::Count]).await.unwrap(), [None, line("1")]);
    let error = run(&alice, vec![put("a", "2"), Step::Panic]).await.unwrap_err();
    assert_eq!(error, CallError::Panicked { outcome: Outcome::NotApplied });
    assert_eq!(run(&alice, vec![Step::List, Step::Count]).await.unwrap(), [line("a=1"), line("1")]);
    assert_eq!(engine.stats().activations, 2);
}

#[tokio::test]
async fn a_message_sees_its_own_writes_lists_and_deletes() {
    let engine = start(&Memory::new()).await;
    let alice = puppet(&engine, "alice");
    run(&alice, vec![put("a", "1"), put("b", "1"), put("c", "1")]).await.unwrap();
    let steps = vec![
        put("b", "2"),
        Step::Delete("a".into()),
        Step::List,
        Step::DeleteAll,
        Step::List,
        put("z", "9"),
        get("c"),
        Step::List,
    ];
    let lines = run(&alice, steps).await.unwrap();
    assert_eq!(lines[2], line("b=2 c=1"));
    assert_eq!(lines[4], line(""));
    assert_eq!(lines[6..], [None, line("z=9")]);
    engine.passivate_all().await;
    assert_eq!(look(&alice, vec![Step::List]).await.unwrap(), [line("z=9")]);
}

#[tokio::test]
async fn a_write_from_a_spawned_task_panics() {
    let engine = start(&Memory::new()).await;
    let alice = puppet(&engine, "alice");
    assert_eq!(run(&alice, vec![Step::PutElsewhere, Step::List]).await.unwrap(), [line("true"), line("")]);
}

#[tokio::test]
async fn a_write_from_a_shared_handler_panics() {
    let engine = start(&Memory::new()).await;
    let alice = puppet(&engine, "alice");
    assert!(matches!(look(&alice, vec![put("a", "1")]).await, Err(CallError::Panicked { .. })));
    assert_eq!(look(&alice, vec![Step::List]).await.unwrap(), [line("")]);
}

#[tokio::test]
async fn a_cast_is_handled_and_persisted() {
    let memory = Memory::new();
    let engine = start(&memory).await;
    let alice = puppet(&engine, "alice");
    for number in 0..10 {
        run(&alice, vec![put(&number.to_string(), "x")]).cast().await.unwrap();
    }
    engine.shutdown().await.unwrap();
    let engine = start(&memory).await;
    let lines = look(&puppet(&engine, "alice"), vec![Step::List]).await.unwrap();
    assert_eq!(lines, [line("0=x 1=x 2=x 3=x 4=x 5=x 6=x 7=x 8=x 9=x")]);
}
