//! Names whose shards are looked up: what waits for it, how long, how much, and in which order it goes on.

use std::{collections::HashMap, num::NonZeroU32, sync::Arc, time::Duration};

use dna_core::{
    Access, Actor, ActorName, ActorOptions, Actors, Authority, Call, CallError, Client, ClusterStore, Context,
    Directory, Engine, Error, Handled, Loss, Member, MemoryCluster, NodeAddress, NodeId, NodeJournals, Outcome,
    Overload, Placement, PlacingProblem, Settings, Shard, Timestamp, limits::PLACING_LOOKUPS_MAX,
};
use futures_util::{FutureExt, future::BoxFuture, poll};
use parking_lot::Mutex;
use tokio::sync::watch;

const SHARDS: NonZeroU32 = NonZeroU32::new(8).unwrap();

/// Keeps what it was sent in memory.
struct Tape(Vec<u64>);

impl Actor for Tape {
    const KIND: &'static str = "Tape";
    const OPTIONS: ActorOptions = ActorOptions::new().with_placement(Placement::Local);
    type Message = u64;
    type Reply = Vec<u64>;
    type Client = Client<Self>;

    async fn init(_: Context<Self>) -> Result<Self, Error> {
        Ok(Tape(Vec::new()))
    }

    fn access(_: &u64) -> Access {
        Access::Exclusive
    }

    async fn handle(&self, _: u64) -> Handled<Vec<u64>> {
        unreachable!("every message is exclusive")
    }

    async fn handle_mut(&mut self, number: u64) -> Handled<Vec<u64>> {
        self.0.push(number);
        Handled::done(self.0.clone())
    }
}

/// What a directory does that is asked.
#[derive(Debug, Clone)]
enum Answer {
    Later,
    Panic,
    Now(Result<Shard, CallError>),
}

/// A directory that answers when the test says so.
struct Paused {
    answer: watch::Sender<Answer>,
    asked: Mutex<HashMap<String, usize>>,
}

impl Paused {
    fn new() -> Arc<Self> {
        Arc::new(Paused { answer: watch::Sender::new(Answer::Later), asked: Mutex::default() })
    }

    fn asked(&self) -> usize {
        self.asked.lock().values().sum()
    }

    async fn until_asked(&self, times: usize) {
        while self.asked() < times {
            tokio::task::yield_now().await;
        }
    }
}

impl Directory for Paused {
    fn placement(&self, _: &str) -> Option<Placement> {
        Some(Placement::Local)
    }

    fn place(&self, actor: ActorName, _: u32) -> BoxFuture<'static, Result<Shard, CallError>> {
        *self.asked.lock().entry(actor.name().to_owned()).or_default() += 1;
        let mut answer = self.answer.subscribe();
        async move {
            let answer = answer.wait_for(|answer| !matches!(answer, Answer::Later)).await.unwrap().clone();
            let Answer::Now(answer) = answer else { panic!("it is told to") };
            answer
        }
        .boxed()
    }
}

struct Always;

impl Authority for Always {
    fn holds(&self) -> bool {
        true
    }

    fn owner(&self, _: Shard) -> Option<NodeAddress> {
        None
    }

    fn lost(&self, _: Loss) {}
}

/// A member that owns shard 5 and no other.
async fn start(settings: Settings) -> (Engine, Member, Arc<dyn NodeJournals>) {
    let (engine, member) = Engine::member(Actors::new().with::<Tape>(), settings, SHARDS).unwrap();
    let cluster = MemoryCluster::new();
    let journals = cluster.open_journals(NodeId::new(), 1, Timestamp::ZERO).await.unwrap();
    member.begin(journals.stores().to_vec(), Arc::new(Always)).await.unwrap();
    member.own(&[(Shard(5), 1)]);
    (engine, member, journals)
}

fn call(tape: &Client<Tape>, number: u64) -> Call<Tape, Vec<u64>> {
    tape.call(number, |reply| Some(Ok(reply)))
}

#[tokio::test]
async fn what_is_sent_before_the_shard_is_known_is_handled_first_and_in_its_order() {
    let (engine, _member, _journals) = start(Settings::default()).await;
    let tape = engine.client::<Tape>("a");
    let mut early = Box::pin(call(&tape, 0));
    assert!(poll!(&mut early).is_pending(), "there is no directory yet");

    let directory = Paused::new();
    engine.place_through(directory.clone());
    let mut calls = Vec::new();
    for number in 1..100 {
        if number % 3 == 0 {
            call(&tape, number).cast().await.unwrap();
        } else {
            let mut sent = Box::pin(call(&tape.clone(), number));
            assert!(poll!(&mut sent).is_pending());
            calls.push((number, sent));
        }
    }
    // The one in the middle is not wanted any more.
    let (dropped, call_50) = calls.remove(calls.iter().position(|(number, _)| *number == 50).unwrap());
    drop(call_50);
    directory.until_asked(1).await;
    directory.answer.send_replace(Answer::Now(Ok(Shard(5))));
    let last = call(&tape, 100).await.unwrap();
    assert_eq!(last, (0..=100).filter(|number| *number != dropped).collect::<Vec<_>>());
    assert_eq!(early.await.unwrap(), [0]);
    for (number, call) in calls {
        assert_eq!(call.await.unwrap().last(), Some(&number));
    }
    assert_eq!((directory.asked(), engine.stats().queued), (1, 0));
    let name = ActorName::new("default", "Tape", "a").unwrap();
    assert_eq!(engine.placed(&name), Some(Shard(5)));
    engine.passivate_all().await;
    assert_eq!(call(&engine.client::<Tape>("a"), 7).await.unwrap(), [7]);
    assert_eq!(directory.asked(), 1, "it is known for ever");
}

#[tokio::test]
async fn handles_to_one_name_ask_once_and_not_too_many_names_are_looked_up_at_once() {
    let (engine, _member, _journals) = start(Settings::default()).await;
    let directory = Paused::new();
    engine.place_through(directory.clone());
    let names = 3 * PLACING_LOOKUPS_MAX;
    let mut calls = Vec::new();
    for n in 0..names {
        for _ in 0..3 {
            let mut sent = Box::pin(call(&engine.client::<Tape>(format!("{n}")), 1));
            assert!(poll!(&mut sent).is_pending());
            calls.push(sent);
        }
    }
    directory.until_asked(PLACING_LOOKUPS_MAX).await;
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
    assert_eq!(directory.asked(), PLACING_LOOKUPS_MAX);
    directory.answer.send_replace(Answer::Now(Ok(Shard(5))));
    for call in calls {
        call.await.unwrap();
    }
    assert_eq!(directory.asked(), names);
    assert!(directory.asked.lock().values().all(|asked| *asked == 1));
}

#[tokio::test]
async fn a_lookup_that_fails_is_told_to_all_that_wait_and_tried_again_for_the_next() {
    let (engine, _member, _journals) = start(Settings::default()).await;
    let directory = Paused::new();
    engine.place_through(directory.clone());
    let tape = engine.client::<Tape>("a");
    let error = CallError::NotPlaced { actor: "a".to_owned(), problem: PlacingProblem::Unavailable };
    let mut waiting = Box::pin(call(&tape, 1));
    assert!(poll!(&mut waiting).is_pending());
    call(&tape, 2).cast().await.unwrap();
    directory.answer.send_replace(Answer::Now(Err(error.clone())));
    assert_eq!(waiting.await, Err(error));
    assert_eq!((engine.stats().dropped_casts, engine.stats().queued), (1, 0));
    directory.answer.send_replace(Answer::Panic);
    let error = call(&tape, 3).await.unwrap_err();
    assert!(matches!(error, CallError::NotPlaced { .. }), "{error:?}");
    directory.answer.send_replace(Answer::Now(Ok(Shard(5))));
    assert_eq!(call(&tape, 3).await.unwrap(), [3]);
    // One of another node is refused as such.
    directory.answer.send_replace(Answer::Now(Ok(Shard(4))));
    let error = call(&engine.client::<Tape>("b"), 3).await.unwrap_err();
    assert_eq!(error, CallError::NotOwner { owner: None });
}

#[tokio::test]
async fn what_waits_is_bounded_and_ends_by_its_deadline() {
    let mut settings = Settings::default();
    (settings.queued_messages_max, settings.mailbox_messages_max) = (4, 2);
    let (engine, _member, _journals) = start(settings).await;
    let directory = Paused::new();
    engine.place_through(directory.clone());
    let tape = engine.client::<Tape>("a");
    let late = Duration::from_millis(1_100);
    call(&tape, 1).cast().await.unwrap();
    call(&tape, 2).cast().await.unwrap();
    assert_eq!(call(&tape, 3).no_wait().await, Err(CallError::Overloaded(Overload::Mailbox)));
    let mut no_room = Box::pin(call(&tape, 4).timeout(Duration::from_millis(50)).cast());
    assert!(poll!(&mut no_room).is_pending());
    let error = no_room.await.unwrap_err();
    assert!(matches!(error, CallError::NotPlaced { problem: PlacingProblem::TimedOut, .. }), "{error:?}");
    let mut room = Box::pin(call(&tape, 5).cast());
    assert!(poll!(&mut room).is_pending(), "it waits for room");
    let mut calls = [6, 7].map(|number| Box::pin(call(&tape, number).timeout(late)));
    for call in &mut calls {
        assert!(poll!(call).is_pending(), "calls do not wait for room");
    }
    let error = call(&tape, 8).await.unwrap_err();
    assert_eq!(error, CallError::Overloaded(Overload::Node));
    for call in calls {
        let error = call.await.unwrap_err();
        assert!(matches!(error, CallError::NotPlaced { problem: PlacingProblem::TimedOut, .. }), "{error:?}");
        assert!(error.outcome() == Outcome::NotApplied && error.to_string().contains("default/Tape/a"), "{error}");
    }
    directory.answer.send_replace(Answer::Now(Ok(Shard(5))));
    room.await.unwrap();
    assert_eq!(call(&tape, 9).await.unwrap(), [1, 2, 5, 9]);
}
