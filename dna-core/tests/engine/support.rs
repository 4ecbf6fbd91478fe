//! An actor that does what its messages say, so that a test spells out exactly what a handler does.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, Mutex},
    time::Duration,
};

use bytes::Bytes;
use dna_core::{
    Access, Actor, Actors, Call, Client, Context, Engine, Error, Handled, KeyRange, Memory, Partition, Settings,
    StorageModule,
};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

/// One thing that a handler does. Every step adds one line to the reply.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Step {
    Put(String, String),
    PutBytes(usize, usize),
    Delete(String),
    DeleteAll,
    Get(String),
    List,
    /// Counts in memory and answers the count.
    Count,
    /// Answers the error of the handler.
    Fail,
    Panic,
    /// Waits until the test opens the door of that name.
    Wait(String),
    Call(String, Vec<Step>),
    Cast(String, Vec<Step>),
    /// Schedules a message to itself, in milliseconds.
    Schedule(u64, Vec<Step>),
    /// Writes from a task that is no part of the handler; answers whether that panicked.
    PutElsewhere,
    /// Writes to, deletes in, and lists the actor's second module.
    PutMore(String, String),
    DeleteAllMore,
    ListMore,
    /// Deletes the keys from the first (inclusive) to the second (exclusive).
    DeleteRange(String, String),
    /// Answers how far `Count` has counted.
    Seen,
    /// Writes the number down; fails unless it follows the one before it.
    Number(u64),
    /// Keeps a word in memory; answers them all.
    Note(String),
    Notes,
    /// Lets the test know that the handler has come here.
    Ring(String),
    /// Waits at a door and blocks the thread meanwhile, so that the handler does not suspend.
    Block(String),
    /// Calls within so many milliseconds, and answers what came of it.
    Try(u64, String, Vec<Step>),
    /// Casts without waiting for room.
    CastNoWait(String, Vec<Step>),
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Message {
    /// Runs alone.
    Run { steps: Vec<Step> },
    /// Runs beside others.
    Look { steps: Vec<Step> },
}

pub(crate) type Lines = Vec<Option<String>>;
pub(crate) type Reply = Result<Lines, Error>;

/// The rows of the test actor.
#[derive(Clone)]
struct Rows(Partition);

impl StorageModule for Rows {
    fn open(partition: Partition) -> Self {
        Rows(partition)
    }
}

impl Rows {
    async fn list(&self) -> Result<String, Error> {
        let rows = self.0.scan(&KeyRange::all(), usize::MAX, false).await?;
        let rows = rows.into_iter().map(|(key, value)| format!("{}={}", text(key), text(value)));
        Ok(rows.collect::<Vec<_>>().join(" "))
    }
}

pub(crate) struct Puppet {
    context: Context<Puppet>,
    rows: Rows,
    more: Rows,
    count: u64,
    notes: Mutex<Vec<String>>,
}

static DOORS: LazyLock<Mutex<HashMap<String, Arc<Semaphore>>>> = LazyLock::new(Mutex::default);

fn door(name: &str) -> Arc<Semaphore> {
    DOORS.lock().unwrap().entry(name.to_owned()).or_insert_with(|| Arc::new(Semaphore::new(0))).clone()
}

/// Lets every handler through that waits, or will wait, at the door of that name.
pub(crate) fn open(name: &str) {
    door(name).add_permits(Semaphore::MAX_PERMITS / 2);
}

/// Waits until a handler has rung the bell of that name, or has come to its door: once for each time.
pub(crate) async fn heard(name: &str) {
    bell(name).acquire().await.unwrap().forget();
}

fn bell(name: &str) -> Arc<Semaphore> {
    door(&format!("bell of {name}"))
}

impl Puppet {
    async fn take(&self, steps: Vec<Step>, mut count: u64) -> Reply {
        let mut lines = Lines::new();
        for step in steps {
            lines.push(match step {
                Step::Put(key, value) => {
                    self.rows.0.put(key.into(), value.into());
                    None
                }
                Step::PutBytes(key, value) => {
                    self.rows.0.put(Bytes::from(vec![7; key]), Bytes::from(vec![8; value]));
                    None
                }
                Step::Delete(key) => {
                    self.rows.0.delete(key.into());
                    None
                }
                Step::DeleteAll => {
                    self.rows.0.delete_range(KeyRange::all());
                    None
                }
                Step::Get(key) => self.rows.0.get(key.as_bytes()).await?.map(text),
                Step::List => Some(self.rows.list().await?),
                Step::Count => {
                    count += 1;
                    Some(count.to_string())
                }
                Step::Fail => return Err(Error::new("told to fail")),
                Step::Panic => panic!("told to panic"),
                Step::Wait(name) => {
                    bell(&name).add_permits(1);
                    door(&name).acquire().await.unwrap().forget();
                    None
                }
                Step::Ring(name) => {
                    bell(&name).add_permits(1);
                    None
                }
                Step::Block(name) => {
                    bell(&name).add_permits(1);
                    let door = door(&name);
                    let wait =
                        || tokio::runtime::Handle::current().block_on(async { door.acquire().await.unwrap().forget() });
                    tokio::task::block_in_place(wait);
                    None
                }
                Step::PutMore(key, value) => {
                    self.more.0.put(key.into(), value.into());
                    None
                }
                Step::DeleteAllMore => {
                    self.more.0.delete_range(KeyRange::all());
                    None
                }
                Step::ListMore => Some(self.more.list().await?),
                Step::DeleteRange(start, end) => {
                    self.rows.0.delete_range(KeyRange { start: start.into(), end: Some(end.into()) });
                    None
                }
                Step::Seen => Some(count.to_string()),
                Step::Number(number) => {
                    let last = self.rows.0.get(b"last").await?.map_or(0, |last| text(last).parse().unwrap());
                    if number != last + 1 {
                        return Err(Error::new(format!("{number} came behind {last}")));
                    }
                    self.rows.0.put("last".into(), number.to_string().into());
                    None
                }
                Step::Note(word) => {
                    self.notes.lock().unwrap().push(word);
                    None
                }
                Step::Notes => Some(self.notes.lock().unwrap().join(" ")),
                Step::Try(milliseconds, name, steps) => {
                    let client = self.context.client::<Puppet>(name);
                    let call = run(&client, steps).timeout(Duration::from_millis(milliseconds));
                    Some(format!("{:?}", Box::pin(call).await))
                }
                Step::CastNoWait(name, steps) => {
                    run(&self.context.client::<Puppet>(name), steps).no_wait().cast().await?;
                    None
                }
                Step::Call(name, steps) => {
                    let client = self.context.client::<Puppet>(name);
                    let lines = Box::pin(run(&client, steps)).await?;
                    Some(lines.into_iter().map(|line| line.unwrap_or_default()).collect::<Vec<_>>().join(","))
                }
                Step::Cast(name, steps) => {
                    run(&self.context.client::<Puppet>(name), steps).cast().await?;
                    None
                }
                Step::Schedule(milliseconds, steps) => {
                    self.context.schedule(Duration::from_millis(milliseconds), Message::Run { steps })?;
                    None
                }
                Step::PutElsewhere => {
                    let rows = self.rows.clone();
                    let put = tokio::spawn(async move { rows.0.put("elsewhere".into(), "x".into()) });
                    Some(put.await.is_err().to_string())
                }
            });
        }
        Ok(lines)
    }
}

fn text(bytes: Bytes) -> String {
    String::from_utf8_lossy(&bytes).into_owned()
}

impl Actor for Puppet {
    const KIND: &'static str = "Puppet";
    type Message = Message;
    type Reply = Reply;
    type Client = Client<Self>;

    async fn init(context: Context<Self>) -> Result<Self, Error> {
        let rows = context.open("rows")?;
        let more = context.open("more")?;
        Ok(Puppet { context, rows, more, count: 0, notes: Mutex::default() })
    }

    fn access(message: &Message) -> Access {
        match message {
            Message::Run { .. } => Access::Exclusive,
            Message::Look { .. } => Access::Shared,
        }
    }

    async fn handle(&self, message: Message) -> Handled<Reply> {
        let (Message::Run { steps } | Message::Look { steps }) = message;
        handled(self.take(steps, self.count).await)
    }

    async fn handle_mut(&mut self, message: Message) -> Handled<Reply> {
        let (Message::Run { steps } | Message::Look { steps }) = message;
        self.count += steps.iter().filter(|step| **step == Step::Count).count() as u64;
        let before = self.count - steps.iter().filter(|step| **step == Step::Count).count() as u64;
        handled(self.take(steps, before).await)
    }
}

fn handled(reply: Reply) -> Handled<Reply> {
    if reply.is_err() { Handled::failed(reply) } else { Handled::done(reply) }
}

/// A call that runs alone.
pub(crate) fn run(client: &Client<Puppet>, steps: Vec<Step>) -> Call<Puppet, Lines, Error> {
    client.call(Message::Run { steps }, Some)
}

/// A call that runs beside others.
pub(crate) fn look(client: &Client<Puppet>, steps: Vec<Step>) -> Call<Puppet, Lines, Error> {
    client.call(Message::Look { steps }, Some)
}

pub(crate) fn put(key: &str, value: &str) -> Step {
    Step::Put(key.to_owned(), value.to_owned())
}

pub(crate) fn get(key: &str) -> Step {
    Step::Get(key.to_owned())
}

pub(crate) fn line(text: &str) -> Option<String> {
    Some(text.to_owned())
}

pub(crate) async fn start(memory: &Memory) -> Engine {
    start_with(memory, Settings::default()).await
}

pub(crate) async fn start_with(memory: &Memory, settings: Settings) -> Engine {
    Engine::start(Arc::new(memory.clone()), Actors::new().with::<Puppet>(), settings).await.unwrap()
}

pub(crate) fn puppet(engine: &Engine, name: &str) -> Client<Puppet> {
    engine.client::<Puppet>(name)
}
