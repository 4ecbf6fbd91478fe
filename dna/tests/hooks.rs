//! The hooks of an actor, its schedules and its options, through the macro: with messages moved, and with messages
//! encoded.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::{sync::LazyLock, time::Duration};

use dna::{CallError, Overload, Scheduled, StartError, prelude::*};
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

/// What actors have noted, in order: (actor, what).
static NOTES: LazyLock<watch::Sender<Vec<(String, String)>>> = LazyLock::new(watch::Sender::default);

fn note<A>(ctx: &Context<A>, what: impl ToString) {
    NOTES.send_modify(|notes| notes.push((ctx.name().name().to_owned(), what.to_string())));
}

fn noted(actor: &str) -> Vec<String> {
    NOTES.borrow().iter().filter(|(of, _)| of == actor).map(|(_, what)| what.clone()).collect()
}

/// Waits until the actor has noted so many things.
async fn notes(actor: &str, count: usize) -> Vec<String> {
    let mut notes = NOTES.subscribe();
    notes.wait_for(|notes| notes.iter().filter(|(of, _)| of == actor).count() >= count).await.unwrap();
    noted(actor)
}

/// Keeps the lines of a diary, and notes what its hooks are called for.
struct Diary {
    lines: Kv<u32, String>,
    starts: Value<u32>,
    ctx: Context,
}

#[dna::actor(name = "diary", vis = pub(crate))]
impl Diary {
    async fn init(ctx: Context) -> dna::Result<Self> {
        let mut diary = Diary { lines: ctx.open("lines")?, starts: ctx.open("starts")?, ctx };
        diary.starts.update(|starts| starts.unwrap_or(0) + 1).await?;
        note(&diary.ctx, "init");
        Ok(diary)
    }

    pub async fn write(&mut self, line: String) -> dna::Result<()> {
        let next = self.lines.list().reverse().limit(1).await?.first().map_or(0, |(number, _)| number + 1);
        self.lines.put(next, line);
        Ok(())
    }

    pub async fn lines(&self) -> dna::Result<Vec<String>> {
        Ok(self.lines.list().await?.into_iter().map(|(_, line)| line).collect())
    }

    pub async fn starts(&self) -> dna::Result<Option<u32>> {
        self.starts.get().await
    }

    pub fn kind(&self) -> String {
        self.ctx.name().kind().to_owned()
    }

    async fn after_persist(&self) {
        note(&self.ctx, "after_persist");
    }

    async fn on_stop(&mut self) {
        note(&self.ctx, "on_stop");
        self.write("the end".to_owned()).await.unwrap();
    }
}

/// Adds up whole batches. Every third message of a batch is handled by its own method, every zero is left without an
/// answer.
struct Sum {
    total: Value<u64>,
    ctx: Context,
}

#[dna::actor(max_batch_messages = 4, mailbox_messages_max = 6)]
impl Sum {
    async fn init(ctx: Context) -> dna::Result<Self> {
        Ok(Sum { total: ctx.open("total")?, ctx })
    }

    pub async fn add(&mut self, amount: u64) -> dna::Result<u64> {
        let total = self.total.update(|total| total.unwrap_or(0) + amount).await?;
        if amount == 13 { Err(dna::Error::new("not thirteen")) } else { Ok(total) }
    }

    pub async fn spoil(&mut self) {}

    async fn handle_events(&mut self, events: Events<Self>) -> dna::Result<()> {
        note(&self.ctx, events.len());
        let mut spoiled = false;
        for (index, event) in events.enumerate() {
            match event.message {
                SumMessage::Add { amount: 0 } => {}
                SumMessage::Add { amount } if index % 3 != 2 && amount != 13 => {
                    let total = self.total.update(|total| total.unwrap_or(0) + amount).await?;
                    event.answer(SumReply::Add(Ok(total)));
                }
                SumMessage::Spoil => spoiled = true,
                SumMessage::Add { .. } => event.dispatch(self).await,
            }
        }
        if spoiled { Err(dna::Error::new("spoiled")) } else { Ok(()) }
    }
}

/// Rings by itself.
struct Clock {
    ctx: Context<Self>,
    rings: Value<u32>,
    every: Option<Scheduled>,
}

#[dna::actor]
impl Clock {
    async fn init(ctx: Context<Self>) -> dna::Result<Self> {
        Ok(Clock { rings: ctx.open("rings")?, every: None, ctx })
    }

    pub async fn ring_in(&mut self, millis: u64) -> dna::Result<()> {
        self.ctx.schedule(Duration::from_millis(millis), ClockMessage::Ring)?;
        Ok(())
    }

    /// Schedules, and fails.
    pub async fn ring_never(&mut self, millis: u64) -> dna::Result<()> {
        self.ring_in(millis).await?;
        Err(dna::Error::new("on second thoughts"))
    }

    pub async fn ring_every(&mut self, millis: u64) -> dna::Result<()> {
        self.every = Some(self.ctx.schedule_every(Duration::from_millis(millis), || ClockMessage::Ring)?);
        Ok(())
    }

    pub fn stop(&mut self) {
        if let Some(every) = self.every.take() {
            every.cancel();
            assert!(every.is_over());
        }
    }

    pub async fn ring(&mut self) -> dna::Result<()> {
        let rings = self.rings.update(|rings| rings.unwrap_or(0) + 1).await?;
        note(&self.ctx, rings);
        Ok(())
    }

    pub async fn rings(&self) -> dna::Result<u32> {
        Ok(self.rings.get().await?.unwrap_or(0))
    }
}

/// Hands a ball on to others by name.
struct Player {
    ctx: Context,
}

#[dna::actor]
impl Player {
    fn init(ctx: Context) -> dna::Result<Self> {
        Ok(Player { ctx })
    }

    /// Who has had the ball, if everybody hands it on to the next.
    pub async fn pass(&self, mut to: Vec<String>) -> dna::Result<Vec<String>> {
        let own = self.ctx.name().name().to_owned();
        let Some(next) = to.pop() else { return Ok(vec![own]) };
        let mut had = self.ctx.client::<Player>(next).pass(to).await?;
        had.push(own);
        Ok(had)
    }
}

/// What is written in one way and read in another.
#[derive(Deserialize)]
struct Crooked(#[expect(dead_code, reason = "only its way over the wire counts")] u32);

impl Serialize for Crooked {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("crooked")
    }
}

struct Careless;

#[dna::actor]
impl Careless {
    fn init(_: Context) -> dna::Result<Self> {
        Ok(Careless)
    }

    pub fn take(&mut self, crooked: Crooked) {
        drop(crooked);
    }

    pub fn give(&self) -> Crooked {
        Crooked(1)
    }
}

async fn start(store: &Memory, encode: bool) -> Result<Node, StartError> {
    let builder = Node::builder().store(store.clone()).encode_messages(encode);
    builder.actor::<Diary>().actor::<Sum>().actor::<Clock>().actor::<Player>().actor::<Careless>().start().await
}

#[tokio::test]
async fn init_runs_for_every_activation_and_its_writes_stand() {
    for encode in [false, true] {
        let (store, name) = (Memory::new(), format!("init-{encode}"));
        let node = start(&store, encode).await.unwrap();
        let diary = node.client::<Diary>(name.as_str());
        assert_eq!(noted(&name), [""; 0], "a client alone starts nothing");
        assert_eq!(diary.starts().await.unwrap(), Some(1));
        assert_eq!(diary.kind().await.unwrap(), "diary");
        node.passivate_all().await;
        assert_eq!(diary.starts().await.unwrap(), Some(2));
        node.shutdown().await.unwrap();
        let node = start(&store, encode).await.unwrap();
        assert_eq!(node.client::<Diary>(name.as_str()).starts().await.unwrap(), Some(3));
        assert_eq!(noted(&name).iter().filter(|what| *what == "init").count(), 3);
    }
}

#[tokio::test]
async fn after_persist_follows_the_commit_and_one_call_may_stand_for_several() {
    for encode in [false, true] {
        let (store, name) = (Memory::new(), format!("persist-{encode}"));
        let node = start(&store, encode).await.unwrap();
        let diary = node.client::<Diary>(name.as_str());
        store.faults().hold_commits();
        let write = tokio::spawn({
            let diary = diary.clone();
            async move { join_all((0..10).map(|line| diary.write(line.to_string()))).await }
        });
        store.faults().commits_waiting(1).await;
        assert_eq!(noted(&name), ["init"], "nothing is persisted yet");
        store.faults().release_commits();
        assert!(write.await.unwrap().iter().all(Result::is_ok));
        let notes = notes(&name, 2).await;
        assert!(notes[1..].iter().all(|what| what == "after_persist") && notes.len() < 10, "{notes:?}");
    }
}

#[tokio::test]
async fn on_stop_runs_before_passivation_and_shutdown_and_its_writes_stand() {
    for encode in [false, true] {
        let (store, name) = (Memory::new(), format!("stop-{encode}"));
        let node = start(&store, encode).await.unwrap();
        let diary = node.client::<Diary>(name.as_str());
        diary.write("one").await.unwrap();
        node.passivate_all().await;
        diary.write("two").await.unwrap();
        node.shutdown().await.unwrap();
        assert_eq!(noted(&name).iter().filter(|what| *what == "on_stop").count(), 2);
        let node = start(&store, encode).await.unwrap();
        let lines = node.client::<Diary>(name.as_str()).lines().await.unwrap();
        assert_eq!(lines, ["one", "the end", "two", "the end"]);
    }
}

#[tokio::test]
async fn a_batch_is_answered_by_the_hook_or_handed_back_to_the_methods() {
    for encode in [false, true] {
        let (store, name) = (Memory::new(), format!("batch-{encode}"));
        let node = start(&store, encode).await.unwrap();
        let sum = node.client::<Sum>(name.as_str());
        let answers = join_all([1, 2, 3, 0].map(|amount| sum.add(amount))).await;
        assert_eq!(noted(&name), ["4"], "one batch");
        assert_eq!(answers[..3].iter().map(|answer| answer.clone().unwrap()).collect::<Vec<_>>(), [1, 3, 6]);
        assert_eq!(answers[3], Err(CallError::Unanswered));
        assert_eq!(answers[3].clone().unwrap_err().outcome(), Outcome::Unknown);

        let answers = join_all([1, 13, 2].map(|amount| sum.add(amount))).await;
        assert!(matches!(answers[1], Err(CallError::Handler { .. })), "{:?}", answers[1]);
        assert_eq!((answers[0].clone().unwrap(), answers[2].clone().unwrap()), (7, 9), "its neighbours stand");
        assert_eq!(sum.add(1).await.unwrap(), 10);
    }
}

#[tokio::test]
async fn a_hook_that_fails_fails_its_whole_batch_and_leaves_nothing_of_it() {
    for encode in [false, true] {
        let store = Memory::new();
        let node = start(&store, encode).await.unwrap();
        let sum = node.client::<Sum>(format!("spoiled-{encode}"));
        sum.add(5).await.unwrap();
        let (added, spoiled) = tokio::join!(sum.add(7), sum.spoil());
        for error in
            [added.unwrap_err().map_handler_error(drop), spoiled.unwrap_err().map_handler_error(|e| match e {})]
        {
            assert!(matches!(&error, CallError::Batch { error, .. } if error.to_string() == "spoiled"), "{error:?}");
            assert_eq!(error.outcome(), Outcome::NotApplied);
        }
        assert_eq!(sum.add(1).await.unwrap(), 6);
    }
}

#[tokio::test]
async fn the_options_bound_the_batches_and_the_mailbox() {
    let node = start(&Memory::new(), false).await.unwrap();
    let sum = node.client::<Sum>("options");
    // All of these are sent before the actor has its turn.
    let answers = join_all((1..=8).map(|amount| sum.add(amount).no_wait())).await;
    assert!(answers[..6].iter().all(Result::is_ok), "{answers:?}");
    for refused in &answers[6..] {
        let refused = refused.clone().unwrap_err();
        assert_eq!(refused, CallError::Overloaded(Overload::Mailbox));
        assert!(refused.is_retryable() && refused.to_string().contains("mailbox_messages_max"), "{refused}");
    }
    assert_eq!(noted("options"), ["4", "2"]);
    let answers = join_all((20..40).map(|amount| sum.add(amount))).await;
    assert!(answers.iter().all(Result::is_ok), "the others wait for room");
}

#[tokio::test(start_paused = true)]
async fn scheduled_messages_ring_once_or_again_and_again_until_they_are_cancelled() {
    for encode in [false, true] {
        let node = start(&Memory::new(), encode).await.unwrap();
        let name = format!("clock-{encode}");
        let clock = node.client::<Clock>(name.as_str());
        clock.ring_in(50).await.unwrap();
        assert_eq!(clock.rings().await.unwrap(), 0);
        assert_eq!(notes(&name, 1).await, ["1"]);
        clock.ring_every(50).await.unwrap();
        assert_eq!(notes(&name, 5).await, ["1", "2", "3", "4", "5"]);
        clock.stop().await.unwrap();
        let rings = clock.rings().await.unwrap();
        // The clock is virtual: this is the next thing to happen, if nothing rings before.
        clock.ring_in(5_000).await.unwrap();
        notes(&name, rings as usize + 1).await;
        assert_eq!(clock.rings().await.unwrap(), rings + 1);
        node.shutdown().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_rolled_back_message_scheduled_is_never_sent_and_a_passivated_actor_has_no_schedule() {
    let node = start(&Memory::new(), false).await.unwrap();
    let clock = node.client::<Clock>("never");
    clock.ring_never(10).await.unwrap_err();
    clock.ring_in(10).await.unwrap();
    node.passivate_all().await;
    clock.ring_in(5_000).await.unwrap();
    assert_eq!(notes("never", 1).await, ["1"], "the last one");
    assert_eq!(clock.rings().await.unwrap(), 1);
}

#[tokio::test]
async fn actors_call_each_other_and_a_circle_is_an_error_at_once() {
    for encode in [false, true] {
        let node = start(&Memory::new(), encode).await.unwrap();
        let player = node.client::<Player>("a");
        let to = |names: [&str; 3]| names.map(str::to_owned).to_vec();
        assert_eq!(player.pass(to(["d", "c", "b"])).await.unwrap(), ["d", "c", "b", "a"]);
        let error = player.pass(to(["d", "a", "b"])).await.unwrap_err();
        assert!(error.to_string().contains("comes back to an actor"), "{error}");
    }
}

#[tokio::test]
async fn what_does_not_survive_the_wire_shows_where_messages_are_encoded() {
    let node = start(&Memory::new(), false).await.unwrap();
    let careless = node.client::<Careless>("a");
    careless.take(Crooked(1)).await.unwrap();
    careless.give().await.unwrap();

    let node = start(&Memory::new(), true).await.unwrap();
    let careless = node.client::<Careless>("a");
    let error = careless.take(Crooked(1)).await.unwrap_err();
    assert!(matches!(error, CallError::Codec { outcome: Outcome::NotApplied, .. }), "{error:?}");
    let error = careless.give().await.err().unwrap();
    assert!(matches!(error, CallError::Codec { outcome: Outcome::Unknown, .. }), "{error:?}");
}
