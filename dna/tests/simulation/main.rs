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
    collections::BTreeSet,
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

use climate::Climate;
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
    let mut digests = BTreeSet::new();
    for climate in Climate::ALL {
        for seed in 3..5 {
            let (first, again) = (run(seed, Some(climate), None), run(seed, Some(climate), None));
            assert_eq!(first, again, "seed {seed}, {climate:?}");
            assert!(digests.insert(first.trace.digest), "seed {seed}, {climate:?}: as another one");
        }
    }
    let chosen = run(3, None, None);
    assert_eq!(chosen, run(3, Some(chosen.climate), None), "a climate that is given changes nothing else");
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
            match catch_unwind(|| run(seed, None, None)) {
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

/// What a register shows is stale or lost.
const NOT_EXPLAINED: &str = "is not linearizable: nothing explains the answer";

/// What is found wrong without a rule, in words of the error: one of these.
fn signs(rule: Missing) -> &'static [&'static str] {
    match rule {
        // A line, too, may be lost, or another one stand in its place.
        Missing::Fence | Missing::Lease | Missing::Replay | Missing::Gate => {
            &[NOT_EXPLAINED, "was answered to be line"]
        }
        Missing::Bounce => &["was handled behind"],
        rule => panic!("nobody has said what is wrong without {rule:?}"),
    }
}

/// A seed shows that a rule is missing, and is right where nothing but that is otherwise.
fn is_missed(rule: Missing) {
    let runs = (0..SEEDS_TO_BITE).map(|seed| (seed, run(seed, None, Some(rule))));
    let mut wrong = runs.filter_map(|(seed, run)| Some((seed, run.climate, run.verdict.err()?)));
    let found = wrong.find(|(_, _, error)| signs(rule).iter().any(|sign| error.contains(sign)));
    let (seed, climate, error) = found.unwrap_or_else(|| panic!("nothing of it is found wrong without {rule:?}"));
    println!("without {rule:?}, seed {seed}, {climate:?}: {error}");
    assert_eq!(run(seed, Some(climate), None).verdict, Ok(()), "with {rule:?}, seed {seed}, {climate:?}");
}

#[test]
fn without_any_one_of_the_rules_some_seed_goes_wrong() {
    let missed = scope(|scope| {
        let tests = Missing::ALL.iter().map(|rule| scope.spawn(|| is_missed(*rule))).collect::<Vec<_>>();
        tests.into_iter().map(|test| test.join().is_ok()).collect::<Vec<_>>()
    });
    let unnoticed = Missing::ALL.iter().zip(missed).filter(|(_, missed)| !missed).map(|(rule, _)| rule);
    assert_eq!(unnoticed.collect::<Vec<_>>(), Vec::<&Missing>::new(), "rules whose lack nobody notices, see above");
}
