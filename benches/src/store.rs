//! The store under test, whichever it is: opened, drained, counted.

use std::path::Path;

use bytes::Bytes;
use dna::{Actor, ActorName, Embedded, KeyRange, Memory, Node, Store};

use crate::{
    actors::{Counter, ROWS, Table},
    args::{DurabilityKind, StoreKind},
    error::Error,
};

/// How many rows a count reads at once.
const PAGE_ROWS: usize = 4096;

/// A store of one of the kinds that can be measured. A clone is the same store.
#[derive(Debug, Clone)]
pub(crate) enum AnyStore {
    Memory(Memory),
    Embedded(Embedded),
}

impl AnyStore {
    /// Opens the store at `path`; one in memory is a new one.
    pub(crate) fn open(kind: StoreKind, durability: DurabilityKind, path: &Path) -> Result<Self, Error> {
        let durability = match durability {
            DurabilityKind::Fsync => dna::Durability::Fsync,
            DurabilityKind::Buffered => dna::Durability::Buffered,
        };
        Ok(match kind {
            StoreKind::Memory => AnyStore::Memory(Memory::new()),
            StoreKind::Embedded => AnyStore::Embedded(Embedded::options().durability(durability).open(path)?),
            StoreKind::Scylla => return Err(Error::Invariant("a keyspace has no path".to_owned())),
        })
    }

    /// A node on it that serves both actor types.
    pub(crate) async fn start(&self) -> Result<Node, Error> {
        let node = match self {
            AnyStore::Memory(store) => Node::builder().store(store.clone()),
            AnyStore::Embedded(store) => Node::builder().store(store.clone()),
        };
        Ok(node.actor::<Table>().actor::<Counter>().start().await?)
    }

    /// The store without the engine.
    pub(crate) fn bare(&self) -> &dyn Store {
        match self {
            AnyStore::Memory(store) => store,
            AnyStore::Embedded(store) => store,
        }
    }

    /// Waits until every row is stored. Answers whether rows are stored later at all.
    pub(crate) async fn drain(&self) -> Result<bool, Error> {
        match self {
            AnyStore::Memory(_) => Ok(false),
            AnyStore::Embedded(store) => {
                store.drain().await.map_err(|error| Error::Drain(error.to_string()))?;
                Ok(true)
            }
        }
    }

    /// The store as another process would find it: closed and opened again. One in memory cannot be closed.
    pub(crate) fn reopened(self, kind: StoreKind, durability: DurabilityKind, path: &Path) -> Result<Self, Error> {
        match self {
            AnyStore::Memory(_) => Ok(self),
            AnyStore::Embedded(store) => {
                drop(store);
                AnyStore::open(kind, durability, path)
            }
        }
    }

    /// How many rows these actors have.
    pub(crate) async fn count(&self, names: impl Iterator<Item = String>) -> Result<u64, Error> {
        let mut rows = 0;
        for name in names {
            rows += self.count_one(&table(name)?).await?;
        }
        Ok(rows)
    }

    async fn count_one(&self, actor: &ActorName) -> Result<u64, Error> {
        let mut range = KeyRange { start: Bytes::new(), end: None };
        let mut rows = 0;
        loop {
            let page = self.bare().scan(actor, ROWS, &range, PAGE_ROWS, false).await?;
            rows += u64::try_from(page.len()).unwrap_or(u64::MAX);
            match page.last() {
                Some((last, _)) if page.len() == PAGE_ROWS => range.start = [last, &[0][..]].concat().into(),
                _ => return Ok(rows),
            }
        }
    }
}

/// The address of a [`Table`] actor.
pub(crate) fn table(name: impl Into<std::sync::Arc<str>>) -> Result<ActorName, Error> {
    Ok(ActorName::new("default", Table::KIND, name)?)
}

/// The name of the `index`th actor: twelve bytes.
pub(crate) fn name_of(index: u64) -> String {
    format!("actor-{index:06}")
}
