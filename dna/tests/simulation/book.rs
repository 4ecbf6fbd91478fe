//! A book in which every message leaves a line: in which order the messages of one handle were handled, and how often.

use std::{
    collections::{BTreeMap, BTreeSet},
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

/// Of each book and handle, what came of each message.
type Sent = BTreeMap<(String, u64), BTreeMap<u64, Fate>>;

impl Notes {
    pub(crate) fn send(&self, book: &str, handle: u64, number: u64) {
        self.0.lock().entry((book.to_owned(), handle)).or_default().insert(number, Fate::Perhaps);
    }

    pub(crate) fn called(&self, book: &str, handle: u64, number: u64, answer: &Result<u64, CallError>) {
        let fate = match answer {
            Ok(place) => Fate::At(*place),
            Err(error) if error.outcome() == Outcome::NotApplied => Fate::Never,
            Err(_) => Fate::Perhaps,
        };
        self.0.lock().entry((book.to_owned(), handle)).or_default().insert(number, fate);
    }

    pub(crate) fn cast(&self, book: &str, handle: u64, number: u64, answer: &Result<(), CallError>) {
        if let Err(error) = answer
            && error.outcome() == Outcome::NotApplied
        {
            self.0.lock().entry((book.to_owned(), handle)).or_default().insert(number, Fate::Never);
        }
    }

    /// How many lines were sent.
    pub(crate) fn count(&self) -> usize {
        self.0.lock().values().map(BTreeMap::len).sum()
    }

    /// What stands in a book in the end has to fit: in the order of each handle, nothing twice, nothing missing that was
    /// answered, at the place that was answered, and nothing that was said not to be.
    pub(crate) fn check(&self, book: &str, lines: &[(u64, u64)]) -> Result<(), String> {
        let notes = self.0.lock();
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
