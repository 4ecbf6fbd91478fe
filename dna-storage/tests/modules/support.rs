//! An actor that runs what a test gives it as a message of its own.

use std::sync::Arc;

use bytes::Bytes;
use dna_core::{
    Access, Actor, Actors, CallError, Client, Context, Engine, Error, Handled, Memory, Partition, Result, Settings,
    StorageModule,
};
use dna_storage::{Kv, Value};
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};

use crate::bounded_queue::BoundedQueue;

/// One module of every kind that the tests need.
pub(crate) struct Probe {
    pub(crate) lines: Kv<String, u32>,
    pub(crate) notes: Kv<(String, u64), String>,
    pub(crate) scores: Kv<i64, String>,
    pub(crate) blobs: Kv<Vec<u8>, Bytes>,
    pub(crate) unwilling: Kv<u8, Unwilling>,
    pub(crate) views: Views,
    pub(crate) count: Value<u64>,
    pub(crate) queue: BoundedQueue<String, 3>,
}

/// Several views of the same rows, as a module that was opened with the wrong types.
pub(crate) struct Views {
    pub(crate) words: Kv<String, String>,
    pub(crate) numbers: Kv<String, u32>,
    pub(crate) by_number: Kv<u32, String>,
}

impl StorageModule for Views {
    fn open(partition: Partition) -> Self {
        Views {
            words: Kv::open(partition.clone()),
            numbers: Kv::open(partition.clone()),
            by_number: Kv::open(partition),
        }
    }
}

/// A value that cannot be serialized.
#[derive(Debug, Deserialize)]
pub(crate) struct Unwilling;

impl Serialize for Unwilling {
    fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("not today"))
    }
}

type WriteScript = Box<dyn for<'a> FnOnce(&'a mut Probe) -> BoxFuture<'a, Result<()>> + Send>;
type ReadScript = Box<dyn for<'a> FnOnce(&'a Probe) -> BoxFuture<'a, Result<()>> + Send>;

/// What is handed over in the process only: the scripts are never encoded.
#[derive(Serialize, Deserialize)]
pub(crate) enum Message {
    Write(#[serde(skip)] Option<WriteScript>),
    Read(#[serde(skip)] Option<ReadScript>),
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Reply(Result<()>);

impl Actor for Probe {
    const KIND: &'static str = "probe";

    type Message = Message;
    type Reply = Reply;
    type Client = Client<Self>;

    async fn init(context: Context<Self>) -> Result<Self, Error> {
        Ok(Probe {
            lines: context.open("lines")?,
            notes: context.open("notes")?,
            scores: context.open("scores")?,
            blobs: context.open("blobs")?,
            unwilling: context.open("unwilling")?,
            views: context.open("views")?,
            count: context.open("count")?,
            queue: context.open("queue")?,
        })
    }

    fn access(message: &Message) -> Access {
        match message {
            Message::Write(_) => Access::Exclusive,
            Message::Read(_) => Access::Shared,
        }
    }

    async fn handle(&self, message: Message) -> Handled<Reply> {
        let Message::Read(Some(script)) = message else { unreachable!("a read with its script") };
        handled(script(self).await)
    }

    async fn handle_mut(&mut self, message: Message) -> Handled<Reply> {
        let Message::Write(Some(script)) = message else { unreachable!("a write with its script") };
        handled(script(self).await)
    }
}

fn handled(result: Result<()>) -> Handled<Reply> {
    if result.is_ok() { Handled::done(Reply(result)) } else { Handled::failed(Reply(result)) }
}

/// A node with one probe.
pub(crate) struct Probed {
    store: Memory,
    engine: Engine,
}

impl Probed {
    pub(crate) async fn new() -> Self {
        Probed::over(Memory::new()).await
    }

    async fn over(store: Memory) -> Self {
        let actors = Actors::new().with::<Probe>();
        let engine = Engine::start(Arc::new(store.clone()), actors, Settings::default()).await.unwrap();
        Probed { store, engine }
    }

    /// The same store, another node.
    pub(crate) async fn restart(self) -> Self {
        self.engine.shutdown().await.unwrap();
        Probed::over(self.store).await
    }

    /// Runs the script as one `&mut self` message.
    pub(crate) async fn write(
        &self,
        script: impl for<'a> FnOnce(&'a mut Probe) -> BoxFuture<'a, Result<()>> + Send + 'static,
    ) -> Result<(), CallError<Error>> {
        let client = self.engine.client::<Probe>("alice");
        client.call(Message::Write(Some(Box::new(script))), |Reply(result)| Some(result)).await
    }

    /// Runs the script as one `&self` message.
    pub(crate) async fn read(
        &self,
        script: impl for<'a> FnOnce(&'a Probe) -> BoxFuture<'a, Result<()>> + Send + 'static,
    ) -> Result<(), CallError<Error>> {
        let client = self.engine.client::<Probe>("alice");
        client.call(Message::Read(Some(Box::new(script))), |Reply(result)| Some(result)).await
    }
}
