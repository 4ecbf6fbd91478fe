//! An actor that does what its messages and its test's scripts say, in four flavours.

use std::{
    marker::PhantomData,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use dna_core::{
    Access, Actor, ActorOptions, Call, Client, Context, Error, Events, Handled, KeyRange, Partition, StorageModule,
};
use serde::{Deserialize, Serialize};

use crate::world::{Alive, Hook, World};

/// One thing that a handler or hook does. Every step adds one line to the answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Step {
    Put(String, String),
    Get(String),
    List,
    /// Reads a number, adds one, writes it, and answers it.
    Bump(String),
    /// Counts in memory and answers the count.
    Count,
    Say(String),
    Fail,
    Panic,
    /// Waits at the test's door of that name; with `Say` of the name before it does.
    Wait(String),
    /// Lets the runtime do something else in between.
    Yield,
    Call(String, Vec<Step>),
    Cast(String, Vec<Step>),
    /// Schedules a message to itself under a label, in milliseconds. `bool`: one that runs alone by its kind.
    Schedule(String, u64, bool, Vec<Step>),
    /// The repeating form.
    Every(String, u64, bool, Vec<Step>),
    Cancel(String),
    /// Schedules so many messages for a later day; answers how many were taken.
    Fill(usize),
    /// Checks that nothing runs beside this message.
    Alone,
    /// What `handle_events` does with the message.
    Treat(Treat),
}

/// What `handle_events` does with a message, in place of dispatching it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Treat {
    /// Writes `key = value` itself and answers.
    Answer(String, String),
    /// Drops it.
    Leave,
    /// Answers with the reply of another message.
    Mistake,
    /// Answers, and has the hook fail in the end.
    Fail,
    Panic,
    /// Dispatches it, and has the hook wait at a door in the end.
    Hold(String),
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Message {
    /// Runs alone.
    Run(Vec<Step>),
    /// Runs beside others.
    Look(Vec<Step>),
}

impl Message {
    fn steps(&self) -> &[Step] {
        let (Message::Run(steps) | Message::Look(steps)) = self;
        steps
    }
}

pub(crate) type Lines = Vec<Option<String>>;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Reply {
    Ran(Result<Lines, Error>),
    Looked(Result<Lines, Error>),
}

/// What differs between the types of test actors.
pub(crate) trait Flavour: Send + Sync + 'static {
    const KIND: &'static str;
    const OPTIONS: ActorOptions = ActorOptions::new();
}

pub(crate) struct Plain;
/// Has `after_persist`.
pub(crate) struct Notified;
/// Has `handle_events`.
pub(crate) struct Batched;
/// Has a small mailbox and small batches.
pub(crate) struct Tight;

impl Flavour for Plain {
    const KIND: &'static str = "Plain";
}

impl Flavour for Notified {
    const KIND: &'static str = "Notified";
    const OPTIONS: ActorOptions = ActorOptions::new().with_after_persist();
}

impl Flavour for Batched {
    const KIND: &'static str = "Batched";
    const OPTIONS: ActorOptions = ActorOptions::new().with_handle_events();
}

impl Flavour for Tight {
    const KIND: &'static str = "Tight";
    const OPTIONS: ActorOptions = ActorOptions::new().with_mailbox_messages_max(3).with_max_batch_messages(2);
}

struct Rows(Partition);

impl StorageModule for Rows {
    fn open(partition: Partition) -> Self {
        Rows(partition)
    }
}

pub(crate) struct Doll<F> {
    context: Context<Doll<F>>,
    rows: Rows,
    count: AtomicU64,
    world: Arc<World>,
    _alive: Alive,
    flavour: PhantomData<F>,
}

impl<F: Flavour> Doll<F> {
    fn name(&self) -> &str {
        self.context.name().name()
    }

    async fn handle(&self, message: Message, alone: bool) -> Result<Lines, Error> {
        let steps = message.steps().to_vec();
        let _inside = self.world.enter(self.name(), alone || steps.contains(&Step::Alone));
        self.take(steps).await
    }

    async fn take(&self, steps: Vec<Step>) -> Result<Lines, Error> {
        let mut lines = Lines::new();
        for step in steps {
            lines.push(self.step(step).await?);
        }
        Ok(lines)
    }

    async fn step(&self, step: Step) -> Result<Option<String>, Error> {
        let rows = &self.rows.0;
        match step {
            Step::Put(key, value) => rows.put(key.into(), value.into()),
            Step::Get(key) => return Ok(rows.get(key.as_bytes()).await?.map(text)),
            Step::List => {
                let rows = rows.scan(&KeyRange::all(), usize::MAX, false).await?;
                let rows = rows.into_iter().map(|(key, value)| format!("{}={}", text(key), text(value)));
                return Ok(Some(rows.collect::<Vec<_>>().join(" ")));
            }
            Step::Bump(key) => {
                let number = rows.get(key.as_bytes()).await?.map_or(0, |number| text(number).parse::<u64>().unwrap());
                let number = (number + 1).to_string();
                rows.put(key.into(), number.clone().into());
                return Ok(Some(number));
            }
            Step::Count => return Ok(Some((self.count.fetch_add(1, Ordering::Relaxed) + 1).to_string())),
            Step::Say(text) => self.world.say(text),
            Step::Fail => return Err(Error::new("told to fail")),
            Step::Panic => panic!("told to panic"),
            Step::Wait(name) => {
                self.world.say(format!("at {name}"));
                self.world.door(&name).acquire().await.unwrap().forget();
            }
            Step::Yield => tokio::task::yield_now().await,
            Step::Call(name, steps) => {
                let lines = Box::pin(run(&self.context.client::<Doll<F>>(name), steps)).await?;
                return Ok(Some(lines.into_iter().map(Option::unwrap_or_default).collect::<Vec<_>>().join(",")));
            }
            Step::Cast(name, steps) => run(&self.context.client::<Doll<F>>(name), steps).cast().await?,
            Step::Schedule(label, delay, alone, steps) => {
                let scheduled = self.context.schedule(Duration::from_millis(delay), message(alone, steps))?;
                self.world.schedules.lock().unwrap().insert(label, scheduled);
            }
            Step::Every(label, period, alone, steps) => {
                let make = move || message(alone, steps.clone());
                let scheduled = self.context.schedule_every(Duration::from_millis(period), make)?;
                self.world.schedules.lock().unwrap().insert(label, scheduled);
            }
            Step::Cancel(label) => self.world.schedules.lock().unwrap()[&label].cancel(),
            Step::Fill(count) => {
                let day = Duration::from_secs(24 * 3600);
                let taken = (0..count).take_while(|_| self.context.schedule(day, message(true, Vec::new())).is_ok());
                return Ok(Some(taken.count().to_string()));
            }
            Step::Alone | Step::Treat(_) => {}
        }
        Ok(None)
    }
}

fn message(alone: bool, steps: Vec<Step>) -> Message {
    if alone { Message::Run(steps) } else { Message::Look(steps) }
}

fn text(bytes: Bytes) -> String {
    String::from_utf8_lossy(&bytes).into_owned()
}

fn handled(result: Result<Lines, Error>, reply: fn(Result<Lines, Error>) -> Reply) -> Handled<Reply> {
    if result.is_err() { Handled::failed(reply(result)) } else { Handled::done(reply(result)) }
}

fn reply_to(message: &Message) -> fn(Result<Lines, Error>) -> Reply {
    match message {
        Message::Run(_) => Reply::Ran,
        Message::Look(_) => Reply::Looked,
    }
}

impl<F: Flavour> Actor for Doll<F> {
    const KIND: &'static str = F::KIND;
    const OPTIONS: ActorOptions = F::OPTIONS;
    type Message = Message;
    type Reply = Reply;
    type Client = Client<Self>;

    async fn init(context: Context<Self>) -> Result<Self, Error> {
        let world = World::of(context.name().namespace());
        let rows = context.open("rows")?;
        let alive = world.live();
        let doll = Doll { context, rows, count: AtomicU64::new(0), world, _alive: alive, flavour: PhantomData };
        let _inside = doll.world.enter(doll.name(), true);
        let steps = doll.world.script(Hook::Init, doll.name());
        doll.take(steps).await?;
        drop(_inside);
        Ok(doll)
    }

    fn access(message: &Message) -> Access {
        match message {
            Message::Run(_) => Access::Exclusive,
            Message::Look(_) => Access::Shared,
        }
    }

    async fn handle(&self, message: Message) -> Handled<Reply> {
        let reply = reply_to(&message);
        handled(Doll::handle(self, message, false).await, reply)
    }

    async fn handle_mut(&mut self, message: Message) -> Handled<Reply> {
        let reply = reply_to(&message);
        handled(Doll::handle(self, message, true).await, reply)
    }

    async fn after_persist(&self) {
        let _inside = self.world.enter(self.name(), true);
        let steps = self.world.script(Hook::Persisted, self.name());
        self.take(steps).await.unwrap();
    }

    async fn handle_events(&mut self, events: Events<Self>) -> Result<(), Error> {
        self.world.say(format!("batch of {}", events.len()));
        let mut fail = false;
        let mut door = None;
        for event in events {
            let reply = reply_to(&event.message);
            let Some(Step::Treat(treat)) = event.message.steps().first().cloned() else {
                event.dispatch(self).await;
                continue;
            };
            match treat {
                Treat::Answer(key, value) => {
                    self.rows.0.put(key.into(), value.into());
                    event.answer(reply(Ok(vec![Some("answered".into())])));
                }
                Treat::Leave => drop(event),
                Treat::Mistake => event.answer(Reply::Looked(Ok(Vec::new()))),
                Treat::Fail => {
                    event.answer(reply(Ok(Vec::new())));
                    fail = true;
                }
                Treat::Panic => panic!("told to panic"),
                Treat::Hold(name) => {
                    event.dispatch(self).await;
                    door = Some(name);
                }
            }
        }
        if let Some(name) = door {
            self.step(Step::Wait(name)).await?;
        }
        if fail { Err(Error::new("told to fail")) } else { Ok(()) }
    }

    async fn on_stop(&mut self) {
        let _inside = self.world.enter(self.name(), true);
        let steps = self.world.script(Hook::Stop, self.name());
        self.take(steps).await.unwrap();
    }
}

/// A call that runs alone.
pub(crate) fn run<F: Flavour>(client: &Client<Doll<F>>, steps: Vec<Step>) -> Call<Doll<F>, Lines, Error> {
    client.call(Message::Run(steps), |reply| match reply {
        Reply::Ran(result) => Some(result),
        Reply::Looked(_) => None,
    })
}

/// A call that runs beside others.
pub(crate) fn look<F: Flavour>(client: &Client<Doll<F>>, steps: Vec<Step>) -> Call<Doll<F>, Lines, Error> {
    client.call(Message::Look(steps), |reply| match reply {
        Reply::Looked(result) => Some(result),
        Reply::Ran(_) => None,
    })
}

pub(crate) fn put(key: &str, value: &str) -> Step {
    Step::Put(key.to_owned(), value.to_owned())
}

pub(crate) fn get(key: &str) -> Step {
    Step::Get(key.to_owned())
}

pub(crate) fn bump(key: &str) -> Step {
    Step::Bump(key.to_owned())
}

pub(crate) fn say(text: &str) -> Step {
    Step::Say(text.to_owned())
}

pub(crate) fn wait(door: &str) -> Step {
    Step::Wait(door.to_owned())
}

pub(crate) fn cast(name: &str, steps: Vec<Step>) -> Step {
    Step::Cast(name.to_owned(), steps)
}

pub(crate) fn line(text: &str) -> Option<String> {
    Some(text.to_owned())
}
