//! The actor under test: its messages are little programs over all storage modules.

use bytes::Bytes;
use dna::prelude::*;
use serde::{Deserialize, Serialize};

use crate::bounded_queue::{BoundedQueue, QueueError};

/// How many items the queue holds.
pub(crate) const QUEUE_ITEMS_MAX: u64 = 4;

/// What a panic of the program says.
pub(crate) const PANIC: &str = "the program says so";

pub(crate) type Pair = (i32, String);

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Step {
    Put(String, u64),
    PutMany(Vec<(String, u64)>),
    Delete(String),
    DeleteMany(Vec<String>),
    DeleteAll,
    PutPair(Pair, Bytes),
    DeletePair(Pair),
    SetCell(Vec<u32>),
    GrowCell(u32),
    ClearCell,
    Push(u64),
    Pop,
    Look(Look),
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Look {
    Get(String),
    GetMany(Vec<String>),
    List(Options<String>),
    GetPair(Pair),
    ListPairs(Options<i32>),
    Cell,
    Peek,
    Len,
}

/// The options of a list. The prefix of a pair is its first part.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Options<K> {
    pub(crate) prefix: Option<K>,
    pub(crate) start: Option<K>,
    pub(crate) start_after: Option<K>,
    pub(crate) end: Option<K>,
    pub(crate) limit: Option<usize>,
    pub(crate) reverse: bool,
}

impl<K> Options<K> {
    /// Whether the list is refused.
    pub(crate) fn are_wrong(&self) -> bool {
        self.limit == Some(0) || (self.start.is_some() && self.start_after.is_some())
    }
}

/// What a step has seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Seen {
    Done,
    Number(Option<u64>),
    Numbers(Vec<Option<u64>>),
    Rows(Vec<(String, u64)>),
    Bytes(Option<Bytes>),
    Pairs(Vec<(Pair, Bytes)>),
    Cell(Option<Vec<u32>>),
    QueueFull,
    WrongOptions,
}

/// How a message ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum End {
    Ok,
    Err,
    Panic,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Failed {
    /// The program says so.
    Asked {
        seen: Vec<Seen>,
    },
    Storage(dna::Error),
}

impl From<dna::Error> for Failed {
    fn from(error: dna::Error) -> Self {
        Failed::Storage(error)
    }
}

pub(crate) struct Shelf {
    text: Kv<String, u64>,
    pairs: Kv<Pair, Bytes>,
    cell: Value<Vec<u32>>,
    queue: BoundedQueue<u64, QUEUE_ITEMS_MAX>,
}

#[dna::actor(vis = pub(crate))]
impl Shelf {
    async fn init(ctx: Context) -> dna::Result<Self> {
        Ok(Shelf {
            text: ctx.open("text")?,
            pairs: ctx.open("pairs")?,
            cell: ctx.open("cell")?,
            queue: ctx.open("queue")?,
        })
    }

    pub async fn put(&mut self, key: String, value: u64) {
        self.text.put(key, value);
    }

    pub async fn get(&self, key: String) -> dna::Result<Option<u64>> {
        self.text.get(key).await
    }

    pub async fn run(&mut self, steps: Vec<Step>, end: End) -> Result<Vec<Seen>, Failed> {
        let mut seen = Vec::new();
        for step in steps {
            seen.push(self.step(step).await?);
        }
        match end {
            End::Ok => Ok(seen),
            End::Err => Err(Failed::Asked { seen }),
            End::Panic => panic!("{PANIC}"),
        }
    }

    pub async fn look(&self, looks: Vec<Look>) -> Result<Vec<Seen>, Failed> {
        let mut seen = Vec::new();
        for look in looks {
            seen.push(self.see(look).await?);
        }
        Ok(seen)
    }

    async fn step(&mut self, step: Step) -> Result<Seen, Failed> {
        match step {
            Step::Put(key, value) => self.text.put(key, value),
            Step::PutMany(rows) => self.text.put_many(rows),
            Step::Delete(key) => self.text.delete(key),
            Step::DeleteMany(keys) => self.text.delete_many(keys),
            Step::DeleteAll => self.text.delete_all(),
            Step::PutPair(key, value) => self.pairs.put(key, value),
            Step::DeletePair(key) => self.pairs.delete(key),
            Step::SetCell(value) => self.cell.set(value),
            Step::GrowCell(number) => {
                let grown = self.cell.update(|cell| cell.into_iter().flatten().chain([number]).collect());
                return Ok(Seen::Cell(Some(grown.await?)));
            }
            Step::ClearCell => self.cell.delete(),
            Step::Push(item) => match self.queue.push(item).await {
                Err(QueueError::Full { .. }) => return Ok(Seen::QueueFull),
                pushed => pushed.map_err(dna::Error::from)?,
            },
            Step::Pop => return Ok(Seen::Number(self.queue.pop().await.map_err(dna::Error::from)?)),
            Step::Look(look) => return self.see(look).await,
        }
        Ok(Seen::Done)
    }

    async fn see(&self, look: Look) -> Result<Seen, Failed> {
        Ok(match look {
            Look::Get(key) => Seen::Number(self.text.get(key).await?),
            Look::GetMany(keys) => Seen::Numbers(self.text.get_many(keys).await?),
            Look::List(options) => self.list(options).await?,
            Look::GetPair(key) => Seen::Bytes(self.pairs.get(key).await?),
            Look::ListPairs(options) => self.list_pairs(options).await?,
            Look::Cell => Seen::Cell(self.cell.get().await?),
            Look::Peek => Seen::Number(self.queue.peek().await.map_err(dna::Error::from)?),
            Look::Len => Seen::Number(Some(self.queue.len().await.map_err(dna::Error::from)?)),
        })
    }

    async fn list(&self, options: Options<String>) -> dna::Result<Seen> {
        let wrong = options.are_wrong();
        let mut list = self.text.list();
        if let Some(prefix) = options.prefix {
            list = list.prefix(prefix);
        }
        if let Some(start) = options.start {
            list = list.start(start);
        }
        if let Some(after) = options.start_after {
            list = list.start_after(after);
        }
        if let Some(end) = options.end {
            list = list.end(end);
        }
        if let Some(limit) = options.limit {
            list = list.limit(limit);
        }
        if options.reverse {
            list = list.reverse();
        }
        match list.await {
            Err(_) if wrong => Ok(Seen::WrongOptions),
            rows => rows.map(Seen::Rows),
        }
    }

    async fn list_pairs(&self, options: Options<i32>) -> dna::Result<Seen> {
        let wrong = options.are_wrong();
        let mut list = self.pairs.list();
        if let Some(prefix) = options.prefix {
            list = list.prefix((prefix,));
        }
        if let Some(start) = options.start {
            list = list.start((start, ""));
        }
        if let Some(after) = options.start_after {
            list = list.start_after((after, ""));
        }
        if let Some(end) = options.end {
            list = list.end((end, ""));
        }
        if let Some(limit) = options.limit {
            list = list.limit(limit);
        }
        if options.reverse {
            list = list.reverse();
        }
        match list.await {
            Err(_) if wrong => Ok(Seen::WrongOptions),
            rows => rows.map(Seen::Pairs),
        }
    }
}
