//! One run: load, trouble, calm, and then the check of everything that was answered.

use std::{num::NonZeroU32, time::Duration};

use dna::testing::{
    Missing, Simulation, Trace,
    history::{Action, Ended, check},
};

use crate::{
    book::{Book, Tally},
    climate::Climate,
    load::{BOOKS, Load, REGISTERS},
    register::Register,
    storm,
};

/// What a run was like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Run {
    /// Calls of registers and lines of books.
    pub(crate) operations: usize,
    /// What was called and what came back, as text.
    pub(crate) history: String,
    /// What callers were answered while things went wrong: calls of registers, and calls and casts of books.
    pub(crate) tallies: [Tally; 3],
    pub(crate) climate: Climate,
    pub(crate) trace: Trace,
    /// What is wrong, if something is.
    pub(crate) verdict: Result<(), String>,
}

/// Of everything that is called at least a quarter is answered, whatever goes wrong: who answers nothing is never wrong.
fn is_answered(tallies: [Tally; 3]) -> Result<(), String> {
    let is_enough = |tally: &Tally| tally.answered > 0 && tally.answered >= tally.sent / 4;
    if tallies.iter().all(is_enough) {
        return Ok(());
    }
    let [registers, calls, casts] = tallies;
    Err(format!("too little is answered: of registers {registers}, of calls of books {calls}, of casts {casts}"))
}

#[test]
fn a_run_in_which_too_little_is_answered_goes_wrong() {
    let tally = |answered, sent| Tally { sent, answered };
    let table = [(tally(0, 0), false), (tally(0, 1), false), (tally(5, 20), true), (tally(4, 20), false)];
    for (tested, expected) in table {
        for place in 0..3 {
            let mut tallies = [tally(20, 20); 3];
            tallies[place] = tested;
            assert_eq!(is_answered(tallies).is_ok(), expected, "{tallies:?}");
        }
    }
}

/// Runs a seed, in the climate that it chooses unless one is given.
pub(crate) fn run(seed: u64, climate: Option<Climate>, without: Option<Missing>) -> Run {
    let simulation = Simulation::seed(seed).actor::<Register>().actor::<Book>().within(Duration::from_secs(300));
    let simulation = simulation.with(|node| {
        node.lease(Duration::from_secs(1))
            .shards(NonZeroU32::new(8).unwrap())
            .call_timeout(Duration::from_secs(3))
            .shutdown_timeout(Duration::from_secs(3))
    });
    let simulation = match without {
        Some(rule) => simulation.without(rule),
        None => simulation,
    };
    simulation.run(|cluster| async move {
        let mut chance = cluster.chance();
        // Chosen in any case, so that what follows is the same where it is given.
        let chosen = Climate::of(&mut chance, without);
        let climate = climate.unwrap_or(chosen);
        let load = Load::new(climate);
        for node in 0..cluster.nodes() {
            drop(load.on(&cluster, node));
        }
        storm::rage(&cluster, &load, climate, chance).await;
        cluster.heal();
        cluster.database().recover();
        for node in 0..cluster.nodes() {
            cluster.resume(node);
            if !cluster.runs(node) {
                storm::start(&cluster, &load, node).await;
            }
        }
        cluster.sleep(Duration::from_secs(1)).await;
        load.end();
        // Longer than any call may take.
        cluster.sleep(Duration::from_secs(4)).await;

        let mut registers = Tally::default();
        for operation in load.recorder.history().operations() {
            registers += Tally { sent: 1, answered: u64::from(matches!(operation.ended, Ended::Ok(_))) };
        }
        let [calls, casts] = load.notes.tallies();
        let tallies = [registers, calls, casts];

        let mut wrong = None;
        for name in REGISTERS {
            let register = cluster.client::<Register>(0, name);
            loop {
                let pending = load.recorder.invoke("the end", name, Action::Read);
                let answer = register.read().await;
                pending.end(crate::register::ended(&answer));
                if answer.is_ok() {
                    break;
                }
                cluster.sleep(Duration::from_millis(100)).await;
            }
        }
        for name in BOOKS {
            let book = cluster.client::<Book>(1, name);
            let lines = loop {
                match book.all().await {
                    Ok(lines) => break lines,
                    Err(_) => cluster.sleep(Duration::from_millis(100)).await,
                }
            };
            wrong = wrong.or(load.notes.check(name, &lines).err());
        }
        let events = load.recorder.events();
        let history = events.iter().map(|event| format!("{event}\n")).collect();
        let verdict = check(&load.recorder.history()).map_err(|error| error.to_string());
        Run {
            operations: events.len() / 2 + load.notes.count(),
            history,
            tallies,
            climate,
            trace: cluster.trace(),
            verdict: verdict.and(wrong.map_or(Ok(()), Err)).and_then(|()| is_answered(tallies)),
        }
    })
}
