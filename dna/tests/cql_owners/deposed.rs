//! A deposed owner: it is stopped under load, another process takes over, and it goes on as if nothing had happened.

use std::{thread, time::Duration};

use dna_core::testing::history::{Action, Recorder, check};

use crate::{
    alone,
    child::SEALS,
    database::{Keyspace, has_server},
    load::Load,
    process::{Process, free_address, who_serves},
    setting,
};

const ROUNDS: u64 = 20;

/// As many with several journals a process: the lanes differ in what they hold, not in what is done with them.
const ROUNDS_ON_LANES: u64 = 6;
const LANES: u16 = 3;

/// In so many of them it shows when a rule is missing.
const ROUNDS_WITHOUT_RULE: u64 = 8;

/// Where the owner is stopped, round after round: at any time, or with a group that it has begun to commit.
const POINTS: [Option<&str>; 4] = [None, Some("commit: to be stamped"), None, Some("commit: to be appended")];

/// How many registers a round has for itself.
const REGISTERS: usize = 3;

/// How long the owner, and who takes over, are called.
const LOAD: Duration = Duration::from_millis(200);

fn registers(round: u64) -> Vec<String> {
    (0..REGISTERS).map(|n| format!("round-{round}-{n}")).collect()
}

/// What was seen to happen over all rounds.
#[derive(Debug, Default)]
struct Seen {
    /// Calls of deposed owners that were answered an error.
    refused: usize,
    /// Calls that they carried to who had taken over.
    carried: usize,
    /// Calls that they answered after they went on, which had been committed before.
    acknowledged: usize,
    /// Rounds that showed nothing, since who had taken over was deposed as well: the machine was too busy for its lease.
    disturbed: u64,
    /// Calls that were answered in all.
    operations: usize,
}

/// Two processes depose each other in turn. Answers what was wrong.
fn rounds(count: u64, keyspace: &Keyspace) -> Result<Seen, String> {
    let recorder = Recorder::new();
    let mut seen = Seen::default();
    let [a, b] = ["a", "b"].map(|name| Process::join(name, keyspace, free_address(), &recorder));
    let mut round = 0;
    while round < count + seen.disturbed {
        let (owner, other) = who_serves([&a, &b], "who");
        let id = other.id();
        match one_round(round, owner, other, &mut seen) {
            Err(_) if other.id() != id && seen.disturbed < count => seen.disturbed += 1,
            result => result.map_err(|wrong| format!("round {round}: {wrong}"))?,
        }
        if round > 0 {
            // Who serves has loaded them since, and with them what a deposed owner may have stored.
            for register in registers(round - 1) {
                who_serves([&a, &b], &register);
            }
        }
        round += 1;
    }
    let last = Process::join("last", keyspace, free_address(), &recorder);
    a.kill();
    b.kill();
    for register in (0..round).flat_map(registers) {
        last.serves(&register);
    }
    let history = recorder.history();
    seen.operations = history.operations().count();
    check(&history).map_err(|error| error.to_string())?;
    Ok(seen)
}

fn one_round(round: u64, owner: &Process, other: &Process, seen: &mut Seen) -> Result<(), String> {
    let registers = registers(round);
    let (former, stopped) = (owner.id(), owner.stops());
    owner.serves(&registers[0]);
    let load = Load::start_with_reads_of(&registers[0], owner, &registers);
    thread::sleep(LOAD);
    let point = POINTS[usize::try_from(round).unwrap() % POINTS.len()];
    match point {
        None => owner.signal("STOP"),
        Some(point) => {
            owner.tell(format!("arm 1 stop {point}"));
            owner.wait("stop itself", |state| state.stops > stopped);
        }
    }

    // Numbers only rise here: what is less than this was read before the takeover.
    let known = registers.iter().map(|register| (register, other.insist(register, Action::Add(1))));
    let known = known.collect::<Vec<_>>();
    // What a deposed owner stores shows best where nothing is written over it, not even by way of the owner itself.
    let changes = if point.is_some() { Action::Read } else { Action::Add(1) };
    let calls = known.iter().flat_map(|&(register, known)| {
        [Action::Read, changes, Action::Read].map(|action| (known, owner.send(register, action)))
    });
    let late = calls.collect::<Vec<_>>();
    let successor = Load::start(other, &registers);
    thread::sleep(LOAD);
    let successor = if point.is_some() {
        load.stop();
        Err(successor.end())
    } else {
        Ok(successor)
    };
    owner.signal("CONT");

    for (known, call) in late {
        match call.answer().value() {
            Some(value) if value < known => {
                return Err(format!("a deposed owner has answered {value} to a call that came after {known}"));
            }
            Some(_) => seen.carried += 1,
            None => seen.refused += 1,
        }
    }
    owner.wait("become a member under another id", |state| state.ids.last() != former.as_ref());
    for &(register, known) in &known {
        if owner.owns(register) || owner.insist(register, Action::Read) < known {
            return Err(format!("a deposed owner has not dropped `{register}`"));
        }
    }
    let called = load.end();
    let answered = called.iter().filter(|called| called.answer.value().is_some());
    seen.acknowledged += answered.filter(|called| called.took > LOAD * 2).count();
    seen.refused += called.iter().filter(|called| called.answer.value().is_none()).count();
    if successor.map_or_else(|called| called, Load::end).iter().any(|called| called.answer.value().is_none()) {
        return Err("who has taken over does not serve".to_owned());
    }
    Ok(())
}

#[test]
fn nothing_of_a_deposed_owner_is_visible() {
    if !has_server() {
        return;
    }
    let _alone = alone();
    let count = setting("DNA_DEPOSED_ROUNDS", ROUNDS);
    let seen = rounds(count, &Keyspace::create()).unwrap_or_else(|wrong| panic!("{wrong}"));
    println!("{count} rounds: {seen:?}");
    assert!(seen.refused + seen.carried >= usize::try_from(count).unwrap(), "{seen:?}");
}

#[test]
fn nothing_of_a_deposed_owner_is_visible_on_any_of_its_lanes() {
    if !has_server() {
        return;
    }
    let _alone = alone();
    let count = setting("DNA_DEPOSED_LANES_ROUNDS", ROUNDS_ON_LANES);
    let keyspace = Keyspace { lanes: LANES, ..Keyspace::create() };
    let seen = rounds(count, &keyspace).unwrap_or_else(|wrong| panic!("{wrong}"));
    println!("{count} rounds on {LANES} lanes: {seen:?}");
    assert!(seen.refused + seen.carried >= usize::try_from(count).unwrap(), "{seen:?}");
}

#[test]
fn an_owner_whose_sealed_journal_takes_more_is_found_out() {
    if !has_server() {
        return;
    }
    let _alone = alone();
    let keyspace = Keyspace { without: SEALS, ..Keyspace::create() };
    let wrong = rounds(ROUNDS_WITHOUT_RULE, &keyspace).expect_err("the journals do not refuse");
    println!("{wrong}");
    assert!(wrong.contains("is not linearizable"), "{wrong}");
}
