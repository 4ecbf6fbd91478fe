//! One run: load, trouble, calm, and then the check of everything that was answered.

use std::{num::NonZeroU32, time::Duration};

use dna::testing::{Missing, Simulation, Trace, history::check};

use crate::{
    book::Book,
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
    pub(crate) climate: Climate,
    pub(crate) trace: Trace,
    /// What is wrong, if something is.
    pub(crate) verdict: Result<(), String>,
}

/// Runs a seed.
pub(crate) fn run(seed: u64, without: Option<Missing>) -> Run {
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
        let climate = Climate::of(&mut chance, without);
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

        let mut wrong = None;
        for name in REGISTERS {
            let register = cluster.client::<Register>(0, name);
            loop {
                let pending = load.recorder.invoke("the end", name, dna::testing::history::Action::Read);
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
            climate,
            trace: cluster.trace(),
            verdict: verdict.and(wrong.map_or(Ok(()), Err)),
        }
    })
}
