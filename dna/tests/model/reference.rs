//! What the actor's state has to be: plain maps. And the random programs that are run on both.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;

use crate::{
    rng::Rng,
    shelf::{End, Look, Options, Pair, QUEUE_ITEMS_MAX, Seen, Step},
};

/// The state of one actor.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Reference {
    text: BTreeMap<String, u64>,
    pairs: BTreeMap<Pair, Bytes>,
    cell: Option<Vec<u32>>,
    queue: VecDeque<u64>,
}

impl Reference {
    pub(crate) fn run(&mut self, steps: &[Step]) -> Vec<Seen> {
        steps.iter().map(|step| self.step(step)).collect()
    }

    pub(crate) fn look(&self, looks: &[Look]) -> Vec<Seen> {
        looks.iter().map(|look| self.see(look)).collect()
    }

    fn step(&mut self, step: &Step) -> Seen {
        match step.clone() {
            Step::Put(key, value) => drop(self.text.insert(key, value)),
            Step::PutMany(rows) => self.text.extend(rows),
            Step::Delete(key) => drop(self.text.remove(&key)),
            Step::DeleteMany(keys) => self.text.retain(|key, _| !keys.contains(key)),
            Step::DeleteAll => self.text.clear(),
            Step::PutPair(key, value) => drop(self.pairs.insert(key, value)),
            Step::DeletePair(key) => drop(self.pairs.remove(&key)),
            Step::SetCell(value) => self.cell = Some(value),
            Step::GrowCell(number) => {
                self.cell.get_or_insert_default().push(number);
                return Seen::Cell(self.cell.clone());
            }
            Step::ClearCell => self.cell = None,
            Step::Push(_) if self.queue.len() as u64 >= QUEUE_ITEMS_MAX => return Seen::QueueFull,
            Step::Push(item) => self.queue.push_back(item),
            Step::Pop => return Seen::Number(self.queue.pop_front()),
            Step::Look(look) => return self.see(&look),
        }
        Seen::Done
    }

    fn see(&self, look: &Look) -> Seen {
        match look {
            Look::Get(key) => Seen::Number(self.text.get(key).copied()),
            Look::GetMany(keys) => Seen::Numbers(keys.iter().map(|key| self.text.get(key).copied()).collect()),
            Look::List(options) => {
                list(&self.text, options, |key, prefix| key.starts_with(prefix.as_str()), |key, bound| key.cmp(bound))
                    .map_or(Seen::WrongOptions, Seen::Rows)
            }
            Look::GetPair(key) => Seen::Bytes(self.pairs.get(key).cloned()),
            Look::ListPairs(options) => list(
                &self.pairs,
                options,
                |key, prefix| key.0 == *prefix,
                |key, bound| key.cmp(&(*bound, String::new())),
            )
            .map_or(Seen::WrongOptions, Seen::Pairs),
            Look::Cell => Seen::Cell(self.cell.clone()),
            Look::Peek => Seen::Number(self.queue.front().copied()),
            Look::Len => Seen::Number(Some(self.queue.len() as u64)),
        }
    }
}

/// The plainest reading of the options: every row is asked whether it is within all of them.
fn list<K: Clone, V: Clone, B>(
    rows: &BTreeMap<K, V>,
    options: &Options<B>,
    begins_with: impl Fn(&K, &B) -> bool,
    compare: impl Fn(&K, &B) -> std::cmp::Ordering,
) -> Option<Vec<(K, V)>> {
    if options.are_wrong() {
        return None;
    }
    let matches = |key: &K| {
        options.prefix.as_ref().is_none_or(|prefix| begins_with(key, prefix))
            && options.start.as_ref().is_none_or(|start| compare(key, start).is_ge())
            && options.start_after.as_ref().is_none_or(|after| compare(key, after).is_gt())
            && options.end.as_ref().is_none_or(|end| compare(key, end).is_lt())
    };
    let mut found = rows.iter().filter(|(key, _)| matches(key)).map(|(key, value)| (key.clone(), value.clone()));
    let limit = options.limit.unwrap_or(usize::MAX);
    Some(if options.reverse { found.rev().take(limit).collect() } else { found.by_ref().take(limit).collect() })
}

/// A random message.
#[derive(Debug, Clone)]
pub(crate) enum Message {
    Put(String, u64),
    Get(String),
    Run(Vec<Step>, End),
    Look(Vec<Look>),
}

impl Message {
    /// How many operations it is.
    pub(crate) fn len(&self) -> usize {
        match self {
            Message::Put(..) | Message::Get(_) => 1,
            Message::Run(steps, _) => steps.len(),
            Message::Look(looks) => looks.len(),
        }
    }

    pub(crate) fn random(rng: &mut Rng) -> Self {
        match rng.below(8) {
            0 => Message::Put(key(rng), rng.below(1000)),
            1 => Message::Get(key(rng)),
            2 | 3 => Message::Look(several(rng, 4, look)),
            _ => {
                let end = match rng.below(40) {
                    0..4 => End::Err,
                    4 => End::Panic,
                    _ => End::Ok,
                };
                Message::Run(several(rng, 7, step), end)
            }
        }
    }
}

fn several<T>(rng: &mut Rng, most: u64, make: fn(&mut Rng) -> T) -> Vec<T> {
    (0..=rng.below(most)).map(|_| make(rng)).collect()
}

/// Few keys, with prefixes of each other.
fn key(rng: &mut Rng) -> String {
    let letters = ["", "a", "b", "ab", "\0", "é", "aa", "z"];
    let mut letter = || letters.get(rng.below(8) as usize).copied().unwrap_or_default();
    [letter(), letter()].concat()
}

fn pair(rng: &mut Rng) -> Pair {
    (first(rng), key(rng))
}

fn first(rng: &mut Rng) -> i32 {
    [i32::MIN, -1, 0, 1, 256][rng.below(5) as usize]
}

fn step(rng: &mut Rng) -> Step {
    let number = rng.below(1000);
    match rng.below(40) {
        0..8 => Step::Put(key(rng), number),
        8..10 => Step::PutMany(several(rng, 5, |rng| (key(rng), rng.below(1000)))),
        10..13 => Step::Delete(key(rng)),
        13 => Step::DeleteMany(several(rng, 5, key)),
        14 => Step::DeleteAll,
        15..19 => Step::PutPair(pair(rng), Bytes::from(vec![7; number as usize % 8])),
        19..21 => Step::DeletePair(pair(rng)),
        21 => Step::SetCell(several(rng, 3, |rng| rng.below(9) as u32)),
        22 => Step::GrowCell(number as u32),
        23 => Step::ClearCell,
        24..27 => Step::Push(number),
        27..29 => Step::Pop,
        _ => Step::Look(look(rng)),
    }
}

fn look(rng: &mut Rng) -> Look {
    match rng.below(16) {
        0..4 => Look::Get(key(rng)),
        4 => Look::GetMany(several(rng, 5, key)),
        5..9 => Look::List(options(rng, key)),
        9 => Look::GetPair(pair(rng)),
        10..12 => Look::ListPairs(options(rng, first)),
        12 => Look::Cell,
        13 => Look::Peek,
        _ => Look::Len,
    }
}

fn options<K>(rng: &mut Rng, key: fn(&mut Rng) -> K) -> Options<K> {
    let mut sometimes = |times| rng.once_in(times).then(|| key(rng));
    Options {
        prefix: sometimes(3),
        start: sometimes(3),
        start_after: sometimes(4),
        end: sometimes(3),
        limit: rng.once_in(2).then(|| rng.below(12) as usize),
        reverse: rng.once_in(2),
    }
}

/// Everything that there is to see.
pub(crate) fn all() -> Vec<Look> {
    vec![Look::List(Options::default()), Look::ListPairs(Options::default()), Look::Cell, Look::Peek, Look::Len]
}
