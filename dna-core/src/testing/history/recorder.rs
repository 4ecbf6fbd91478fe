//! Records a history while it happens, from any number of threads.

use std::{
    fmt,
    io::Write,
    sync::{Arc, Mutex, PoisonError},
};

use super::{
    event::{Event, Step},
    operation::{Action, Ended, History},
};

/// Records operations. A clone records into the same history.
///
/// The order in which it is told of calls and ends is the history's order, so it has to be told of a call before the call
/// is made, and of an end after it is known.
#[derive(Clone, Default)]
pub struct Recorder(Arc<Mutex<Recorded>>);

#[derive(Default)]
struct Recorded {
    events: Vec<Event>,
    operations: u64,
    clock: Option<Box<dyn FnMut() -> u64 + Send>>,
    lines: Option<Box<dyn Write + Send>>,
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder").finish_non_exhaustive()
    }
}

impl Recorder {
    /// An empty history of this process alone.
    #[must_use]
    pub fn new() -> Self {
        Recorder::default()
    }

    /// A part of a history that several processes record: every event is written as a line before the recorder returns,
    /// with a stamp of `clock`, which must be the same clock for all of them. [`Event`] reads such a line.
    #[must_use]
    pub fn of_one_process(clock: impl FnMut() -> u64 + Send + 'static, lines: impl Write + Send + 'static) -> Self {
        let recorder = Recorder::new();
        recorder.with(|recorded| {
            recorded.clock = Some(Box::new(clock));
            recorded.lines = Some(Box::new(lines));
        });
        recorder
    }

    /// Notes that an operation is about to be called. What is dropped without an end has an unknown outcome.
    pub fn invoke(&self, process: &str, register: &str, action: Action) -> Pending {
        let step = Step::Invoke { register: register.to_owned(), action };
        let number = self.with(|recorded| {
            recorded.operations += 1;
            let number = recorded.operations;
            recorded.note(process, number, step);
            number
        });
        Pending { recorder: self.clone(), process: process.to_owned(), number }
    }

    /// What was recorded so far.
    #[must_use]
    pub fn history(&self) -> History {
        History::from_events(self.events()).expect("each operation begins once and ends once")
    }

    /// The same, event by event.
    #[must_use]
    pub fn events(&self) -> Vec<Event> {
        self.with(|recorded| recorded.events.clone())
    }

    fn with<T>(&self, run: impl FnOnce(&mut Recorded) -> T) -> T {
        run(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Recorded {
    fn note(&mut self, process: &str, number: u64, step: Step) {
        let stamp = match &mut self.clock {
            Some(clock) => clock(),
            None => self.events.len() as u64,
        };
        let event = Event { stamp, process: process.to_owned(), number, step };
        if let Some(lines) = &mut self.lines {
            writeln!(lines, "{event}").and_then(|()| lines.flush()).expect("the history can be written");
        }
        self.events.push(event);
    }
}

/// An operation that was called and has not ended.
#[derive(Debug)]
#[must_use = "what came of it is part of the history; dropped, its outcome is unknown"]
pub struct Pending {
    recorder: Recorder,
    process: String,
    number: u64,
}

impl Pending {
    /// It was answered with this number.
    pub fn ok(self, value: u64) {
        self.end(Ended::Ok(value));
    }

    /// It has had no effect and never will.
    pub fn not_applied(self) {
        self.end(Ended::NotApplied);
    }

    /// It may have taken effect, or may yet.
    pub fn unknown(self) {
        self.end(Ended::Unknown);
    }

    /// It ended so.
    pub fn end(self, ended: Ended) {
        self.recorder.with(|recorded| recorded.note(&self.process, self.number, Step::End(ended)));
    }
}
