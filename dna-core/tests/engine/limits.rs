//! Every limit of a message's writes, at the limit and one past it.

use dna_core::{
    CallError, Memory, Outcome, WriteError,
    limits::{KEY_BYTES_MAX, MESSAGE_WRITE_BYTES_MAX, VALUE_BYTES_MAX, WRITE_OVERHEAD_BYTES},
};

use crate::{
    harness::sent,
    support::{Step, get, heard, line, look, open, puppet, put, run, start},
};

/// Three puts that cost so many bytes in all.
fn writes_of(bytes: usize) -> Vec<Step> {
    let value = 200 * 1024;
    let rest = bytes - 2 * value - (1 + 2 + 3) - 3 * WRITE_OVERHEAD_BYTES;
    vec![Step::PutBytes(1, value), Step::PutBytes(2, value), Step::PutBytes(3, rest)]
}

/// The write error of a message that stands between two others in one batch, after which nothing of it is there.
async fn error_of(steps: Vec<Step>, bell: &str) -> WriteError {
    let memory = Memory::new();
    let engine = start(&memory).await;
    let alice = puppet(&engine, "alice");
    let door = sent(run(&alice, vec![Step::Wait(bell.into())]));
    heard(bell).await;
    let before = sent(run(&alice, vec![put("before", "1")]));
    let mut faulty = vec![put("before", "2"), Step::PutMore("m".into(), "2".into())];
    faulty.extend(steps);
    faulty.push(get("before"));
    let faulty = sent(run(&alice, faulty));
    let behind = sent(run(&alice, vec![put("behind", "1")]));
    open(bell);
    for call in [door, before, behind] {
        call.answer().await.unwrap();
    }
    let error = faulty.answer().await.unwrap_err();
    assert_eq!(error.outcome(), Outcome::NotApplied);
    assert!(!error.is_retryable());
    let lines = look(&alice, vec![Step::List, Step::ListMore]).await.unwrap();
    assert_eq!(lines, [line("before=1 behind=1"), line("")]);
    match error {
        CallError::Write { error, .. } => error,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_message_at_every_limit_is_committed() {
    let memory = Memory::new();
    let engine = start(&memory).await;
    let alice = puppet(&engine, "alice");
    run(&alice, vec![Step::PutBytes(KEY_BYTES_MAX, VALUE_BYTES_MAX)]).await.unwrap();
    run(&alice, vec![Step::Delete("k".repeat(KEY_BYTES_MAX))]).await.unwrap();
    run(&alice, vec![Step::DeleteRange("a".into(), "k".repeat(KEY_BYTES_MAX))]).await.unwrap();
    run(&alice, writes_of(MESSAGE_WRITE_BYTES_MAX)).await.unwrap();
    assert_eq!(memory.faults().stats().groups_committed, 4);
}

#[tokio::test]
async fn a_key_one_byte_too_long_rolls_its_message_back() {
    let (bytes, max) = (KEY_BYTES_MAX + 1, KEY_BYTES_MAX);
    let expected = WriteError::KeyTooLarge { module: "rows".into(), bytes, max };
    let long = || "k".repeat(bytes);
    assert_eq!(error_of(vec![Step::PutBytes(bytes, 1)], "limits: key").await, expected);
    assert_eq!(error_of(vec![Step::Delete(long())], "limits: deleted key").await, expected);
    assert_eq!(error_of(vec![Step::DeleteRange("a".into(), long())], "limits: end").await, expected);
    assert_eq!(error_of(vec![Step::DeleteRange(long(), "z".into())], "limits: start").await, expected);
}

#[tokio::test]
async fn a_value_one_byte_too_large_rolls_its_message_back() {
    let (bytes, max) = (VALUE_BYTES_MAX + 1, VALUE_BYTES_MAX);
    let expected = WriteError::ValueTooLarge { module: "rows".into(), bytes, max };
    assert_eq!(error_of(vec![Step::PutBytes(1, bytes)], "limits: value").await, expected);
}

#[tokio::test]
async fn a_message_one_byte_too_large_rolls_itself_back() {
    let max = MESSAGE_WRITE_BYTES_MAX;
    let own = put("before", "2");
    let overhead = [6 + 1, 1 + 1].map(|bytes| bytes + WRITE_OVERHEAD_BYTES).iter().sum::<usize>();
    let error = error_of(writes_of(max - overhead + 1), "limits: message").await;
    assert_eq!(error, WriteError::MessageTooLarge { bytes: max + 1, max });
    // The first error is the one that counts.
    let mut steps = vec![Step::PutBytes(KEY_BYTES_MAX + 1, 1), own];
    steps.extend(writes_of(max));
    assert!(matches!(error_of(steps, "limits: first").await, WriteError::KeyTooLarge { .. }));
}

#[tokio::test]
async fn a_range_delete_counts_against_the_limit_of_a_message() {
    let range = || Step::DeleteRange("k".repeat(KEY_BYTES_MAX), "l".repeat(KEY_BYTES_MAX));
    let steps = vec![range(); MESSAGE_WRITE_BYTES_MAX / (2 * KEY_BYTES_MAX)];
    let error = error_of(steps, "limits: ranges").await;
    assert!(matches!(error, WriteError::MessageTooLarge { .. }), "{error:?}");
}
