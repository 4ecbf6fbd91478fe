//! `handle_events`: a whole batch as one transaction.

use dna_core::{CallError, Client, Engine, Error, Memory, Outcome};
use tokio::task::JoinHandle;

use crate::{
    support::{Batched, Doll, Lines, Step, Treat, bump, cast, get, line, look, put, run, say, wait},
    world::{Hook, World, begin, doll_of, until},
};

type Answer = JoinHandle<Result<Lines, CallError<Error>>>;

/// Sends the messages so that they come in one batch.
async fn in_one_batch(
    world: &World,
    engine: &Engine,
    name: &Client<Doll<Batched>>,
    batch: Vec<Vec<Step>>,
) -> Vec<Answer> {
    let before = world.times("at first");
    let first = begin(run(name, vec![wait("first")])).await;
    until("the first is at work", || world.times("at first") == before + 1).await;
    let mut answers = Vec::new();
    for steps in batch {
        answers.push(begin(run(name, steps)).await);
    }
    assert_eq!(engine.stats().queued, answers.len());
    world.door("first").add_permits(1);
    first.await.unwrap().unwrap();
    answers
}

fn treat(treat: Treat) -> Vec<Step> {
    vec![Step::Treat(treat)]
}

#[tokio::test]
async fn a_batch_is_answered_message_by_message() {
    let world = World::new();
    let engine = world.start(&Memory::new()).await;
    let alice = doll_of::<Batched>(&engine, "alice");
    let batch = vec![
        treat(Treat::Answer("a".into(), "1".into())),
        vec![get("a"), put("b", "2")],
        treat(Treat::Leave),
        treat(Treat::Mistake),
        vec![put("c", "3"), cast("bob", vec![say("of the failed one")]), Step::Fail],
        vec![cast("bob", vec![say("of the batch")]), Step::List],
    ];
    let mut answers = in_one_batch(&world, &engine, &alice, batch).await.into_iter();
    let mut next = async || answers.next().unwrap().await.unwrap();
    assert_eq!(next().await.unwrap(), [line("answered")]);
    assert_eq!(next().await.unwrap(), [line("1"), None]);
    assert_eq!(next().await.unwrap_err(), CallError::Unanswered);
    assert_eq!(next().await.unwrap_err(), CallError::WrongReply);
    let error = next().await.unwrap_err();
    assert!(matches!(error, CallError::Handler { outcome: Outcome::NotApplied, .. }), "{error:?}");
    assert_eq!(next().await.unwrap(), [None, line("a=1 b=2")]);
    assert_eq!(world.times("batch of 6"), 1);
    engine.shutdown().await.unwrap();
    assert_eq!((world.times("of the batch"), world.times("of the failed one")), (1, 0));
}

#[tokio::test]
async fn answers_of_a_batch_leave_when_the_hook_has_returned_and_its_commit_is_in() {
    let world = World::new();
    let memory = Memory::new();
    let engine = world.start(&memory).await;
    let alice = doll_of::<Batched>(&engine, "alice");
    let batch = vec![
        treat(Treat::Answer("a".into(), "1".into())),
        vec![Step::Treat(Treat::Hold("end".into())), put("b", "2")],
        vec![get("b"), cast("bob", vec![say("cast")])],
    ];
    memory.faults().hold_commits();
    let answers = in_one_batch(&world, &engine, &alice, batch).await;
    until("the hook waits", || world.times("at end") == 1).await;
    assert!(answers.iter().all(|answer| !answer.is_finished()), "answered before the hook has returned");
    assert_eq!(memory.faults().stats().commits_received, 0, "committed before the hook has returned");
    world.open("end");
    memory.faults().commits_waiting(1).await;
    tokio::task::yield_now().await;
    assert!(answers.iter().all(|answer| !answer.is_finished()), "answered before the commit is in");
    assert_eq!(world.times("cast"), 0, "cast before the commit is in");
    memory.faults().release_commits();
    for answer in answers {
        answer.await.unwrap().unwrap();
    }
    assert_eq!(memory.faults().stats().groups_committed, 1);
    until("the cast is handled", || world.times("cast") == 1).await;
}

#[tokio::test]
async fn a_batch_whose_hook_fails_is_rolled_back_and_fails_as_a_whole() {
    let world = World::new();
    let memory = Memory::new();
    let engine = world.start(&memory).await;
    let alice = doll_of::<Batched>(&engine, "alice");
    let batch = vec![
        vec![put("a", "1"), Step::Count, cast("bob", vec![say("cast")])],
        treat(Treat::Fail),
        treat(Treat::Answer("b".into(), "2".into())),
        treat(Treat::Leave),
    ];
    for answer in in_one_batch(&world, &engine, &alice, batch).await {
        let error = answer.await.unwrap().unwrap_err();
        assert!(matches!(error, CallError::Batch { outcome: Outcome::NotApplied, .. }), "{error:?}");
    }
    // The activation goes on, with its fields as they are.
    assert_eq!(run(&alice, vec![Step::List, Step::Count]).await.unwrap(), [line(""), line("2")]);
    engine.shutdown().await.unwrap();
    assert_eq!((world.times("cast"), memory.faults().stats().groups_committed), (0, 0));
}

#[tokio::test]
async fn a_batch_whose_hook_panics_is_rolled_back_and_all_its_callers_are_told() {
    for last in [treat(Treat::Panic), vec![Step::Panic]] {
        let world = World::new();
        let engine = world.start(&Memory::new()).await;
        let alice = doll_of::<Batched>(&engine, "alice");
        let batch = vec![vec![put("a", "1"), Step::Count], treat(Treat::Answer("b".into(), "2".into())), last];
        for answer in in_one_batch(&world, &engine, &alice, batch).await {
            assert_eq!(answer.await.unwrap().unwrap_err(), CallError::Panicked { outcome: Outcome::NotApplied });
        }
        assert_eq!(run(&alice, vec![Step::List, Step::Count]).await.unwrap(), [line(""), line("1")]);
        assert_eq!(engine.stats().activations, 2);
    }
}

#[tokio::test]
async fn a_batch_in_which_a_call_was_made_and_that_fails_may_have_had_effect() {
    let world = World::new();
    let engine = world.start(&Memory::new()).await;
    let alice = doll_of::<Batched>(&engine, "alice");
    let batch = vec![vec![Step::Call("bob".into(), vec![bump("n")])], treat(Treat::Fail)];
    for answer in in_one_batch(&world, &engine, &alice, batch).await {
        let error = answer.await.unwrap().unwrap_err();
        assert!(matches!(error, CallError::Batch { outcome: Outcome::Unknown, .. }), "{error:?}");
    }
}

#[tokio::test]
async fn a_message_that_is_not_wanted_any_more_stands_in_no_batch() {
    let world = World::new();
    let engine = world.start(&Memory::new()).await;
    let alice = doll_of::<Batched>(&engine, "alice");
    let first = begin(run(&alice, vec![wait("first")])).await;
    until("the first is at work", || world.times("at first") == 1).await;
    let dropped = begin(run(&alice, vec![say("dropped")])).await;
    let kept = begin(look(&alice, vec![say("kept")])).await;
    dropped.abort();
    until("it is dropped", || dropped.is_finished()).await;
    world.open("first");
    first.await.unwrap().unwrap();
    kept.await.unwrap().unwrap();
    assert_eq!((world.times("kept"), world.times("dropped")), (1, 0));
    assert_eq!(world.times("batch of 1"), 2);
}

#[tokio::test]
async fn an_init_that_fails_fails_its_message_and_the_rest_of_the_batch_is_handled() {
    let world = World::new();
    let mut tries = 0;
    world.on(Hook::Init, move |_| {
        tries += 1;
        if tries == 1 { vec![put("half", "done"), Step::Fail] } else { vec![] }
    });
    let engine = world.start(&Memory::new()).await;
    let alice = doll_of::<Batched>(&engine, "alice");
    let mut answers = Vec::new();
    for _ in 0..3 {
        answers.push(begin(run(&alice, vec![Step::List])).await);
    }
    let mut answers = answers.into_iter();
    let error = answers.next().unwrap().await.unwrap().unwrap_err();
    assert!(matches!(error, CallError::Init { outcome: Outcome::NotApplied, .. }), "{error:?}");
    for answer in answers {
        assert_eq!(answer.await.unwrap().unwrap(), [line("")]);
    }
    assert_eq!(world.times("batch of 2"), 1);
}
