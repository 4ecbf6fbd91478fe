//! Executions are accepted, and what is made of them is judged as trying every order judges it.

use dna_core::testing::history::{Action, CheckError, Ended, Event, History, Step, check};
use proptest::prelude::*;

use crate::{
    brute_force,
    executions::{End, execution, history, record},
};

fn is_accepted(history: &History) -> bool {
    match check(history) {
        Ok(()) => true,
        Err(CheckError::Violation(_)) => false,
        Err(error) => panic!("{error}"),
    }
}

fn is_linearizable(history: &History) -> bool {
    brute_force::is_linearizable(&history.operations().cloned().collect::<Vec<_>>())
}

/// Answers the event at `at`, or the next one behind it that is an answer, with another number.
fn answer_otherwise(events: &mut [Event], at: usize, other: u64) {
    let count = events.len();
    for offset in 0..count {
        if let Step::End(Ended::Ok(value)) = &mut events[(at + offset) % count].step {
            *value = value.wrapping_add(other);
            return;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_execution_is_accepted(execution in execution(0..150, 6)) {
        prop_assert!(is_accepted(&history(record(&execution))));
    }

    #[test]
    fn a_small_execution_with_an_answer_changed_is_judged_as_by_trying_every_order(
        execution in execution(1..7, 3), at in 0..12_usize, other in prop_oneof![Just(u64::MAX), 1..4_u64],
    ) {
        let mut events = record(&execution);
        prop_assert!(is_linearizable(&history(events.clone())));
        answer_otherwise(&mut events, at, other);
        let history = history(events);
        prop_assert_eq!(is_accepted(&history), is_linearizable(&history));
    }

    #[test]
    fn a_small_history_of_any_answers_is_judged_as_by_trying_every_order(
        execution in execution(1..7, 3), answers in prop::collection::vec(0..4_u64, 7),
    ) {
        let mut events = record(&execution);
        let mut answers = answers.into_iter();
        for event in &mut events {
            if let Step::End(Ended::Ok(value)) = &mut event.step {
                *value = answers.next().unwrap();
            }
        }
        let history = history(events);
        prop_assert_eq!(is_accepted(&history), is_linearizable(&history));
    }

    #[test]
    fn a_write_that_was_lost_or_doubled_or_never_seen_is_refused(
        mut execution in execution(2..60, 4), fault in 0..4_u8,
    ) {
        // Every write counts and is answered, and one read comes behind all others.
        let mut writes = 0;
        for performed in &mut execution {
            performed.end = End::Ok;
            if performed.action != Action::Read {
                performed.action = Action::Add(1);
                writes += 1;
            }
        }
        let mut events = record(&execution);
        let number = execution.len() as u64;
        let event = |stamp, step| Event { stamp, process: "p".to_owned(), number, step };
        let seen = match fault {
            0 => writes + 1,
            1 => u64::saturating_sub(writes, 1),
            2 => 0,
            _ => writes,
        };
        let step = Step::Invoke { register: "r".to_owned(), action: Action::Read };
        events.extend([event(1_000_000, step), event(1_000_001, Step::End(Ended::Ok(seen)))]);
        prop_assert_eq!(is_accepted(&history(events)), seen == writes);
    }

    #[test]
    fn a_line_is_the_event_that_was_written(execution in execution(0..20, 3)) {
        for event in record(&execution) {
            prop_assert_eq!(event.to_string().parse::<Event>().unwrap(), event);
        }
    }
}
