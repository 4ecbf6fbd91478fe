//! A node that loses its store: everything is answered, nothing claims what is not so.

use dna_core::{CallError, Engine, Error, Loss, Memory, Outcome, ShutdownError};
use tokio::task::JoinHandle;

use crate::{
    support::{Lines, Step, get, line, look, put, run, wait},
    world::{World, begin, doll, until},
};

type Answer = JoinHandle<Result<Lines, CallError<Error>>>;

/// A node with everything that can be under way when it is lost.
struct Busy {
    engine: Engine,
    in_flight: Answer,
    behind_it: Answer,
    suspended: Vec<Answer>,
    queued: Vec<Answer>,
}

async fn busy(world: &World, memory: &Memory) -> Busy {
    let engine = world.start(memory).await;
    run(&doll(&engine, "idle"), vec![put("a", "1")]).await.unwrap();
    let alice = doll(&engine, "alice");
    memory.faults().hold_commits();
    let in_flight = begin(run(&alice, vec![put("a", "1")])).await;
    memory.faults().commits_waiting(1).await;
    let behind_it = begin(run(&alice, vec![put("a", "2")])).await;
    until("it is handled", || engine.stats().queued == 0).await;
    let mut suspended = vec![begin(run(&alice, vec![put("a", "3"), wait("never")])).await];
    let bob = doll(&engine, "bob");
    suspended.push(begin(look(&bob, vec![wait("never")])).await);
    // Its call waits for the commit of what stands before it.
    let carol = doll(&engine, "carol");
    let mut queued = vec![begin(run(&carol, vec![put("a", "1")])).await];
    suspended.push(begin(run(&carol, vec![Step::Call("dave".into(), vec![])])).await);
    until("all are at work", || world.times("at never") == 2 && engine.stats().queued == 0).await;
    for client in [&alice, &bob, &carol] {
        queued.push(begin(run(client, vec![put("b", "1")])).await);
    }
    run(&alice, vec![put("c", "1")]).cast().await.unwrap();
    Busy { engine, in_flight, behind_it, suspended, queued }
}

/// Checks that everything has been answered as it must be.
async fn check(world: &World, busy: Busy, loss: Loss, in_flight: Outcome) {
    let lost = |outcome| CallError::Lost { loss, outcome };
    assert_eq!(busy.in_flight.await.unwrap().unwrap_err(), lost(in_flight));
    assert_eq!(busy.behind_it.await.unwrap().unwrap_err(), lost(Outcome::NotApplied));
    for answer in busy.suspended.into_iter().chain(busy.queued) {
        let error = answer.await.unwrap().unwrap_err();
        let own_call = matches!(&error, CallError::Handler { outcome: Outcome::NotApplied, .. });
        assert!(error == lost(Outcome::NotApplied) || own_call, "{error:?}");
    }
    until("everything is dropped", || world.running() == 0 && world.alive() == 0).await;
    let late = run(&doll(&busy.engine, "erin"), vec![]).await.unwrap_err();
    assert_eq!(late, lost(Outcome::NotApplied));
    let stats = busy.engine.stats();
    assert_eq!((stats.queued, stats.active, stats.uncommitted_bytes), (0, 0, 0));
    assert_eq!(busy.engine.names_held(), 0);
    assert_eq!(busy.engine.shutdown().await, Err(ShutdownError::Lost(loss)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_fenced_node_answers_everything_and_drops_every_actor() {
    let world = World::new();
    let memory = Memory::new();
    let busy = busy(&world, &memory).await;
    memory.faults().fence();
    memory.faults().release_commits();
    check(&world, busy, Loss::Fenced, Outcome::Unknown).await;
    memory.faults().reopen();
    let engine = world.start(&memory).await;
    assert_eq!(look(&doll(&engine, "alice"), vec![Step::List]).await.unwrap(), [line("")]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_poisoned_node_answers_everything_and_drops_every_actor() {
    for applied in [true, false] {
        let world = World::new();
        let memory = Memory::new();
        let busy = busy(&world, &memory).await;
        memory.faults().poison_next(applied);
        memory.faults().release_commits();
        check(&world, busy, Loss::Poisoned, Outcome::Unknown).await;
        memory.faults().reopen();
        let engine = world.start(&memory).await;
        let stored = look(&doll(&engine, "alice"), vec![get("a")]).await.unwrap();
        assert_eq!(stored, [applied.then(|| "1".to_owned())]);
    }
}
