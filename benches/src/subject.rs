//! DNA under the loads: a node on a fresh store, its callers, and the counts that are read back afterwards.

use std::{path::PathBuf, sync::Arc, time::Instant};

use dna::Node;

use crate::{
    actors::{Counter, Table},
    args::{DurabilityKind, StoreKind},
    bench::{Bench, Folder},
    error::{Error, check_eq},
    keys::VALUE,
    load::{self, Amount},
    measure::Measured,
    references::Shape,
    store::{AnyStore, name_of},
};

/// A node on a store of its own.
pub(crate) struct Subject<'a> {
    pub(crate) node: Arc<Node>,
    pub(crate) store: AnyStore,
    bench: &'a Bench,
    path: PathBuf,
    folder: Folder,
}

impl<'a> Subject<'a> {
    /// A node on an empty store.
    pub(crate) async fn start(bench: &'a Bench) -> Result<Self, Error> {
        let folder = bench.fresh()?;
        let path = folder.join("store");
        let store = bench.open(&path)?;
        Ok(Subject { node: Arc::new(store.start().await?), store, bench, path, folder })
    }

    /// A node on an empty store in memory, whatever is under test: for actors that touch no storage.
    pub(crate) async fn start_in_memory(bench: &'a Bench) -> Result<Self, Error> {
        let folder = bench.fresh()?;
        let path = folder.join("store");
        let store = AnyStore::open(StoreKind::Memory, DurabilityKind::Buffered, &path)?;
        Ok(Subject { node: Arc::new(store.start().await?), store, bench, path, folder })
    }

    /// The same store under a new node: everything that is not stored is forgotten.
    pub(crate) async fn restart(self) -> Result<Self, Error> {
        let Subject { node, store, bench, path, folder } = self;
        end(node).await?;
        let store = store.reopened(bench.args.store, bench.args.durability, &path)?;
        Ok(Subject { node: Arc::new(store.start().await?), store, bench, path, folder })
    }

    /// Ends the node, opens the store anew, and sees that these actors have as many rows as were written.
    pub(crate) async fn close(self, what: &str, actors: u64, rows: u64) -> Result<(), Error> {
        let Subject { node, store, bench, path, folder } = self;
        end(node).await?;
        let store = store.reopened(bench.args.store, bench.args.durability, &path)?;
        check_eq(&format!("rows of {what}"), store.count((0..actors).map(name_of)).await?, rows)?;
        drop(store);
        drop(folder);
        Ok(())
    }

    /// One durable put to each of the actors, so that they are active, and in the store.
    pub(crate) async fn prime(&self, actors: u64) -> Result<(), Error> {
        self.first_puts(1024.min(actors), actors).await?;
        self.store.drain().await?;
        Ok(())
    }

    /// The first message to each of the names: a durable put.
    pub(crate) async fn first_puts(&self, callers: u64, names: u64) -> Result<Measured, Error> {
        let before = self.node.stats().groups;
        let measured = load::closed_loop(callers, Amount::Untimed(names), |mut turns| {
            let node = self.node.clone();
            async move {
                while let Some(step) = turns.next() {
                    let client = node.client::<Table>(name_of(turns.place(step)));
                    client.put(u64::MAX, VALUE).await?;
                }
                Ok(turns)
            }
        })
        .await?;
        Ok(Measured { groups: self.node.stats().groups - before, ..measured })
    }

    /// The shape's callers, each waiting for its puts, in turn to all actors. Both clocks.
    pub(crate) async fn puts(&self, shape: &Shape) -> Result<Measured, Error> {
        let before = self.node.stats().groups;
        let table = |name| self.node.client::<Table>(name);
        let clients = Clients::new((0..shape.actors).map(name_of).map(table));
        let start = Instant::now();
        let mut measured = load::closed_loop(shape.callers, shape.amount, |mut turns| {
            let clients = clients.clone();
            async move {
                while let Some(step) = turns.next() {
                    let client = clients.get(turns.place(step))?;
                    client.put(turns.key(step), VALUE).await?;
                }
                Ok(turns)
            }
        })
        .await?;
        if self.store.drain().await? {
            measured.stored = Some(start.elapsed());
        }
        measured.groups = self.node.stats().groups - before;
        Ok(measured)
    }

    /// The first message to each of the names of actors that touch no storage.
    pub(crate) async fn first_calls(&self, callers: u64, names: u64) -> Result<Measured, Error> {
        load::closed_loop(callers, Amount::Untimed(names), |mut turns| {
            let node = self.node.clone();
            async move {
                while let Some(step) = turns.next() {
                    node.client::<Counter>(name_of(turns.place(step))).add(1).await?;
                }
                Ok(turns)
            }
        })
        .await
    }
}

/// Shuts a node down that nobody else holds any more.
async fn end(node: Arc<Node>) -> Result<(), Error> {
    let node = Arc::into_inner(node).ok_or_else(|| Error::Invariant("a load still holds the node".to_owned()))?;
    Ok(node.shutdown().await?)
}

/// The clients of many actors, in turn.
struct Clients<C>(Arc<[C]>);

impl<C> Clients<C> {
    fn new(clients: impl Iterator<Item = C>) -> Self {
        Clients(clients.collect())
    }

    /// The client of that place; behind the last one comes the first.
    fn get(&self, place: u64) -> Result<&C, Error> {
        let place = usize::try_from(place).unwrap_or_default();
        place.checked_rem(self.0.len()).and_then(|index| self.0.get(index)).ok_or(Error::Gone("the clients"))
    }
}

impl<C> Clone for Clients<C> {
    fn clone(&self) -> Self {
        Clients(self.0.clone())
    }
}
