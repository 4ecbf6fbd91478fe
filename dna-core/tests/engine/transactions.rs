//! A message is a transaction over all storage modules, and its neighbours in a batch are none of its business.

use std::sync::Arc;

use dna_core::{Call, CallError, Error, KeyRange, Memory, Outcome, Settings, WriteKind};

use crate::{
    harness::{Recorder, Sent, sent, start_on},
    support::{Lines, Puppet, Step, get, heard, line, look, open, puppet, put, run, start},
};

type Answers = Vec<Sent<Call<Puppet, Lines, Error>>>;

#[tokio::test]
async fn the_writes_of_a_message_over_two_modules_stand_or_fall_together() {
    let memory = Memory::new();
    let engine = start(&memory).await;
    let alice = puppet(&engine, "alice");
    let both = |value: &str| vec![put("k", value), Step::PutMore("m".into(), value.into())];
    run(&alice, both("1")).await.unwrap();
    for end in [Step::Fail, Step::Panic, Step::PutBytes(1, 256 * 1024 + 1)] {
        let mut steps = both("2");
        steps.extend([Step::DeleteAll, Step::DeleteAllMore, put("x", "2"), end.clone()]);
        let error = run(&alice, steps).await.unwrap_err();
        assert_eq!(error.outcome(), Outcome::NotApplied, "{end:?}");
        let lines = look(&alice, vec![Step::List, Step::ListMore]).await.unwrap();
        assert_eq!(lines, [line("k=1"), line("m=1")], "{end:?}");
    }
    drop(engine);
    let engine = start(&memory).await;
    let lines = look(&puppet(&engine, "alice"), vec![Step::List, Step::ListMore]).await.unwrap();
    assert_eq!(lines, [line("k=1"), line("m=1")]);
}

/// A batch of 100 messages, of which the one in the middle ends with `end`: 99 answers, and its error.
async fn one_of_a_hundred(end: Step, bell: &str) -> CallError<Error> {
    let store = Recorder::default();
    let engine = start_on(Arc::new(store.clone()), Settings::default()).await;
    let alice = puppet(&engine, "alice");
    let first = sent(run(&alice, vec![Step::Wait(bell.into())]));
    heard(bell).await;
    let mut answers: Answers = (0..100)
        .map(|number| {
            let mut steps = vec![put(&format!("{number:02}"), "x"), put("last", &number.to_string())];
            if number == 50 {
                steps.extend([Step::DeleteAll, Step::PutMore("m".into(), "x".into()), end.clone()]);
            }
            sent(run(&alice, steps))
        })
        .collect();
    open(bell);
    first.answer().await.unwrap();
    let error = answers.remove(50).answer().await.unwrap_err();
    for answer in answers {
        answer.answer().await.unwrap();
    }
    let keys = (0..100).filter(|number| *number != 50).map(|number| format!("{number:02}=x"));
    let rows = keys.chain(["last=99".to_owned()]).collect::<Vec<_>>().join(" ");
    let lines = look(&alice, vec![Step::List, Step::ListMore]).await.unwrap();
    assert_eq!(lines, [Some(rows.clone()), line("")], "as if it had never been sent");
    drop(engine);
    let engine = start_on(Arc::new(store.clone()), Settings::default()).await;
    assert_eq!(look(&puppet(&engine, "alice"), vec![Step::List]).await.unwrap(), [Some(rows)]);
    assert!(store.groups().len() <= 2, "the hundred made one batch");
    error
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_in_the_middle_of_a_hundred_leaves_99_answers_and_no_trace() {
    let error = one_of_a_hundred(Step::Panic, "transactions: panic").await;
    assert_eq!(error, CallError::Panicked { outcome: Outcome::NotApplied });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_error_in_the_middle_of_a_hundred_leaves_99_answers_and_no_trace() {
    let error = one_of_a_hundred(Step::Fail, "transactions: fail").await;
    assert!(matches!(error, CallError::Handler { outcome: Outcome::NotApplied, .. }), "{error:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_that_can_never_be_committed_in_the_middle_of_a_hundred_leaves_99_answers_and_no_trace() {
    let error = one_of_a_hundred(Step::PutBytes(2049, 1), "transactions: write").await;
    assert!(matches!(error, CallError::Write { outcome: Outcome::NotApplied, .. }), "{error:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panicking_shared_handler_leaves_its_neighbours_alone() {
    let engine = start(&Memory::new()).await;
    let alice = puppet(&engine, "alice");
    run(&alice, vec![put("a", "1")]).await.unwrap();
    let first = sent(run(&alice, vec![Step::Wait("transactions: shared".into())]));
    heard("transactions: shared").await;
    let mut answers: Answers = (0..100)
        .map(|number| {
            let end = if number == 50 { Step::Panic } else { get("a") };
            sent(look(&alice, vec![Step::Wait("transactions: run".into()), end]))
        })
        .collect();
    open("transactions: shared");
    // They run beside each other: all of them come to the door before it opens.
    for _ in 0..100 {
        heard("transactions: run").await;
    }
    open("transactions: run");
    first.answer().await.unwrap();
    assert_eq!(answers.remove(50).answer().await.unwrap_err(), CallError::Panicked { outcome: Outcome::NotApplied });
    for answer in answers {
        assert_eq!(answer.answer().await.unwrap(), [None, line("1")]);
    }
}

/// The writes of the only actor in the only group that was sent behind `wait`, for messages that make one batch.
async fn group_of(messages: Vec<Vec<Step>>, bell: &str) -> Vec<WriteKind> {
    let store = Recorder::default();
    let engine = start_on(Arc::new(store.clone()), Settings::default()).await;
    let alice = puppet(&engine, "alice");
    let first = sent(run(&alice, vec![Step::Wait(bell.into())]));
    heard(bell).await;
    let answers: Answers = messages.into_iter().map(|steps| sent(run(&alice, steps))).collect();
    open(bell);
    first.answer().await.unwrap();
    for answer in answers {
        answer.answer().await.ok();
    }
    let groups = store.groups();
    let [group] = groups.as_slice() else { panic!("{} groups", groups.len()) };
    let [writes] = group.actors.as_slice() else { panic!("{} actors", group.actors.len()) };
    writes.writes.iter().map(|write| write.kind.clone()).collect()
}

fn put_of(key: &'static str, value: &'static str) -> WriteKind {
    WriteKind::Put { key: key.into(), value: value.into() }
}

fn all() -> WriteKind {
    WriteKind::DeleteRange { range: KeyRange::all() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_write_of_a_key_is_the_only_one_that_reaches_the_store() {
    let messages = vec![
        vec![put("a", "1"), put("b", "1"), put("a", "2")],
        vec![put("a", "3"), Step::Delete("b".into())],
        vec![put("a", "never"), Step::Fail],
        vec![put("c", "1")],
    ];
    let writes = group_of(messages, "transactions: last").await;
    assert_eq!(writes, [put_of("a", "3"), WriteKind::Delete { key: "b".into() }, put_of("c", "1")]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_range_delete_takes_back_the_earlier_puts_in_it_and_comes_before_the_later_ones() {
    let messages = vec![
        vec![put("a", "1"), put("b", "1"), put("z", "1")],
        vec![Step::DeleteRange("a".into(), "c".into()), put("b", "2")],
    ];
    let writes = group_of(messages, "transactions: range").await;
    let range = KeyRange { start: "a".into(), end: Some("c".into()) };
    assert_eq!(writes, [WriteKind::DeleteRange { range }, put_of("z", "1"), put_of("b", "2")]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_range_delete_that_is_rolled_back_takes_nothing_back() {
    let messages = vec![vec![put("a", "1")], vec![Step::DeleteAll, put("b", "1"), Step::Fail], vec![put("c", "1")]];
    let writes = group_of(messages, "transactions: undone").await;
    assert_eq!(writes, [put_of("a", "1"), put_of("c", "1")]);
    let messages = vec![vec![put("a", "1")], vec![put("a", "2"), Step::DeleteAll, put("a", "3"), Step::DeleteAll]];
    assert_eq!(group_of(messages, "transactions: twice").await, [all(), all()]);
}
