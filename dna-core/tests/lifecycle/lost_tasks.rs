//! Tasks that are gone without having come to rest: something of the user's panics as it is dropped, or the node's
//! runtime is shut down under it.

use std::time::Duration;

use dna_core::{CallError, Memory};

use crate::{
    support::{Step, get, line, look, put, run, wait},
    world::{Hook, World, begin, doll, until},
};

#[tokio::test]
async fn an_actor_that_panics_as_it_is_dropped_does_not_block_its_name() {
    let world = World::new();
    let engine = world.start(&Memory::new()).await;
    let alice = doll(&engine, "alice");
    run(&alice, vec![put("a", "1")]).await.unwrap();
    world.panic_on_drop();
    let panicked = begin(run(&alice, vec![put("a", "2"), Step::Panic])).await;
    panicked.await.unwrap().unwrap_err();
    assert_eq!(run(&alice, vec![get("a"), Step::Count]).await.unwrap(), [line("1"), line("1")]);
    world.panic_on_drop();
    engine.passivate_all().await;
    assert_eq!(run(&alice, vec![get("a"), Step::Count]).await.unwrap(), [line("1"), line("1")]);
    world.panic_on_drop();
    world.on(Hook::Stop, |_| vec![Step::Panic]);
    engine.passivate_all().await;
    until("nothing is left", || engine.names_held() == 0).await;
    engine.shutdown().await.unwrap();
}

#[test]
fn every_caller_is_answered_when_the_runtime_of_the_node_is_shut_down_under_it() {
    let runtime = || tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap();
    let (own, others) = (runtime(), runtime());
    let world = World::new();
    let memory = Memory::new();
    let engine = own.block_on(world.start(&memory));
    let alice = doll(&engine, "alice");
    let bob = doll(&engine, "bob");
    others.block_on(async {
        let mut callers = vec![begin(run(&alice, vec![wait("never")])).await];
        callers.push(begin(look(&bob, vec![wait("never")])).await);
        until("they are at work", || world.times("at never") == 2).await;
        callers.push(begin(run(&alice, vec![])).await);
        memory.faults().hold_commits();
        callers.push(begin(run(&doll(&engine, "carol"), vec![put("a", "1")])).await);
        memory.faults().commits_waiting(1).await;
        let down = std::thread::spawn(|| own.shutdown_timeout(Duration::from_secs(10)));
        for caller in callers {
            let error = caller.await.unwrap().unwrap_err();
            assert!(matches!(error, CallError::Stopped { .. }), "{error:?}");
        }
        let error = run(&doll(&engine, "dave"), vec![]).await.unwrap_err();
        assert!(matches!(error, CallError::Stopped { .. }), "{error:?}");
        down.join().unwrap();
        until("every actor is dropped", || world.alive() == 0).await;
        memory.faults().release_commits();
        let engine = world.start(&memory).await;
        run(&doll(&engine, "alice"), vec![]).await.unwrap();
    });
}
