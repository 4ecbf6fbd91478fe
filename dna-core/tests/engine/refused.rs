//! A group that the store refused takes everything with it that was built on it, and nothing else.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use dna_core::{CallError, Error, Memory, Outcome, Refusal, Settings};

use crate::{
    harness::{Recorder, sent, start_on, until},
    support::{Step, get, heard, line, look, open, puppet, put, run, start},
};

fn refused(refusal: Refusal) -> CallError<Error> {
    CallError::NotCommitted { refusal, outcome: Outcome::NotApplied }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_group_takes_later_batches_reads_and_a_restarted_activation_with_it() {
    let memory = Memory::new();
    let faults = memory.faults();
    let engine = start(&memory).await;
    let (alice, bob, carol) = (puppet(&engine, "alice"), puppet(&engine, "bob"), puppet(&engine, "carol"));
    run(&alice, vec![put("a", "0"), Step::PutMore("m".into(), "0".into())]).await.unwrap();
    run(&bob, vec![put("b", "0")]).await.unwrap();

    faults.hold_commits();
    let first = sent(run(&alice, vec![put("a", "1"), Step::Count]));
    faults.commits_waiting(1).await;
    let second = sent(run(&alice, vec![put("b", "2"), Step::DeleteAllMore]));
    let reader = sent(look(&alice, vec![Step::List]));
    let panicked = sent(run(&alice, vec![put("c", "3"), Step::Panic]));
    let restarted = sent(run(&alice, vec![get("a"), put("d", "4"), Step::Count]));
    let failed = sent(run(&alice, vec![get("d"), Step::Fail]));
    let last = sent(look(&alice, vec![get("d"), Step::Ring("refused: last".into())]));
    heard("refused: last").await;
    let of_bob = sent(run(&bob, vec![put("b", "1"), Step::Ring("refused: bob".into())]));
    heard("refused: bob").await;
    let of_carol = sent(look(&carol, vec![Step::List]));

    faults.refuse_next(1, Refusal::Full);
    faults.release_commits();
    for call in [first, second, reader, panicked, restarted, failed, last] {
        assert_eq!(call.answer().await.unwrap_err(), refused(Refusal::Full));
    }
    assert_eq!(of_bob.answer().await.unwrap(), [None, None], "an actor that the group did not hold goes on");
    assert_eq!(of_carol.answer().await.unwrap(), [line("")]);

    let lines = run(&alice, vec![Step::List, Step::ListMore, Step::Seen]).await.unwrap();
    assert_eq!(lines, [line("a=0"), line("m=0"), line("0")], "none of their effects stays in memory");
    run(&alice, vec![put("e", "5")]).await.unwrap();
    drop(engine);
    let engine = start(&memory).await;
    let lines = look(&puppet(&engine, "alice"), vec![Step::List, Step::ListMore]).await.unwrap();
    assert_eq!(lines, [line("a=0 e=5"), line("m=0")], "none of their effects stays in the store");
    assert_eq!(look(&puppet(&engine, "bob"), vec![Step::List]).await.unwrap(), [line("b=1")]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_group_takes_every_actor_in_it_with_it() {
    let memory = Memory::new();
    let engine = start(&memory).await;
    memory.faults().hold_commits();
    let zero = sent(run(&puppet(&engine, "zero"), vec![put("a", "1")]));
    memory.faults().commits_waiting(1).await;
    let names = ["alice", "bob", "carol"];
    let calls = names.map(|name| sent(run(&puppet(&engine, name), vec![put("a", name)])));
    until("all are taken", || engine.stats().queued == 0).await;
    // A later batch of the same actor: the earlier one has been handed to the committer.
    let readers = names.map(|name| sent(look(&puppet(&engine, name), vec![Step::Ring("refused: every".into())])));
    for _ in names {
        heard("refused: every").await;
    }
    memory.faults().release_next_commits(1);
    zero.answer().await.unwrap();
    memory.faults().commits_waiting(1).await;
    memory.faults().refuse_next(1, Refusal::Busy);
    memory.faults().release_commits();
    for call in calls.into_iter().chain(readers) {
        assert_eq!(call.answer().await.unwrap_err(), refused(Refusal::Busy));
    }
    for name in names {
        assert_eq!(look(&puppet(&engine, name), vec![Step::List]).await.unwrap(), [line("")]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_that_runs_while_its_actors_group_is_refused_is_void() {
    let memory = Memory::new();
    let engine = start(&memory).await;
    let (alice, bob) = (puppet(&engine, "alice"), puppet(&engine, "bob"));
    memory.faults().hold_commits();
    let first = sent(run(&alice, vec![put("a", "1"), Step::Count]));
    memory.faults().commits_waiting(1).await;
    let steps = vec![
        get("a"),
        Step::Wait("refused: runs".into()),
        put("b", "1"),
        Step::Cast("bob".into(), vec![Step::Note("cast".into())]),
        Step::Call("bob".into(), vec![Step::Note("call".into())]),
    ];
    let running = sent(run(&alice, steps));
    heard("refused: runs").await;
    memory.faults().refuse_next(1, Refusal::Full);
    memory.faults().release_commits();
    assert_eq!(first.answer().await.unwrap_err(), refused(Refusal::Full));
    open("refused: runs");
    assert_eq!(running.answer().await.unwrap_err(), refused(Refusal::Full));
    assert_eq!(run(&alice, vec![Step::List, Step::Seen]).await.unwrap(), [line(""), line("0")]);
    assert_eq!(run(&bob, vec![Step::Notes]).await.unwrap(), [line("")], "it sends nothing out");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shared_handler_that_begins_after_the_refusal_does_not_see_the_void_activation() {
    let memory = Memory::new();
    let engine = start(&memory).await;
    let alice = puppet(&engine, "alice");
    let door = sent(run(&alice, vec![Step::Wait("refused: batch".into())]));
    heard("refused: batch").await;
    memory.faults().hold_commits();
    let first = sent(run(&alice, vec![put("a", "1"), Step::Count, Step::Wait("refused: first".into())]));
    open("refused: batch");
    heard("refused: first").await;
    // One batch: the second begins when the first has blocked the actor's task.
    let blocked = sent(look(&alice, vec![Step::Block("refused: blocked".into())]));
    let reader = sent(look(&alice, vec![Step::Seen, get("a")]));
    open("refused: first");
    memory.faults().commits_waiting(1).await;
    heard("refused: blocked").await;
    memory.faults().refuse_next(1, Refusal::Full);
    memory.faults().release_commits();
    assert_eq!(first.answer().await.unwrap_err(), refused(Refusal::Full));
    open("refused: blocked");
    door.answer().await.unwrap();
    assert_eq!(blocked.answer().await.unwrap_err(), refused(Refusal::Full));
    match reader.answer().await {
        Ok(lines) => assert_eq!(lines, [line("0"), None]),
        Err(error) => assert_eq!(error, refused(Refusal::Full)),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_ok_is_in_the_store_and_no_refused_write_is() {
    const ACTORS: u64 = 8;
    const MESSAGES: u64 = 4_000;
    static OKS: AtomicU64 = AtomicU64::new(0);
    let store = Recorder::default();
    let memory = store.memory.clone();
    let mut settings = Settings::default();
    settings.max_batch_messages = 4;
    let engine = start_on(Arc::new(store.clone()), settings).await;
    let senders = (0..ACTORS).map(|actor| {
        let client = puppet(&engine, &actor.to_string());
        let faults = memory.faults();
        tokio::spawn(async move {
            let mut kept = Vec::new();
            for chunk in 0..MESSAGES / 8 {
                let calls = (0..8).map(|at| {
                    let key = format!("{:04}", chunk * 8 + at);
                    (key.clone(), sent(run(&client, vec![put(&key, "x")])))
                });
                let calls = calls.collect::<Vec<_>>();
                if chunk % 3 == 0 {
                    faults.refuse_next(1, Refusal::Full);
                }
                for (key, call) in calls {
                    match call.answer().await {
                        Ok(_) => kept.push(format!("{key}=x")),
                        Err(error) => assert_eq!(error, refused(Refusal::Full)),
                    }
                }
            }
            OKS.fetch_add(kept.len() as u64, Ordering::Relaxed);
            kept.join(" ")
        })
    });
    let senders = senders.collect::<Vec<_>>();
    let mut kept = Vec::new();
    for sender in senders {
        kept.push(sender.await.unwrap());
    }
    drop(engine);
    store.check();
    assert!(OKS.load(Ordering::Relaxed) > 0);
    let engine = start(&memory).await;
    for (actor, kept) in kept.into_iter().enumerate() {
        let lines = look(&puppet(&engine, &actor.to_string()), vec![Step::List]).await.unwrap();
        let stored = lines[0].as_deref().unwrap_or_default();
        let lost = kept.split(' ').filter(|row| !stored.contains(row)).collect::<Vec<_>>();
        assert_eq!(lost, [""; 0], "answered `Ok`, and not in the store of {actor}");
        assert_eq!(stored.len(), kept.len(), "in the store, and answered `NotApplied`");
    }
}
