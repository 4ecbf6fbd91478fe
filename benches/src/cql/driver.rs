//! (a), the raw driver: the same puts into the same table by plain batches, one an actor, without fence and journal.
//! What is answered is in its place.

use std::{num::NonZeroUsize, sync::Arc, time::Instant};

use bytes::Bytes;
use dna::Actor;
use scylla::{
    client::{PoolSize, execution_profile::ExecutionProfile, session::Session, session_builder::SessionBuilder},
    statement::{
        Consistency,
        batch::{Batch, BatchType},
        prepared::PreparedStatement,
    },
};
use tokio::{
    sync::{Semaphore, mpsc, oneshot},
    task::JoinSet,
};

use super::{server::Server, space::Space};
use crate::{
    actors::{ROWS, Table},
    error::Error,
    keys::VALUE,
    load::{self, Amount},
    measure::Measured,
    references::Shape,
    store::name_of,
};

/// How many rows a batch has at the most.
const BATCH_ROWS: usize = 1000;

/// How many batches of one actor are on their way at the same time.
const BATCHES_AT_ONCE: usize = 4;

/// As many as the store has.
const CONNECTIONS: usize = dna_storage::CONNECTIONS_PER_SHARD;

/// A session and its statements.
struct Driver {
    session: Session,
    put: PreparedStatement,
    get: PreparedStatement,
    value: Bytes,
}

/// A row as its statement takes it.
type Row<'a> = (&'static str, &'static str, &'a str, &'static str, &'a [u8], &'a [u8]);

impl Driver {
    async fn connect(space: &Space<'_>) -> Result<Arc<Self>, Error> {
        let profile = ExecutionProfile::builder().consistency(Consistency::LocalQuorum).build();
        let session = SessionBuilder::new()
            .known_node(&space.server.contact)
            .pool_size(PoolSize::PerShard(NonZeroUsize::new(CONNECTIONS).unwrap_or(NonZeroUsize::MIN)))
            .default_execution_profile_handle(profile.into_handle())
            .build()
            .await
            .map_err(Error::cql("the raw driver does not connect"))?;
        let table = format!("{}.actor", space.name);
        let insert =
            format!("INSERT INTO {table} (namespace, type, name, module, key, value) VALUES (?, ?, ?, ?, ?, ?)");
        let select = format!(
            "SELECT value FROM {table} WHERE namespace = ? AND type = ? AND name = ? AND module = ? AND key = ?"
        );
        let mut put = session.prepare(insert).await.map_err(Error::cql("the raw driver's put"))?;
        put.set_is_idempotent(true);
        let get = session.prepare(select).await.map_err(Error::cql("the raw driver's read"))?;
        let value = dna::modules::encode_value(&VALUE.to_owned()).map_err(Error::cql("the value"))?;
        Ok(Arc::new(Driver { session, put, get, value: Bytes::copy_from_slice(&value) }))
    }

    fn batch(&self, rows: usize) -> Batch {
        let mut batch = Batch::new(BatchType::Unlogged);
        batch.set_is_idempotent(true);
        (0..rows).for_each(|_| batch.append_statement(self.put.clone()));
        batch
    }

    fn row<'a>(&'a self, name: &'a str, key: &'a [u8]) -> Row<'a> {
        ("default", Table::KIND, name, ROWS, key, &self.value)
    }

    async fn put_one(&self, name: &str, key: u64) -> Result<(), Error> {
        let key = dna::modules::encode_key::<u64>(&key);
        let done = self.session.execute_unpaged(&self.put, self.row(name, &key)).await;
        done.map(drop).map_err(Error::cql("a put of the raw driver"))
    }

    async fn put_all(&self, batch: &Batch, name: &str, keys: &[Bytes]) -> Result<(), Error> {
        let rows = keys.iter().map(|key| self.row(name, key)).collect::<Vec<_>>();
        let done = self.session.batch(batch, rows).await;
        done.map(drop).map_err(Error::cql("a batch of the raw driver"))
    }

    async fn has(&self, name: &str, key: u64) -> Result<bool, Error> {
        let key = dna::modules::encode_key::<u64>(&key);
        let row = ("default", Table::KIND, name, ROWS, key.as_ref());
        let found = self.session.execute_unpaged(&self.get, row).await;
        let found = found.map_err(Error::cql("a read of the raw driver"))?;
        let rows = found.into_rows_result().map_err(Error::cql("a read of the raw driver"))?;
        Ok(rows.rows_num() == 1)
    }
}

/// The shape's puts to one actor, in the order of their keys, in large batches.
pub(super) async fn casts(server: &Server, shape: &Shape) -> Result<Measured, Error> {
    let space = server.fresh().await?;
    let driver = Driver::connect(&space).await?;
    let mut keys = (0..shape.puts).map(|place| shape.keys.at(place)).collect::<Vec<_>>();
    keys.sort_unstable();
    let measured = tokio::spawn(send(driver, keys)).await??;
    space.end("the raw driver's batches", shape.puts).await?;
    Ok(measured)
}

async fn send(driver: Arc<Driver>, keys: Vec<u64>) -> Result<Measured, Error> {
    let full = Arc::new(driver.batch(BATCH_ROWS));
    let room = Arc::new(Semaphore::new(BATCHES_AT_ONCE));
    let mut sent = JoinSet::new();
    let start = Instant::now();
    for chunk in keys.chunks(BATCH_ROWS) {
        let permit = room.clone().acquire_owned().await.map_err(|_| Error::Gone("the room for batches"))?;
        let chunk = chunk.iter().map(dna::modules::encode_key::<u64>).collect::<Vec<_>>();
        let batch = if chunk.len() == BATCH_ROWS { full.clone() } else { Arc::new(driver.batch(chunk.len())) };
        let driver = driver.clone();
        sent.spawn(async move {
            let _permit = permit;
            driver.put_all(&batch, &name_of(0), &chunk).await
        });
        while let Some(done) = sent.try_join_next() {
            done??;
        }
    }
    while let Some(done) = sent.join_next().await {
        done??;
    }
    Ok(in_place(Measured {
        operations: u64::try_from(keys.len()).unwrap_or(u64::MAX),
        elapsed: start.elapsed(),
        ..Measured::default()
    }))
}

/// The shape's callers, each waiting for its puts: what waits for one actor goes there together.
pub(super) async fn puts(server: &Server, shape: &Shape) -> Result<Measured, Error> {
    let space = server.fresh().await?;
    let driver = Driver::connect(&space).await?;
    let batched = shape.callers > shape.actors;
    let (ask, asked) = mpsc::channel(BATCH_ROWS);
    let batcher = tokio::spawn(gather(driver.clone(), asked));
    let measured = load::closed_loop(shape.callers, shape.amount, |mut turns| {
        let (driver, ask, actors) = (driver.clone(), ask.clone(), shape.actors);
        async move {
            let name = name_of(turns.caller % actors.max(1));
            while let Some(step) = turns.next() {
                let key = turns.key(step);
                if batched {
                    let (answer, answered) = oneshot::channel();
                    ask.send(Put { key, answer }).await.map_err(|_| Error::Gone("the batcher"))?;
                    answered.await.map_err(|_| Error::Gone("the batcher"))?;
                } else {
                    driver.put_one(&name, key).await?;
                }
            }
            Ok(turns)
        }
    });
    let measured = measured.await?;
    drop(ask);
    batcher.await??;
    space.end("the raw driver's puts", measured.operations).await?;
    Ok(in_place(measured))
}

/// A put of a caller that waits.
struct Put {
    key: u64,
    answer: oneshot::Sender<()>,
}

/// Sends what waits for the one actor, batch by batch.
async fn gather(driver: Arc<Driver>, mut asked: mpsc::Receiver<Put>) -> Result<(), Error> {
    let mut waiting = Vec::with_capacity(BATCH_ROWS);
    while asked.recv_many(&mut waiting, BATCH_ROWS).await > 0 {
        waiting.sort_unstable_by_key(|put: &Put| put.key);
        let keys = waiting.iter().map(|put| dna::modules::encode_key::<u64>(&put.key)).collect::<Vec<_>>();
        driver.put_all(&driver.batch(keys.len()), &name_of(0), &keys).await?;
        for put in waiting.drain(..) {
            // A caller that has gone away has failed, and says so itself.
            let _ = put.answer.send(());
        }
    }
    Ok(())
}

/// Reads one row of each of the names that `space` has, by callers that wait.
pub(super) async fn reads(space: &Space<'_>, callers: u64, names: u64) -> Result<Measured, Error> {
    let driver = Driver::connect(space).await?;
    load::closed_loop(callers, Amount::Untimed(names), |mut turns| {
        let driver = driver.clone();
        async move {
            while let Some(step) = turns.next() {
                if !driver.has(&name_of(turns.place(step)), u64::MAX).await? {
                    return Err(Error::Invariant("a stored name has lost its row".to_owned()));
                }
            }
            Ok(turns)
        }
    })
    .await
}

/// What is answered is stored.
fn in_place(measured: Measured) -> Measured {
    Measured { stored: Some(measured.elapsed), ..measured }
}
