//! Clusters in simulated time: a seed chooses what goes wrong, under a load of which every answer is checked.
//!
//! `DNA_SIM_SEEDS` says how many seeds are run, `DNA_SIM_FROM` with which they begin: `cargo xtask sim` sets them.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "tests"
)]

mod book;
mod climate;
mod faults;
mod load;
#[path = "../support/register.rs"]
mod register;
mod scenario;
mod storm;

use std::{
    env,
    num::NonZeroUsize,
    panic::catch_unwind,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread::{available_parallelism, scope},
    time::Instant,
};

use dna::testing::{Missing, Simulation};
use register::Register;
use scenario::run;

/// How many seeds are run where nobody says.
const SEEDS: u64 = 10;

/// Of so many seeds some finds that a rule is not kept.
const SEEDS_TO_BITE: u64 = 60;

fn number(variable: &str) -> Option<u64> {
    env::var(variable).ok().map(|value| value.parse().unwrap())
}

#[test]
fn a_call_crosses_nodes() {
    Simulation::seed(1).actor::<Register>().run(|cluster| async move {
        for node in 0..3 {
            assert_eq!(cluster.client::<Register>(node, "a").add(1).await.unwrap(), 1 + node as u64);
        }
    });
}

#[test]
fn a_seed_repeats_its_run_exactly_and_another_one_does_not() {
    let (first, again, other) = (run(3, None), run(3, None), run(4, None));
    assert_eq!(first, again);
    assert_ne!(first.trace.digest, other.trace.digest);
}

#[test]
fn every_answer_of_every_seed_is_explained() {
    let (from, seeds) = (number("DNA_SIM_FROM").unwrap_or(0), number("DNA_SIM_SEEDS").unwrap_or(SEEDS));
    let (begin, next, operations) = (Instant::now(), AtomicU64::new(from), AtomicU64::new(0));
    let wrong = Mutex::new(Vec::new());
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::SeqCst);
            if seed >= from + seeds {
                return;
            }
            let repeats = format!("to repeat it: cargo xtask sim --seeds 1 --from {seed}");
            match catch_unwind(|| run(seed, None)) {
                Ok(run) => {
                    operations.fetch_add(run.operations as u64, Ordering::SeqCst);
                    let Err(error) = run.verdict else { continue };
                    println!("seed {seed}, {:?}: {error}\n{repeats}", run.climate);
                }
                Err(_) => println!("seed {seed} panicked\n{repeats}"),
            }
            wrong.lock().unwrap().push(seed);
        }
    };
    let threads = available_parallelism().map_or(1, NonZeroUsize::get);
    scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work))));
    let (operations, mut wrong) = (operations.into_inner(), wrong.into_inner().unwrap());
    wrong.sort_unstable();
    let rate = seeds as f64 / begin.elapsed().as_secs_f64();
    println!("{seeds} seeds from {from}: {operations} operations, {rate:.1} seeds a second");
    assert!(wrong.is_empty(), "seeds that went wrong: {wrong:?}");
}

fn is_missed(rule: Missing) {
    let found = (0..SEEDS_TO_BITE).find_map(|seed| run(seed, Some(rule)).verdict.err().map(|error| (seed, error)));
    let (seed, error) = found.unwrap_or_else(|| panic!("nothing was found wrong without {rule:?}"));
    println!("without {rule:?}, seed {seed}: {error}");
}

#[test]
fn without_the_fence_some_seed_goes_wrong() {
    is_missed(Missing::Fence);
}

#[test]
fn without_the_lease_some_seed_goes_wrong() {
    is_missed(Missing::Lease);
}

#[test]
fn without_the_replay_some_seed_goes_wrong() {
    is_missed(Missing::Replay);
}

#[test]
fn without_the_gate_some_seed_goes_wrong() {
    is_missed(Missing::Gate);
}

#[test]
fn without_the_bounce_some_seed_goes_wrong() {
    is_missed(Missing::Bounce);
}
