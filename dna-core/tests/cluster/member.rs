//! An engine as a member: what it serves, what leaves it, and what goes on over its incarnations.

use std::{
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use bytes::Bytes;
use dna_core::{
    Access, Actor, ActorName, Actors, AttachError, Authority, Call, CallError, Client, ClusterStore, CommitError,
    Context, Engine, Error, Group, Handled, KeyRange, Loss, Member, MemoryCluster, NodeAddress, NodeId, NodeJournals,
    Outcome, Partition, ReadError, Settings, Shard, StorageModule, Store, Timestamp, testing::RequestKind,
};
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, mpsc};

pub(crate) const SHARDS: NonZeroU32 = NonZeroU32::new(8).unwrap();

struct Cell(Partition);

impl StorageModule for Cell {
    fn open(partition: Partition) -> Self {
        Cell(partition)
    }
}

#[derive(Serialize, Deserialize)]
pub(crate) enum Message {
    Add(u64),
    /// The number in memory, raised.
    Count,
    Epoch,
    /// Says that it has begun, waits, and adds.
    Hold(u64),
}

pub(crate) struct Counter {
    context: Context<Counter>,
    cell: Cell,
    count: u64,
}

static BEGUN: Mutex<Option<mpsc::UnboundedSender<()>>> = Mutex::new(None);
static GO_ON: Notify = Notify::const_new();

impl Counter {
    async fn add(&mut self, amount: u64) -> Result<u64, Error> {
        let stored = self.cell.0.get(b"n").await?;
        let total = amount + stored.map_or(0, |n| u64::from_be_bytes(n.as_ref().try_into().unwrap()));
        self.cell.0.put("n".into(), total.to_be_bytes().to_vec().into());
        Ok(total)
    }
}

impl Actor for Counter {
    const KIND: &'static str = "Counter";
    type Message = Message;
    type Reply = Result<u64, Error>;
    type Client = Client<Self>;

    async fn init(context: Context<Self>) -> Result<Self, Error> {
        Ok(Counter { cell: context.open("total")?, context, count: 0 })
    }

    fn access(_: &Message) -> Access {
        Access::Exclusive
    }

    async fn handle(&self, _: Message) -> Handled<Self::Reply> {
        unreachable!("every message is exclusive")
    }

    async fn handle_mut(&mut self, message: Message) -> Handled<Self::Reply> {
        let reply = match message {
            Message::Add(amount) => self.add(amount).await,
            Message::Count => {
                self.count += 1;
                Ok(self.count)
            }
            Message::Epoch => Ok(self.context.epoch().unwrap_or(0)),
            Message::Hold(amount) => {
                let begun = BEGUN.lock().clone();
                if let Some(begun) = begun {
                    begun.send(()).unwrap();
                }
                GO_ON.notified().await;
                self.add(amount).await
            }
        };
        match reply {
            Ok(reply) => Handled::done(Ok(reply)),
            Err(error) => Handled::failed(Err(error)),
        }
    }
}

/// A lease that the test ends, and one other node that owns all the rest.
#[derive(Default)]
pub(crate) struct Lease {
    lapsed: AtomicBool,
    other: Option<NodeAddress>,
    losses: Mutex<Vec<Loss>>,
}

impl Authority for Lease {
    fn holds(&self) -> bool {
        !self.lapsed.load(Ordering::SeqCst)
    }

    fn owner(&self, _: Shard) -> Option<NodeAddress> {
        self.other
    }

    fn lost(&self, loss: Loss) {
        self.losses.lock().push(loss);
    }
}

pub(crate) fn start() -> (Engine, Member) {
    Engine::member(Actors::new().with::<Counter>(), Settings::default(), SHARDS).unwrap()
}

/// Joins with all shards, at an epoch.
pub(crate) async fn begin(
    member: &Member,
    cluster: &MemoryCluster,
    lanes: u16,
    epoch: u64,
) -> (Arc<Lease>, Arc<dyn NodeJournals>) {
    let journals = cluster.open_journals(NodeId::new(), lanes, Timestamp::ZERO).await.unwrap();
    let lease = Arc::new(Lease::default());
    member.begin(journals.stores().to_vec(), lease.clone()).await.unwrap();
    let all: Vec<_> = (0..SHARDS.get()).map(|shard| (Shard(shard), epoch)).collect();
    member.own(&all);
    (lease, journals)
}

pub(crate) fn call(client: &Client<Counter>, message: Message) -> Call<Counter, u64, Error> {
    client.call(message, Some)
}

pub(crate) fn shard_of(name: &str) -> Shard {
    Shard::of(&ActorName::new("default", "Counter", name).unwrap(), SHARDS)
}

#[tokio::test]
async fn a_member_says_that_it_is_joining_and_then_who_owns_what_it_does_not() {
    let (engine, member) = start();
    let alice = engine.client::<Counter>("alice");
    let error = call(&alice, Message::Add(1)).await.unwrap_err();
    assert_eq!((error.outcome(), error.is_retryable(), error), (Outcome::NotApplied, true, CallError::Joining));

    let cluster = MemoryCluster::new();
    let journals = cluster.open_journals(NodeId::new(), 1, Timestamp::ZERO).await.unwrap();
    let other = NodeAddress::new(NodeId::new(), "127.0.0.9:7000".parse().unwrap());
    let lease = Arc::new(Lease { other: Some(other), ..Lease::default() });
    member.begin(journals.stores().to_vec(), lease).await.unwrap();
    let error = call(&alice, Message::Add(1)).await.unwrap_err();
    assert!(error.to_string().contains(&other.to_string()), "{error}");
    assert_eq!((error.outcome(), error.is_retryable()), (Outcome::NotApplied, true));
    assert_eq!(error, CallError::NotOwner { owner: Some(other) });
    assert_eq!(call(&alice, Message::Add(1)).cast().await, Err(CallError::NotOwner { owner: Some(other) }));

    member.own(&[(shard_of("alice"), 7)]);
    assert_eq!(call(&alice, Message::Add(1)).await.unwrap(), 1);
    assert_eq!(call(&alice, Message::Epoch).await.unwrap(), 7);
    engine.shutdown().await.unwrap();
}

#[tokio::test]
async fn no_reply_leaves_once_the_lease_has_lapsed_not_even_of_what_is_only_in_memory() {
    let (engine, member) = start();
    let (lease, _journals) = begin(&member, &MemoryCluster::new(), 1, 1).await;
    let alice = engine.client::<Counter>("alice");
    assert_eq!(call(&alice, Message::Count).await.unwrap(), 1);
    lease.lapsed.store(true, Ordering::SeqCst);
    let mut calls = [Message::Count, Message::Epoch, Message::Add(5)].map(|message| Box::pin(call(&alice, message)));
    for call in &mut calls {
        assert!(futures_util::poll!(call).is_pending());
    }
    // All of them are handled, and the last one is committed.
    while engine.stats().uncommitted_bytes > 0 || engine.stats().groups == 0 {
        tokio::task::yield_now().await;
    }
    for call in &mut calls {
        assert!(futures_util::poll!(call).is_pending());
    }
    member.drop_all(Some(Loss::LeaseLapsed)).await;
    assert_eq!(engine.stats().active, 0);
    let [count, epoch, add] = calls;
    for (call, outcome) in [(count, Outcome::NotApplied), (epoch, Outcome::NotApplied), (add, Outcome::Unknown)] {
        assert_eq!(call.await.unwrap_err(), CallError::Lost { loss: Loss::LeaseLapsed, outcome });
    }
}

#[tokio::test]
async fn a_deposed_member_says_so_and_old_handles_work_with_its_next_incarnation() {
    let (here, there) = {
        let first = MemoryCluster::new();
        (first.another(), first)
    };
    let (engine, member) = start();
    let (lease, journals) = begin(&member, &here, 2, 1).await;
    let alice = engine.client::<Counter>("alice");
    assert_eq!(call(&alice, Message::Add(1)).await.unwrap(), 1);
    there.seal_and_replay(journals.node(), 2).await.unwrap();

    let error = call(&alice, Message::Add(10)).await.unwrap_err();
    assert!(matches!(error, CallError::Lost { loss: Loss::Fenced, .. }), "{error:?}");
    assert_eq!(*lease.losses.lock(), [Loss::Fenced]);
    assert_eq!(call(&alice, Message::Add(10)).await.unwrap_err(), CallError::Joining);
    member.drop_all(Some(Loss::Fenced)).await;

    begin(&member, &here, 2, 4).await;
    assert_eq!(call(&alice, Message::Add(10)).await.unwrap(), 11);
    assert_eq!(call(&alice, Message::Epoch).await.unwrap(), 4);
    engine.shutdown().await.unwrap();
}

#[tokio::test]
async fn many_actors_over_four_lanes_keep_their_order_and_their_transactions() {
    let (engine, member) = start();
    let cluster = MemoryCluster::new();
    let (_lease, journals) = begin(&member, &cluster, 4, 1).await;
    let clients: Vec<_> = (0..40).map(|n| engine.client::<Counter>(format!("actor {n}"))).collect();
    for _ in 0..50 {
        for client in &clients {
            call(client, Message::Add(1)).cast().await.unwrap();
        }
    }
    for client in &clients {
        assert_eq!(call(client, Message::Add(0)).await.unwrap(), 50);
    }
    engine.rest().await.unwrap();
    member.drop_all(None).await;
    let replayed = cluster.seal_and_replay(journals.node(), 4).await.unwrap();
    assert!(replayed.last > Timestamp::ZERO);
    engine.shutdown().await.unwrap();

    let (engine, member) = start();
    begin(&member, &cluster, 3, 2).await;
    for n in 0..40 {
        assert_eq!(call(&engine.client::<Counter>(format!("actor {n}")), Message::Add(0)).await.unwrap(), 50);
    }
}

#[tokio::test]
async fn a_release_handles_the_casts_that_were_admitted_and_sends_back_the_calls_behind_them() {
    let cluster = MemoryCluster::new();
    let (engine, member) = start();
    let (_lease, _journals) = begin(&member, &cluster, 1, 1).await;
    let (begun, mut has_begun) = mpsc::unbounded_channel();
    *BEGUN.lock() = Some(begun);
    let alice = engine.client::<Counter>("alice");
    let mut held = Box::pin(call(&alice, Message::Hold(1)));
    assert!(futures_util::poll!(&mut held).is_pending());
    has_begun.recv().await.unwrap();
    let mut before = Box::pin(call(&alice, Message::Add(10)));
    assert!(futures_util::poll!(&mut before).is_pending());
    call(&alice, Message::Add(100)).cast().await.unwrap();
    let mut behind = Box::pin(call(&alice, Message::Add(1000)));
    assert!(futures_util::poll!(&mut behind).is_pending());

    cluster.faults().hold([RequestKind::Append]);
    let shards: Vec<_> = (0..SHARDS.get()).map(Shard).collect();
    let mut release = Box::pin(member.release(&shards));
    assert!(futures_util::poll!(&mut release).is_pending());
    assert_eq!(behind.await.unwrap_err(), CallError::NotOwner { owner: None });
    assert_eq!(call(&alice, Message::Count).await.unwrap_err(), CallError::NotOwner { owner: None });
    GO_ON.notify_one();
    cluster.faults().held(1).await;
    assert!(futures_util::poll!(&mut release).is_pending(), "a commit is under way");
    cluster.faults().release([RequestKind::Append]);
    let (held, before, ()) = tokio::join!(held, before, release);
    assert_eq!((held.unwrap(), before.unwrap()), (1, 11));
    assert_eq!((engine.stats().active, engine.stats().uncommitted_bytes), (0, 0));
    assert_eq!(engine.names_held(), 0);

    member.own(&[(shard_of("alice"), 9)]);
    assert_eq!(call(&alice, Message::Add(0)).await.unwrap(), 111);
    assert_eq!(call(&alice, Message::Epoch).await.unwrap(), 9);
}

#[tokio::test]
async fn what_ended_with_an_incarnation_is_not_kept() {
    let (engine, member) = start();
    let cluster = MemoryCluster::new();
    for round in 1..4_u64 {
        let (_lease, _journals) = begin(&member, &cluster, 1, round).await;
        for number in 0..200 {
            let counter: Client<Counter> = engine.client::<Counter>(number.to_string());
            counter.call(Message::Add(1), Some).await.unwrap();
        }
        assert!(engine.stats().cached_bytes > 0);
        member.drop_all(None).await;
        let forgotten = async {
            while engine.stats().cached_bytes > 0 {
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
        };
        let forgotten = tokio::time::timeout(std::time::Duration::from_secs(10), forgotten).await;
        forgotten.unwrap_or_else(|_| panic!("round {round}: {:?}", engine.stats()));
        assert_eq!(engine.names_held(), 0);
    }
}

/// A store may need a moment to notice that its claim was given back.
async fn a_moment(turns: &mut u32) {
    *turns += 1;
    assert!(*turns < 10_000, "a claim was not given back");
    tokio::task::yield_now().await;
}

/// Drops a beginning when so many journals are claimed, or about to be. Answers `false` where one was still in use.
async fn drop_half_way(
    cluster: &MemoryCluster,
    beginning: impl Future<Output = Result<(), AttachError>>,
    under_way: u32,
) -> bool {
    let faults = cluster.faults();
    let mut beginning = Box::pin(beginning);
    let mut is_half_way = true;
    for _ in 0..under_way {
        faults.release([RequestKind::ReadHeader]);
        faults.hold([RequestKind::ReadHeader]);
        tokio::select! {
            begun = &mut beginning => {
                assert_eq!(begun, Err(AttachError::InUse));
                is_half_way = false;
                break;
            }
            () = faults.held(1) => {}
        }
    }
    drop(beginning);
    faults.release([RequestKind::ReadHeader]);
    is_half_way
}

#[tokio::test]
async fn a_beginning_that_was_dropped_half_way_has_given_its_claims_back() {
    let cluster = MemoryCluster::new();
    let (engine, member) = start();
    let journals = cluster.open_journals(NodeId::new(), 3, Timestamp::ZERO).await.unwrap();
    let begin = || member.begin(journals.stores().to_vec(), Arc::new(Lease::default()));
    for under_way in 1..=3 {
        let mut turns = 0;
        while !drop_half_way(&cluster, begin(), under_way).await {
            a_moment(&mut turns).await;
        }
        let alice = engine.client::<Counter>("alice");
        assert_eq!(call(&alice, Message::Add(1)).await.unwrap_err(), CallError::Joining);
    }
    let mut turns = 0;
    while let Err(error) = begin().await {
        assert_eq!(error, AttachError::InUse);
        a_moment(&mut turns).await;
    }
    member.own(&[(shard_of("alice"), 1)]);
    assert_eq!(call(&engine.client::<Counter>("alice"), Message::Add(1)).await.unwrap(), 1);
}

/// A store whose commits panic.
struct Panics(Arc<dyn Store>);

impl Store for Panics {
    fn attach(&self) -> BoxFuture<'_, Result<u64, AttachError>> {
        self.0.attach()
    }

    fn detach(&self) {
        self.0.detach();
    }

    fn commit(&self, _: Arc<Group>) -> BoxFuture<'_, Result<(), CommitError>> {
        panic!("it was told to")
    }

    fn get<'a>(
        &'a self,
        actor: &'a ActorName,
        module: &'a str,
        key: &'a [u8],
    ) -> BoxFuture<'a, Result<Option<Bytes>, ReadError>> {
        self.0.get(actor, module, key)
    }

    fn scan<'a>(
        &'a self,
        actor: &'a ActorName,
        module: &'a str,
        range: &'a KeyRange,
        limit: usize,
        reverse: bool,
    ) -> BoxFuture<'a, Result<Vec<(Bytes, Bytes)>, ReadError>> {
        self.0.scan(actor, module, range, limit, reverse)
    }
}

#[tokio::test]
async fn a_member_whose_committer_panics_says_that_it_is_lost_and_can_begin_again() {
    let (engine, member) = start();
    let cluster = MemoryCluster::new();
    let journals = cluster.open_journals(NodeId::new(), 1, Timestamp::ZERO).await.unwrap();
    let stores = journals.stores().iter().map(|store| Arc::new(Panics(store.clone())) as Arc<dyn Store>).collect();
    let lease = Arc::new(Lease::default());
    member.begin(stores, lease.clone()).await.unwrap();
    member.own(&[(shard_of("alice"), 1)]);
    let alice = engine.client::<Counter>("alice");

    let error = call(&alice, Message::Add(1)).await.unwrap_err();
    assert!(matches!(error, CallError::Lost { outcome: Outcome::Unknown, .. }), "{error:?}");
    assert_eq!(*lease.losses.lock(), [Loss::Poisoned]);
    assert_eq!(call(&alice, Message::Add(1)).await.unwrap_err(), CallError::Joining);
    member.drop_all(Some(Loss::Fenced)).await;

    begin(&member, &cluster, 1, 2).await;
    assert_eq!(call(&alice, Message::Add(5)).await.unwrap(), 5);
    engine.shutdown().await.unwrap();
}
