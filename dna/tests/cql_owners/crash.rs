//! A process that is killed between any two steps: what it has acknowledged is there after a restart, and nothing twice.

use std::{thread, time::Duration};

use dna_core::testing::history::{Action, Recorder, check};

use crate::{
    alone,
    child::REPLAY,
    database::{Keyspace, has_server},
    load::Load,
    process::{Process, free_address},
    setting,
};

/// What a process does when it is to pass a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum While {
    /// It joins, and takes over from one that was killed with rows to store.
    Joining,
    /// It serves.
    Serving,
    /// It leaves.
    Leaving,
}

/// Every point: when it is passed, and the times of passing it at which the process is killed.
const POINTS: &[(While, &[u64], &str)] = &[
    (While::Joining, &[1], "join: to beat"),
    (While::Joining, &[1], "join: beats"),
    (While::Joining, &[1], "join: has journals"),
    (While::Joining, &[1], "join: to be swapped"),
    (While::Joining, &[1], "join: swapped"),
    (While::Joining, &[1], "takeover: to be sealed"),
    (While::Joining, &[1], "takeover: sealed"),
    (While::Joining, &[1, 2], "rows: a piece is stored"),
    (While::Joining, &[1], "takeover: replayed"),
    (While::Joining, &[1], "takeover: to be swapped"),
    (While::Joining, &[1], "takeover: swapped"),
    (While::Serving, &[1, 9], "commit: to be stamped"),
    (While::Serving, &[1, 9], "commit: to be appended"),
    (While::Serving, &[1, 9], "commit: appended"),
    (While::Serving, &[1, 9], "commit: to be answered"),
    (While::Serving, &[1, 3], "rows: to be stored"),
    (While::Serving, &[5], "rows: a piece is stored"),
    (While::Serving, &[1, 3], "rows: stored"),
    (While::Serving, &[1], "rows: to be released"),
    (While::Serving, &[1], "rows: released"),
    (While::Leaving, &[1], "leave: to be announced"),
    (While::Leaving, &[1], "leave: announced"),
    (While::Leaving, &[1], "leave: released"),
    (While::Leaving, &[1], "leave: to be sealed"),
    (While::Leaving, &[1], "takeover: to be sealed"),
    (While::Leaving, &[1], "takeover: sealed"),
    (While::Leaving, &[1], "leave: sealed"),
    (While::Leaving, &[1], "leave: swapped"),
];

/// The points that are passed once a lane, or between two lanes, and some of the others.
const POINTS_OF_LANES: &[(While, &[u64], &str)] = &[
    (While::Joining, &[1], "join: has journals"),
    (While::Joining, &[1, 2], "takeover: a journal is sealed"),
    (While::Joining, &[1, 2], "takeover: replayed"),
    (While::Joining, &[1], "takeover: swapped"),
    (While::Serving, &[5], "commit: appended"),
    (While::Serving, &[3], "rows: stored"),
    (While::Leaving, &[2], "takeover: a journal is sealed"),
];
const LANES: u16 = 3;

/// How many registers there are for each lane: so many that no lane is without one.
const REGISTERS: u16 = 3;

const LOAD: Duration = Duration::from_millis(100);
/// How often that much, while something is to happen.
const BURSTS: u64 = 5;
/// How long nobody calls, so that what is done behind commits is done.
const QUIET: Duration = Duration::from_millis(1_300);

/// Kills a process at a point, and looks at what is there afterwards. Answers what is wrong with it.
fn kill_at(case: &str, doing: While, nth: u64, point: &str, keyspace: &Keyspace) -> Result<(), String> {
    let recorder = Recorder::new();
    let registers = (0..REGISTERS * keyspace.lanes).map(|n| format!("{case}-{n}")).collect::<Vec<_>>();
    let here = free_address();
    let former = Process::join("former", keyspace, here, &recorder);
    former.serves(&registers[0]);
    if doing == While::Joining {
        former.tell("hold rows");
    }
    let load = Load::start(&former, &registers);
    thread::sleep(LOAD);
    former.kill();
    load.end();

    let victim = Process::start("victim", keyspace, here, &recorder);
    let arm = format!("arm {nth} kill {point}");
    match doing {
        While::Joining => {
            victim.tell(arm);
            victim.tell("join");
        }
        While::Serving => {
            victim.tell("join");
            victim.serves(&registers[0]);
            victim.tell(arm);
            for _ in 0..BURSTS {
                let load = Load::start(&victim, &registers);
                thread::sleep(LOAD);
                load.end();
                if victim.waits(QUIET, |state| state.has_ended) {
                    break;
                }
            }
        }
        While::Leaving => {
            victim.tell("join");
            victim.serves(&registers[0]);
            let load = Load::start(&victim, &registers);
            thread::sleep(LOAD);
            for line in ["hold rows", &arm, "leave"] {
                victim.tell(line);
            }
            load.end();
        }
    }
    victim.wait("end", |state| state.has_ended);
    assert!(victim.waits(Duration::ZERO, |state| state.fault.as_deref() == Some(point)), "`{point}` was not passed");

    let successor = Process::join("successor", keyspace, here, &recorder);
    for register in &registers {
        for action in [Action::Read, Action::Add(1), Action::Read] {
            successor.insist(register, action);
        }
    }
    assert_eq!(successor.leave(), "left");
    check(&recorder.history()).map_err(|error| format!("killed at `{point}`, {doing:?}, the {nth}. time: {error}"))
}

#[test]
fn what_was_acknowledged_survives_a_kill_at_any_point() {
    if !has_server() {
        return;
    }
    let _alone = alone();
    kill_at_each(POINTS, &Keyspace::create());
}

#[test]
fn what_was_acknowledged_on_several_lanes_survives_a_kill_between_any_two_of_them() {
    if !has_server() {
        return;
    }
    let _alone = alone();
    kill_at_each(POINTS_OF_LANES, &Keyspace { lanes: LANES, ..Keyspace::create() });
}

fn kill_at_each(points: &[(While, &[u64], &str)], keyspace: &Keyspace) {
    for turn in 0..setting("DNA_CRASH_POINT_TURNS", 1) {
        for (number, (doing, times, point)) in points.iter().enumerate() {
            for nth in *times {
                let started = std::time::Instant::now();
                kill_at(&format!("{turn}-{number}-{nth}"), *doing, *nth, point, keyspace)
                    .unwrap_or_else(|wrong| panic!("{wrong}"));
                println!("{doing:?}, {nth}. {point}: {:?}", started.elapsed());
            }
        }
    }
}

#[test]
fn a_takeover_that_stores_nothing_of_the_dead_is_found_out() {
    if !has_server() {
        return;
    }
    let _alone = alone();
    let keyspace = Keyspace { without: REPLAY, ..Keyspace::create() };
    let wrong = kill_at("lost", While::Joining, 1, "takeover: swapped", &keyspace).expect_err("nothing was replayed");
    assert!(wrong.contains("is not linearizable"), "{wrong}");
}
