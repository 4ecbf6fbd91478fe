//! Small histories, each accepted or refused for a reason.

use dna_core::testing::history::{CheckError, Event, History, check};

/// A history of one register, an operation a line: `process calls ends action outcome`, the end `-` if it has none.
fn history(lines: &str) -> History {
    let mut events = Vec::new();
    for (number, line) in lines.lines().map(str::trim).filter(|line| !line.is_empty()).enumerate() {
        let words = line.split(' ').collect::<Vec<_>>();
        let [process, calls, ends, what @ ..] = words.as_slice() else { panic!("{line}") };
        let what = what.join(" ");
        let (action, outcome) = what.split_once(" : ").unwrap_or((&what, ""));
        events.push(format!("{calls} {process} {number} invoke r {action}"));
        if *ends != "-" {
            events.push(format!("{ends} {process} {number} {outcome}"));
        }
    }
    History::from_events(events.iter().map(|line| line.parse::<Event>().unwrap())).unwrap()
}

fn accepted(lines: &str) {
    if let Err(error) = check(&history(lines)) {
        panic!("{error}");
    }
}

/// Asserts that it is refused, with the answer that is called out.
fn refused(lines: &str, answer: &str) -> String {
    let Err(CheckError::Violation(violation)) = check(&history(lines)) else { panic!("not refused:\n{lines}") };
    assert_eq!(violation.answer.to_string(), answer);
    violation.to_string()
}

#[test]
fn nothing_happened() {
    accepted("");
    accepted("a 1 2 read : ok 0");
}

#[test]
fn one_after_the_other() {
    accepted(
        "a 1 2 write 5 : ok 5
         b 3 4 add 2 : ok 7
         a 5 6 swap 7 9 : ok 9
         b 7 8 swap 7 1 : ok 9
         a 9 10 read : ok 9",
    );
}

#[test]
fn a_stale_read_is_refused() {
    refused("a 1 2 write 5 : ok 5\n b 3 4 read : ok 0", "[3, 4] b: read = 0");
}

#[test]
fn a_read_beside_a_write_may_see_either() {
    accepted("a 1 4 write 5 : ok 5\n b 2 3 read : ok 0");
    accepted("a 1 4 write 5 : ok 5\n b 2 3 read : ok 5");
    refused("a 1 4 write 5 : ok 5\n b 2 3 read : ok 6", "[2, 3] b: read = 6");
}

#[test]
fn what_was_seen_stays_seen() {
    refused(
        "a 1 9 write 5 : ok 5
         b 2 3 read : ok 5
         c 4 5 read : ok 0",
        "[4, 5] c: read = 0",
    );
}

#[test]
fn an_acknowledged_write_that_is_lost_is_refused() {
    refused(
        "a 1 2 add 1 : ok 1
         a 3 4 add 1 : ok 2
         b 5 6 add 1 : ok 2",
        "[5, 6] b: add 1 = 2",
    );
}

#[test]
fn a_write_that_is_applied_twice_is_refused() {
    refused("a 1 2 add 1 : ok 1\n b 3 4 read : ok 2", "[3, 4] b: read = 2");
    // Also if its outcome is unknown.
    refused(
        "a 1 - add 1
         b 2 3 read : ok 1
         b 4 5 read : ok 2",
        "[4, 5] b: read = 2",
    );
}

#[test]
fn an_unknown_outcome_may_be_applied_at_any_later_time_or_never() {
    accepted("a 1 2 write 5 : unknown\n b 3 4 read : ok 0");
    accepted("a 1 2 write 5 : unknown\n b 3 4 read : ok 5");
    accepted(
        "a 1 2 write 5 : unknown
         b 3 4 write 6 : ok 6
         b 5 6 read : ok 6
         b 7 8 read : ok 5",
    );
    refused(
        "a 1 2 write 5 : unknown
         b 3 4 read : ok 5
         b 5 6 write 6 : ok 6
         b 7 8 read : ok 5",
        "[7, 8] b: read = 5",
    );
    refused("b 1 2 read : ok 5\n a 3 4 write 5 : unknown", "[1, 2] b: read = 5");
}

#[test]
fn what_was_not_applied_never_is() {
    accepted("a 1 2 write 5 : not-applied\n b 3 4 read : ok 0");
    refused("a 1 2 write 5 : not-applied\n b 3 4 read : ok 5", "[3, 4] b: read = 5");
    refused("a 1 9 write 5 : not-applied\n b 3 4 read : ok 5", "[3, 4] b: read = 5");
}

#[test]
fn the_same_from_several_without_an_answer_counts_once_each() {
    let unknown = "a 1 - add 1\n b 1 - add 1\n c 2 - add 1\n";
    accepted(&format!("{unknown} d 3 4 read : ok 3"));
    refused(&format!("{unknown} d 3 4 read : ok 4"), "[3, 4] d: read = 4");
}

#[test]
fn registers_are_told_apart() {
    let lines = "1 a 1 invoke x write 5\n2 a 1 ok 5\n3 a 2 invoke y read\n4 a 2 ok 0\n5 a 3 invoke x read\n6 a 3 ok 0";
    let history = History::from_events(lines.lines().map(|line| line.parse::<Event>().unwrap())).unwrap();
    let Err(CheckError::Violation(violation)) = check(&history) else { panic!("not refused") };
    assert_eq!(violation.register, "x");
}

#[test]
fn a_long_history_with_overlap_is_checked_quickly() {
    // Eight clients, each of whose operations overlaps with one of every other.
    let mut lines = String::new();
    for n in 0..2_000_u64 {
        lines += &format!("p{} {} {} add 1 : ok {}\n", n % 8, n * 10, n * 10 + 75, n + 1);
    }
    accepted(&lines);
    lines += "p9 30000 30001 read : ok 1999\n";
    refused(&lines, "[30000, 30001] p9: read = 1999");
}

#[test]
fn a_violation_says_what_stood_there_and_what_could_have_been_next() {
    let text = refused(
        "a 1 2 write 5 : ok 5
         b 3 8 write 6 : unknown
         a 3 6 add 1 : ok 6
         c 7 8 read : ok 4
         a 9 10 write 7 : ok 7",
        "[7, 8] c: read = 4",
    );
    assert_eq!(
        text,
        "register `r` is not linearizable: nothing explains the answer\n  \
           [7, 8] c: read = 4\n\
         The longest order that explains what was answered before:\n  \
           [1, 2] a: write 5 = 5\n  \
           [3, 6] a: add 1 = 6\n  \
           [3, …] b: write 6, outcome unknown\n\
         Behind it 6 stands there, and none of these can be next:\n  \
           [7, 8] c: read = 4, where 6 stood\n"
    );
}
