//! What a recorder makes of what it is told.

use std::{
    io::Write,
    sync::{Arc, Mutex},
};

use dna_core::testing::history::{Action, Ended, Event, History, HistoryError, Recorder, Step, check};

#[test]
fn threads_record_into_one_history() {
    let recorder = Recorder::new();
    let register = Mutex::new(0);
    std::thread::scope(|scope| {
        for thread in ["a", "b", "c", "d"] {
            let (recorder, register) = (recorder.clone(), &register);
            scope.spawn(move || {
                for _ in 0..100 {
                    let adding = recorder.invoke(thread, "r", Action::Add(1));
                    let mut value = register.lock().unwrap();
                    *value += 1;
                    adding.ok(*value);
                }
            });
        }
    });
    recorder.invoke("a", "r", Action::Read).ok(400);
    check(&recorder.history()).unwrap();
    assert_eq!(recorder.history().operations().count(), 401);
}

#[test]
fn what_is_dropped_without_an_end_is_unknown() {
    let recorder = Recorder::new();
    drop(recorder.invoke("a", "r", Action::Write(1)));
    recorder.invoke("a", "r", Action::Write(2)).not_applied();
    recorder.invoke("a", "r", Action::Write(3)).unknown();
    let ended = recorder.history().operations().map(|operation| operation.ended).collect::<Vec<_>>();
    assert_eq!(ended, [Ended::Unknown, Ended::NotApplied, Ended::Unknown]);
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn the_lines_of_several_processes_are_one_history() {
    let lines = Lines::default();
    let recorder = |start: u64| {
        let mut stamp = start;
        let clock = move || {
            stamp += 10;
            stamp
        };
        Recorder::of_one_process(clock, lines.clone())
    };
    let (a, b) = (recorder(0), recorder(5));
    let writing = a.invoke("a", "r", Action::Write(1)); // at 10
    let reading = b.invoke("b", "r", Action::Read); // at 15
    writing.ok(1); // at 20
    reading.ok(1); // at 25
    drop(a.invoke("a", "r", Action::Write(2))); // at 30, and then it was killed

    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    assert_eq!(
        text,
        "10 a 1 invoke r write 1\n15 b 1 invoke r read\n20 a 1 ok 1\n25 b 1 ok 1\n30 a 2 invoke r write 2\n"
    );
    let history = History::from_events(text.lines().map(|line| line.parse::<Event>().unwrap())).unwrap();
    let operations = history.operations().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(operations, ["[10, 20] a: write 1 = 1", "[15, 25] b: read = 1", "[30, …] a: write 2, outcome unknown"]);
}

#[test]
fn a_line_that_is_no_event_is_shown() {
    for line in
        ["", "1 a 1", "x a 1 ok 1", "1 a 1 ok", "1 a 1 invoke r", "1 a 1 invoke r add", "1 a 1 invoke r add 1 2"]
    {
        let error = line.parse::<Event>().unwrap_err().to_string();
        assert!(error.starts_with(&format!("`{line}` is no event")), "{error}");
    }
    assert_eq!("swap 1 2".parse::<Action>(), Ok(Action::Swap(1, 2)));
}

#[test]
fn events_that_are_no_history_are_refused() {
    let event = |stamp, step| Event { stamp, process: "a".to_owned(), number: 1, step };
    let begin = event(1, Step::Invoke { register: "r".to_owned(), action: Action::Read });
    let end = |stamp| event(stamp, Step::End(Ended::Unknown));
    let refused = |events: Vec<Event>| History::from_events(events).unwrap_err();
    assert_eq!(refused(vec![begin.clone(), begin.clone()]), HistoryError::BegunTwice("a".to_owned(), 1));
    assert_eq!(refused(vec![end(1)]), HistoryError::NotBegun("a".to_owned(), 1));
    assert_eq!(refused(vec![begin, end(2), end(3)]), HistoryError::NotBegun("a".to_owned(), 1));
}
