//! A rolling restart under load, as an operator does it: each member is told to end, and started again when it has.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use dna::{CallError, Node, Outcome};
use tokio::task::JoinSet;

use crate::{
    alone,
    database::{Keyspace, has_server},
    member::{Member, all_own, outside},
    process::free_address,
    register::{Register, RegisterClient},
};

const LEASE: Duration = Duration::from_secs(3);
const REGISTERS: u64 = 100;
/// How long a caller waits, all its tries together.
const DEADLINE: Duration = Duration::from_secs(5);
/// A thousand calls a second: so many at a time, that often.
const CALLS: u64 = 10;
const EVERY: Duration = Duration::from_millis(10);

/// What callers have seen.
#[derive(Default)]
struct Seen {
    answered: Vec<AtomicU64>,
    retried: AtomicU64,
    slowest: AtomicU64,
}

/// One call, tried again where the last try is known to have had no effect, until the deadline.
async fn add_one(register: RegisterClient, at: usize, seen: Arc<Seen>) -> Result<(), CallError> {
    let began = Instant::now();
    loop {
        let left = DEADLINE.saturating_sub(began.elapsed());
        match register.add(1).timeout(left).await {
            Ok(_) => {
                seen.answered[at].fetch_add(1, Ordering::Relaxed);
                let took = u64::try_from(began.elapsed().as_micros()).unwrap();
                seen.slowest.fetch_max(took, Ordering::Relaxed);
                return Ok(());
            }
            Err(error) if error.outcome() == Outcome::NotApplied && began.elapsed() < DEADLINE => {
                seen.retried.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(EVERY).await;
            }
            Err(error) => return Err(error),
        }
    }
}

fn register(at: u64) -> String {
    format!("register-{at}")
}

/// Calls until it is told to end. Answers how many calls there were, and what came of those that failed.
async fn load(node: Arc<Node>, ends: Arc<AtomicBool>, seen: Arc<Seen>) -> (u64, Vec<CallError>) {
    let (mut calls, mut number) = (JoinSet::new(), 0);
    let mut ticks = tokio::time::interval(EVERY);
    let mut failed = Vec::new();
    while !ends.load(Ordering::SeqCst) {
        ticks.tick().await;
        for _ in 0..CALLS {
            let at = number % REGISTERS;
            let client = node.client::<Register>(register(at));
            calls.spawn(add_one(client, usize::try_from(at).unwrap(), seen.clone()));
            number += 1;
        }
        while let Some(ended) = calls.try_join_next() {
            failed.extend(ended.unwrap().err());
        }
    }
    while let Some(ended) = calls.join_next().await {
        failed.extend(ended.unwrap().err());
    }
    (number, failed)
}

#[test]
fn a_rolling_restart_loses_nothing_doubles_nothing_and_shows_no_error() {
    if !has_server() {
        return;
    }
    let _alone = alone();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let keyspace = Keyspace::create();
    runtime.block_on(async {
        let node = Arc::new(outside(&keyspace, LEASE).await);
        let mut members = [0; 3].map(|_| Member::start(&keyspace, free_address(), LEASE));
        members.iter_mut().for_each(Member::is_ready);
        let listen = members.each_ref().map(|member| member.listen);
        all_own(&node, &listen).await;

        let seen = Arc::new(Seen { answered: (0..REGISTERS).map(|_| AtomicU64::new(0)).collect(), ..Seen::default() });
        let (ends, began) = (Arc::new(AtomicBool::new(false)), Instant::now());
        let load = tokio::spawn(load(node.clone(), ends.clone(), seen.clone()));
        for member in &mut members {
            let told = Instant::now();
            tokio::task::block_in_place(|| member.terminate());
            println!("{} has ended {:?} after it was told to", member.listen, told.elapsed());
            *member = Member::start(&keyspace, member.listen, LEASE);
            tokio::task::block_in_place(|| member.is_ready());
            all_own(&node, &listen).await;
            println!("{} has names again after {:?}", member.listen, told.elapsed());
        }
        let lasted = began.elapsed();
        ends.store(true, Ordering::SeqCst);
        let (calls, failed) = load.await.unwrap();
        let (retried, slowest) = (seen.retried.load(Ordering::SeqCst), seen.slowest.load(Ordering::SeqCst));
        let slowest = Duration::from_micros(slowest);
        println!("{calls} calls in {lasted:?}, {retried} tries were made again, the slowest call took {slowest:?}");
        assert!(calls >= 800 * lasted.as_secs(), "the load was less than it is to be");
        assert!(failed.is_empty(), "{} errors: {:?}", failed.len(), failed.first());
        for (at, answered) in (0..).zip(&seen.answered) {
            let value = node.client::<Register>(register(at)).read().await.unwrap();
            assert_eq!(value, answered.load(Ordering::SeqCst), "{}", register(at));
        }
        drop(members);
    });
}
