//! DNA on a keyspace of its own: a node, its callers, and the counts that are made in the database afterwards.

use std::{sync::Arc, time::Instant};

use dna::Node;
use dna_storage::Scylla;

use super::{
    lag::LagWatch,
    server::Server,
    space::Space,
    watched::{self, Watched},
};
use crate::{
    actors::Table,
    error::Error,
    keys::VALUE,
    load::{self, Amount, Turns},
    measure::Measured,
    references::Shape,
    store::name_of,
};

/// How many callers make the first messages of a load.
const PRIMING: u64 = 1024;

/// A node.
pub(super) struct Subject<'a> {
    pub(super) node: Arc<Node>,
    pub(super) store: Watched,
    pub(super) space: Space<'a>,
}

impl<'a> Subject<'a> {
    /// A node on a fresh keyspace.
    pub(super) async fn start(server: &'a Server) -> Result<Self, Error> {
        Subject::on(server.fresh().await?).await
    }

    async fn on(space: Space<'a>) -> Result<Self, Error> {
        let store = Watched::new(Scylla::connect(space.config()).await?);
        let listen = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
        let node = Node::builder().store(store.clone()).listen(listen).actor::<Table>().start().await?;
        Ok(Subject { node: Arc::new(node), store, space })
    }

    /// The same keyspace under a new node, which knows nothing of what the one before had in memory.
    pub(super) async fn restart(self) -> Result<Self, Error> {
        Subject::on(self.stop().await?).await
    }

    async fn stop(self) -> Result<Space<'a>, Error> {
        let Subject { node, store, space } = self;
        let node = Arc::into_inner(node).ok_or_else(|| Error::Invariant("a load still holds the node".to_owned()))?;
        node.shutdown().await?;
        store.forget();
        Ok(space)
    }

    /// Ends the node, counts its rows in the database, and drops the keyspace.
    pub(super) async fn close(self, what: &str, rows: u64) -> Result<(), Error> {
        self.stop().await?.end(what, rows).await
    }

    /// One durable put to each of the actors, so that they are active. Its rows are in their place.
    pub(super) async fn prime(&self, actors: u64) -> Result<(), Error> {
        load::closed_loop(PRIMING.min(actors), Amount::Untimed(actors), |mut turns| {
            let node = self.node.clone();
            async move {
                while let Some(step) = turns.next() {
                    node.client::<Table>(name_of(turns.place(step))).put(u64::MAX, VALUE).await?;
                }
                Ok(turns)
            }
        })
        .await?;
        self.store.drain().await
    }

    /// The shape's callers, each waiting for its puts, in turn to all actors.
    pub(super) async fn puts(&self, shape: &Shape) -> Result<Measured, Error> {
        let clients = (0..shape.actors).map(|index| self.node.client::<Table>(name_of(index)));
        let clients = clients.collect::<Arc<[_]>>();
        let load = load::closed_loop(shape.callers, shape.amount, |mut turns: Turns| {
            let clients = clients.clone();
            async move {
                // Callers are a multiple of the actors, or the actors one: a caller's is always the same.
                let place = usize::try_from(turns.caller).unwrap_or_default() % clients.len().max(1);
                let client = clients.get(place).ok_or(Error::Gone("the clients"))?.clone();
                drop(clients);
                while let Some(step) = turns.next() {
                    client.put(turns.key(step), VALUE).await?;
                }
                Ok(turns)
            }
        });
        self.until_stored(load).await
    }

    /// Runs a load, and goes on until the last row is in its place.
    pub(super) async fn until_stored(
        &self,
        load: impl Future<Output = Result<Measured, Error>>,
    ) -> Result<Measured, Error> {
        let journals = self.store.journals()?;
        let (_, before) = watched::read(&journals);
        let watch = LagWatch::start(journals.clone());
        let start = Instant::now();
        let mut measured = load.await?;
        let (_, after) = watched::read(&journals);
        self.store.drain().await?;
        measured.stored = Some(start.elapsed());
        measured.groups = after - before;
        measured.lag = watch.take();
        Ok(measured)
    }
}
