//! A database that stands still, and one that is killed: the processes answer errors meanwhile, and serve again behind
//! it, without anybody starting them anew and with nothing lost.

use std::{
    thread,
    time::{Duration, Instant},
};

use dna_core::testing::history::{Action, Recorder, check};

use crate::{
    alone,
    child::{CALL_TIMEOUT, LEASE},
    database::{Database, has_server},
    load::Load,
    process::{PATIENCE, Process, free_address, who_serves},
    setting,
};

const AWAY_SECONDS: u64 = 60;
const KILLS: u64 = 10;

const LOAD: Duration = Duration::from_millis(300);

/// How much longer than its deadline a call may take on a machine that is busy.
const SLACK: Duration = Duration::from_secs(2);

#[test]
fn a_database_that_is_away_for_a_while_costs_nothing_but_the_while() {
    if !has_server() {
        return;
    }
    let _alone = alone();
    let seconds = setting("DNA_AWAY_SECONDS", AWAY_SECONDS);
    let database = Database::start("proof_away", "127.0.0.81");
    let (keyspace, recorder) = (database.keyspace(), Recorder::new());
    let registers = ["a", "b", "c"].map(str::to_owned);
    let owner = Process::join("owner", &keyspace, free_address(), &recorder);
    owner.serves(&registers[0]);
    let other = Process::join("other", &keyspace, free_address(), &recorder);
    let former = (owner.id(), other.id());

    let load = Load::start(&owner, &registers);
    thread::sleep(LOAD);
    database.signal("STOP");
    let away = Instant::now();
    thread::sleep(Duration::from_secs(seconds));
    let back = Instant::now();
    database.signal("CONT");
    who_serves([&owner, &other], &registers[0]);
    println!("away for {:?}, served again after {:?}", back - away, back.elapsed());
    thread::sleep(LOAD);
    let called = load.end();

    // Neither process had to be started anew.
    owner.wait("become a member again", |state| state.ids.last() != former.0.as_ref());
    other.wait("become a member again", |state| state.ids.last() != former.1.as_ref());
    for register in &registers {
        who_serves([&owner, &other], register).0.insist(register, Action::Add(1));
    }

    let takeovers = loop {
        let takeovers = [&owner, &other].map(Process::takeovers).concat();
        let is_taken = |id: &Option<String>| takeovers.iter().any(|takeover| Some(&takeover.from) == id.as_ref());
        if is_taken(&former.0) && is_taken(&former.1) {
            break takeovers;
        }
        assert!(back.elapsed() < PATIENCE, "the former ids {former:?} are still there: {takeovers:?}");
        thread::sleep(Duration::from_millis(20));
    };
    println!("{takeovers:?}");
    for takeover in &takeovers {
        assert!(takeover.at > back, "declared dead while the database was away: {takeover:?}");
        // Whose former ids they are, a process knows of itself; of others it has to see that they are silent, and what
        // it saw before an error of the database counts for nothing.
        let silent = takeover.silent.unwrap_or(Duration::MAX);
        assert!(silent >= LEASE + LEASE / 10, "declared dead before its lease had run out: {takeover:?}");
    }

    let slowest = called.iter().map(|called| called.took).max().unwrap();
    assert!(slowest < CALL_TIMEOUT + SLACK, "a call took {slowest:?}");
    let meanwhile = called.iter().filter(|called| called.at > away && called.at + called.took < back);
    let refused = meanwhile.filter(|called| called.answer.value().is_none()).inspect(|called| {
        assert!(!called.answer.why.is_empty(), "an error says why");
    });
    let refused = refused.count();
    assert!(refused > 0, "calls are answered while the database is away");
    println!("{refused} calls were refused meanwhile, the slowest answer took {slowest:?}");

    // Once more; and this time one process stands still when the database is back, so that only the other one can say
    // that it is dead.
    let (still, waits) = who_serves([&owner, &other], &registers[0]);
    let (dead, seen) = (still.id(), waits.takeovers().len());
    database.signal("STOP");
    thread::sleep(LEASE * 3);
    still.signal("STOP");
    database.signal("CONT");
    waits.wait("take over", |state| state.takeovers.iter().any(|takeover| Some(&takeover.from) == dead.as_ref()));
    for register in &registers {
        waits.insist(register, Action::Add(1));
    }
    still.signal("CONT");
    still.wait("become a member again", |state| state.ids.last() != dead.as_ref());
    let takeovers = waits.takeovers().split_off(seen);
    println!("{takeovers:?}");
    assert!(takeovers.iter().any(|takeover| takeover.silent.is_some()), "{takeovers:?}");
    for silent in takeovers.iter().filter_map(|takeover| takeover.silent) {
        assert!(silent >= LEASE + LEASE / 10, "declared dead before its lease had run out: {takeovers:?}");
    }
    check(&recorder.history()).unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn nothing_acknowledged_is_lost_when_the_database_is_killed() {
    if !has_server() {
        return;
    }
    let _alone = alone();
    let kills = setting("DNA_DATABASE_KILLS", KILLS);
    let mut database = Database::start("proof_killed", "127.0.0.82");
    let (keyspace, recorder) = (database.keyspace(), Recorder::new());
    let registers = |kill: u64| (0..3).map(|n| format!("kill-{kill}-{n}")).collect::<Vec<_>>();
    let owner = Process::join("owner", &keyspace, free_address(), &recorder);
    for kill in 0..kills {
        let registers = registers(kill);
        owner.serves(&registers[0]);
        let load = Load::start(&owner, &registers);
        thread::sleep(LOAD);
        database.kill();
        database.up();
        owner.serves(&registers[0]);
        thread::sleep(LOAD);
        let called = load.end();
        let answered = called.iter().filter(|called| called.answer.value().is_some()).count();
        println!("kill {kill}: {answered} of {} calls were answered", called.len());
        for register in &registers {
            owner.serves(register);
        }
    }
    let last = Process::join("last", &keyspace, free_address(), &recorder);
    owner.kill();
    for register in (0..kills).flat_map(registers) {
        last.serves(&register);
    }
    check(&recorder.history()).unwrap_or_else(|error| panic!("{error}"));
}
