//! The engine from outside of its runtime, and calls that are dropped at any moment.

use std::{
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use dna_core::{CallError, Memory, Outcome, Overload};

use crate::{
    support::{Step, Tight, bump, get, line, look, run, wait},
    world::{World, begin, doll, doll_of, until},
};

struct Unpark(std::thread::Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Runs a future on this thread, without any runtime.
fn block_on<F: Future>(future: F) -> F::Output {
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        std::thread::park();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_and_casts_work_from_threads_without_a_runtime_and_from_other_runtimes() {
    let world = World::new();
    let engine = world.start(&Memory::new()).await;
    let mut threads = Vec::new();
    for number in 0..4 {
        let alice = doll(&engine, "alice");
        let calls = async move {
            for _ in 0..200 {
                run(&alice, vec![bump("n"), Step::Yield]).await.unwrap();
                run(&alice, vec![bump("n")]).timeout(Duration::from_millis(900)).await.unwrap();
                run(&alice, vec![bump("n")]).cast().await.unwrap();
            }
        };
        threads.push(std::thread::spawn(move || match number {
            0 | 1 => block_on(calls),
            2 => tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(calls),
            // One that has no clock.
            _ => tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(calls),
        }));
    }
    until("all have ended", || threads.iter().all(|thread| thread.is_finished())).await;
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!(run(&doll(&engine, "alice"), vec![get("n")]).await.unwrap(), [line("2400")]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deadlines_hold_on_threads_without_a_runtime() {
    let world = World::new();
    let engine = world.start(&Memory::new()).await;
    let tight = doll_of::<Tight>(&engine, "tight");
    let busy = begin(run(&tight, vec![wait("door")])).await;
    until("it is at work", || world.times("at door") == 1).await;
    let client = tight.clone();
    let errors = std::thread::spawn(move || {
        block_on(async {
            let started = run(&client, vec![]).timeout(Duration::from_millis(50)).await.unwrap_err();
            for _ in 0..2 {
                run(&client, vec![bump("n")]).cast().await.unwrap();
            }
            // The mailbox holds three: the expired call and two casts.
            let full = run(&client, vec![bump("n")]).timeout(Duration::from_millis(50)).cast().await.unwrap_err();
            (started, full)
        })
    });
    until("it has both", || errors.is_finished()).await;
    let (expired, full) = errors.join().unwrap();
    assert_eq!(expired, CallError::TimedOut { outcome: Outcome::NotApplied });
    assert_eq!(full, CallError::Overloaded(Overload::Mailbox));
    world.open("door");
    busy.await.unwrap().unwrap();
    assert_eq!(run(&tight, vec![get("n")]).await.unwrap(), [line("2")]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn calls_that_are_dropped_at_any_moment_leave_nothing_behind() {
    let world = World::new();
    let engine = Arc::new(world.start(&Memory::new()).await);
    let mut tasks = Vec::new();
    for task in 0..8_u64 {
        let engine = engine.clone();
        tasks.push(tokio::spawn(async move {
            let mut seed = task + 1;
            for _ in 0..500 {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let name = (seed >> 33) % 5;
                let tight = doll_of::<Tight>(&engine, &name.to_string());
                // Never one that may call back, which would end by the deadline only.
                let other = 5 + (seed >> 40) % 3;
                let steps = vec![bump("n"), Step::Call(other.to_string(), vec![Step::Yield]), Step::Yield];
                let polls = (seed >> 50) % 6;
                let mut call = run(&tight, steps);
                let mut cast = run(&tight, vec![bump("n")]).cast();
                for _ in 0..polls {
                    let done = if seed % 3 == 0 {
                        futures_util::poll!(&mut cast).is_ready()
                    } else {
                        futures_util::poll!(&mut call).is_ready()
                    };
                    if done {
                        break;
                    }
                    tokio::task::yield_now().await;
                }
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    until("all is at rest", || {
        let stats = engine.stats();
        (stats.queued, stats.uncommitted_bytes) == (0, 0) && world.running() == 0
    })
    .await;
    for name in 0..8 {
        look(&doll_of::<Tight>(&engine, &name.to_string()), vec![]).await.unwrap();
    }
    engine.passivate_all().await;
    until("nothing is left", || (engine.names_held(), world.alive(), engine.stats().cached_bytes) == (0, 0, 0)).await;
    world.check_overlaps();
}
