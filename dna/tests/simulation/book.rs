//! A book in which every message leaves a line: in which order the messages of one handle were handled, and how often.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    ops::AddAssign,
    sync::Arc,
    time::Duration,
};

use dna::{CallError, Outcome, Value};
use parking_lot::Mutex;

/// Lines, each of which says which handle it is from, and the number of its message there.
pub(crate) struct Book {
    stored: Value<Vec<(u64, u64)>>,
    lines: Vec<(u64, u64)>,
}

#[dna::actor(vis = pub(crate))]
impl Book {
    async fn init(ctx: dna::Context) -> dna::Result<Self> {
        let stored = ctx.open::<Value<Vec<(u64, u64)>>>("lines")?;
        let lines = stored.get().await?.unwrap_or_default();
        Ok(Book { stored, lines })
    }

    /// Adds a line, after so many milliseconds; how many there are then.
    pub async fn append(&mut self, handle: u64, number: u64, pause: u64) -> u64 {
        if pause > 0 {
            tokio::time::sleep(Duration::from_millis(pause)).await;
        }
        self.lines.push((handle, number));
        self.stored.set(self.lines.clone());
        self.lines.len() as u64
    }

    pub fn all(&self) -> Vec<(u64, u64)> {
        self.lines.clone()
    }
}

/// What came of a line that was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It stands there, at this place, from 1.
    At(u64),
    /// It never will.
    Never,
    /// Nobody knows, or it was a cast.
    Perhaps,
}

/// What is known of the lines that were sent. A clone is the same.
#[derive(Clone, Default)]
pub(crate) struct Notes(Arc<Mutex<Sent>>);

#[derive(Default)]
struct Sent {
    /// Of each book and handle, what came of each message.
    fates: BTreeMap<(String, u64), BTreeMap<u64, Fate>>,
    calls: Tally,
    casts: Tally,
}

/// How many were sent, and how many of them were answered: with success.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) sent: u64,
    pub(crate) answered: u64,
}

impl Tally {
    pub(crate) fn count<T>(&mut self, answer: &Result<T, CallError>) {
        *self += Tally { sent: 1, answered: u64::from(answer.is_ok()) };
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.answered, self.sent)
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Tally) {
        self.sent += other.sent;
        self.answered += other.answered;
    }
}

impl Sent {
    fn becomes(&mut self, book: &str, handle: u64, number: u64, fate: Fate) {
        self.fates.entry((book.to_owned(), handle)).or_default().insert(number, fate);
    }
}

impl Notes {
    pub(crate) fn send(&self, book: &str, handle: u64, number: u64) {
        self.0.lock().becomes(book, handle, number, Fate::Perhaps);
    }

    pub(crate) fn called(&self, book: &str, handle: u64, number: u64, answer: &Result<u64, CallError>) {
        let fate = match answer {
            Ok(place) => Fate::At(*place),
            Err(error) if error.outcome() == Outcome::NotApplied => Fate::Never,
            Err(_) => Fate::Perhaps,
        };
        let mut sent = self.0.lock();
        sent.becomes(book, handle, number, fate);
        sent.calls.count(answer);
    }

    pub(crate) fn cast(&self, book: &str, handle: u64, number: u64, answer: &Result<(), CallError>) {
        let mut sent = self.0.lock();
        if let Err(error) = answer
            && error.outcome() == Outcome::NotApplied
        {
            sent.becomes(book, handle, number, Fate::Never);
        }
        sent.casts.count(answer);
    }

    /// How many lines were sent.
    pub(crate) fn count(&self) -> usize {
        self.0.lock().fates.values().map(BTreeMap::len).sum()
    }

    /// The calls and casts whose end their sender has lived to see.
    pub(crate) fn tallies(&self) -> [Tally; 2] {
        let sent = self.0.lock();
        [sent.calls, sent.casts]
    }

    /// What stands in a book in the end has to fit: in the order of each handle, nothing twice, nothing missing that was
    /// answered, at the place that was answered, and nothing that was said not to be.
    pub(crate) fn check(&self, book: &str, lines: &[(u64, u64)]) -> Result<(), String> {
        let notes = &self.0.lock().fates;
        let mut last = BTreeMap::<u64, u64>::new();
        let mut seen = BTreeSet::new();
        for line @ (handle, number) in lines {
            if !seen.insert(*line) {
                return Err(format!("book `{book}`: message {number} of handle {handle} was handled twice: {lines:?}"));
            }
            let fate = notes.get(&(book.to_owned(), *handle)).and_then(|sent| sent.get(number));
            let before = last.insert(*handle, *number);
            if before.is_some_and(|before| before > *number) {
                return Err(format!(
                    "book `{book}`: message {number} of handle {handle} was handled behind {before:?}: {lines:?}"
                ));
            }
            if !matches!(fate, Some(Fate::At(_) | Fate::Perhaps)) {
                return Err(format!(
                    "book `{book}`: message {number} of handle {handle} was handled, and it was said: {fate:?}"
                ));
            }
        }
        for ((name, handle), sent) in notes.iter().filter(|((name, _), _)| name == book) {
            for (number, fate) in sent {
                let Fate::At(place) = fate else { continue };
                let there = usize::try_from(*place).ok().and_then(|place| lines.get(place - 1));
                if there != Some(&(*handle, *number)) {
                    return Err(format!(
                        "book `{name}`: message {number} of handle {handle} was answered to be line {place}, where \
                         {there:?} stands: {lines:?}"
                    ));
                }
            }
        }
        Ok(())
    }
}
