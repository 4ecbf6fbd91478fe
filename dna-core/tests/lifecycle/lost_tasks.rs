//! Tasks that are gone without having come to rest: something of the user's panics as it is dropped, or the node's
//! runtime is shut down under it.

use std::{
    future::poll_fn,
    sync::{Arc, Mutex},
    task::Poll,
    time::Duration,
};

use bytes::Bytes;
use dna_core::{
    Access, Actor, ActorOptions, Actors, Call, CallError, Client, Context, Engine, Error, Handled, Memory, Partition,
    Settings, StorageModule, limits::LINGERING_TASKS_MAX,
};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use crate::{
    support::{Step, get, line, look, put, run, wait},
    world::{Hook, World, answered, begin, doll, until},
};

#[tokio::test]
async fn an_actor_that_panics_as_it_is_dropped_does_not_block_its_name() {
    let world = World::new();
    let engine = world.start(&Memory::new()).await;
    let alice = doll(&engine, "alice");
    run(&alice, vec![put("a", "1")]).await.unwrap();
    world.panic_on_drop();
    let panicked = begin(run(&alice, vec![put("a", "2"), Step::Panic])).await;
    answered(panicked).await.unwrap_err();
    assert_eq!(run(&alice, vec![get("a"), Step::Count]).await.unwrap(), [line("1"), line("1")]);
    world.panic_on_drop();
    engine.passivate_all().await;
    assert_eq!(run(&alice, vec![get("a"), Step::Count]).await.unwrap(), [line("1"), line("1")]);
    world.panic_on_drop();
    world.on(Hook::Stop, |_| vec![Step::Panic]);
    engine.passivate_all().await;
    until("nothing is left", || engine.names_held() == 0).await;
    engine.shutdown().await.unwrap();
}

#[test]
fn every_caller_is_answered_when_the_runtime_of_the_node_is_shut_down_under_it() {
    let runtime = || tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap();
    let (own, others) = (runtime(), runtime());
    let world = World::new();
    let memory = Memory::new();
    let engine = own.block_on(world.start(&memory));
    let alice = doll(&engine, "alice");
    let bob = doll(&engine, "bob");
    others.block_on(async {
        let mut callers = vec![begin(run(&alice, vec![wait("never")])).await];
        callers.push(begin(look(&bob, vec![wait("never")])).await);
        until("they are at work", || world.times("at never") == 2).await;
        callers.push(begin(run(&alice, vec![])).await);
        memory.faults().hold_commits();
        callers.push(begin(run(&doll(&engine, "carol"), vec![put("a", "1")])).await);
        memory.faults().commits_waiting(1).await;
        let down = std::thread::spawn(|| own.shutdown_timeout(Duration::from_secs(10)));
        for caller in callers {
            let error = answered(caller).await.unwrap_err();
            assert!(matches!(error, CallError::Stopped { .. }), "{error:?}");
        }
        let error = run(&doll(&engine, "dave"), vec![]).await.unwrap_err();
        assert!(matches!(error, CallError::Stopped { .. }), "{error:?}");
        down.join().unwrap();
        until("every actor is dropped", || world.alive() == 0).await;
        memory.faults().release_commits();
        let engine = world.start(&memory).await;
        run(&doll(&engine, "alice"), vec![]).await.unwrap();
    });
}

#[tokio::test(start_paused = true)]
async fn a_node_ends_for_all_where_an_actor_panics_as_it_is_dropped() {
    let world = World::new();
    let memory = Memory::new();
    let engine = world.start(&memory).await;
    for name in 0..4 {
        run(&doll(&engine, &name.to_string()), vec![]).await.unwrap();
        world.panic_on_drop();
    }
    // Their tasks end meanwhile, and leave the actors to the node.
    tokio::time::sleep(Duration::from_secs(2)).await;
    memory.faults().hold_commits();
    let mut callers = Vec::new();
    for name in 4..12 {
        callers.push(begin(run(&doll(&engine, &name.to_string()), vec![put("a", "1")])).await);
    }
    memory.faults().commits_waiting(1).await;
    drop(engine);
    for caller in callers {
        let error = caller.await.unwrap().unwrap_err();
        assert!(matches!(error, CallError::Stopped { .. }), "{error:?}");
    }
    memory.faults().release_commits();
    world.start(&memory).await.shutdown().await.unwrap();
}

/// Panics when it is dropped before it was defused.
#[derive(Serialize, Deserialize)]
struct Bomb(bool);

impl Drop for Bomb {
    fn drop(&mut self) {
        assert!(!self.0, "told to panic when dropped");
    }
}

#[derive(Serialize, Deserialize)]
enum Order {
    /// Writes, and answers a bomb.
    Put(Bomb),
    /// Writes, and casts a bomb to the actor of that name, if its mailbox has room.
    Send(String),
    /// Never ends.
    Stay,
}

/// An actor with room for one message.
struct Courier {
    context: Context<Courier>,
    rows: Rows,
}

struct Rows(Partition);

impl StorageModule for Rows {
    fn open(partition: Partition) -> Self {
        Rows(partition)
    }
}

impl Actor for Courier {
    const KIND: &'static str = "Courier";
    const OPTIONS: ActorOptions = ActorOptions::new().with_mailbox_messages_max(1);
    type Message = Order;
    type Reply = Bomb;
    type Client = Client<Self>;

    async fn init(context: Context<Self>) -> Result<Self, Error> {
        let rows = context.open("rows")?;
        Ok(Courier { context, rows })
    }

    fn access(_: &Order) -> Access {
        Access::Exclusive
    }

    async fn handle(&self, order: Order) -> Handled<Bomb> {
        self.rows.0.put(Bytes::from_static(b"a"), Bytes::from_static(b"1"));
        match order {
            Order::Put(bomb) => return Handled::done(bomb),
            Order::Send(name) => {
                let sent = order_from(&self.context.client::<Courier>(name), Order::Put(Bomb(true)));
                sent.no_wait().cast().await.unwrap();
            }
            Order::Stay => std::future::pending().await,
        }
        Handled::done(Bomb(false))
    }

    async fn handle_mut(&mut self, order: Order) -> Handled<Bomb> {
        self.handle(order).await
    }
}

fn order_from(client: &Client<Courier>, order: Order) -> Call<Courier, ()> {
    client.call(order, |reply| {
        std::mem::forget(reply);
        Some(Ok(()))
    })
}

async fn couriers(memory: &Memory) -> Engine {
    Engine::start(Arc::new(memory.clone()), Actors::new().with::<Courier>(), Settings::default()).await.unwrap()
}

#[tokio::test]
async fn a_message_that_panics_as_it_is_dropped_does_not_end_the_committer() {
    let engine = couriers(&Memory::new()).await;
    let (alice, bob) = (engine.client::<Courier>("alice"), engine.client::<Courier>("bob"));
    let stays = begin(order_from(&bob, Order::Stay)).await;
    until("bob is at work", || engine.stats().queued == 0 && engine.stats().active == 1).await;
    order_from(&bob, Order::Put(Bomb(false))).cast().await.unwrap();
    order_from(&alice, Order::Send("bob".into())).await.unwrap();
    until("the bomb is refused", || engine.stats().dropped_casts == 1).await;
    order_from(&alice, Order::Put(Bomb(false))).await.unwrap();
    drop(engine);
    stays.await.unwrap().unwrap_err();
}

#[tokio::test]
async fn messages_and_replies_that_panic_as_they_are_dropped_do_not_hold_up_the_end_of_a_node() {
    let memory = Memory::new();
    let engine = couriers(&memory).await;
    let (alice, bob) = (engine.client::<Courier>("alice"), engine.client::<Courier>("bob"));
    let mut callers = vec![begin(order_from(&bob, Order::Stay)).await];
    until("bob is at work", || engine.stats().queued == 0 && engine.stats().active == 1).await;
    for _ in 0..3 {
        callers.push(begin(order_from(&bob, Order::Put(Bomb(true)))).await);
    }
    memory.faults().hold_commits();
    for _ in 0..3 {
        callers.push(begin(order_from(&alice, Order::Put(Bomb(true)))).await);
    }
    memory.faults().commits_waiting(1).await;
    until("alice has answered", || engine.stats().queued == 3).await;
    drop(engine);
    for caller in callers {
        let error = caller.await.unwrap().unwrap_err();
        assert!(matches!(error, CallError::Stopped { .. }), "{error:?}");
    }
    memory.faults().release_commits();
    couriers(&memory).await.shutdown().await.unwrap();
}

/// Where a listener gets what it listens to.
static RECEIVER: Mutex<Option<mpsc::Receiver<()>>> = Mutex::new(None);

/// An actor whose task is woken by something that is none of its messages.
struct Listener(Option<mpsc::Receiver<()>>);

#[derive(Debug, Clone, Serialize, Deserialize)]
enum ListenerMessage {
    /// Looks whether something has come, and does not wait for it: the channel keeps the task's waker.
    Look,
    Ping,
    Block,
}

impl Actor for Listener {
    const KIND: &'static str = "Listener";
    type Message = ListenerMessage;
    type Reply = ();
    type Client = Client<Self>;

    async fn init(_: Context<Self>) -> Result<Self, Error> {
        Ok(Listener(None))
    }

    fn access(_: &ListenerMessage) -> Access {
        Access::Exclusive
    }

    async fn handle(&self, _: ListenerMessage) -> Handled<()> {
        unreachable!("every message is exclusive")
    }

    async fn handle_mut(&mut self, message: ListenerMessage) -> Handled<()> {
        match message {
            ListenerMessage::Look => {
                let receiver = self.0.insert(RECEIVER.lock().unwrap().take().unwrap());
                poll_fn(|cx| {
                    assert!(receiver.poll_recv(cx).is_pending());
                    Poll::Ready(())
                })
                .await;
            }
            ListenerMessage::Ping => {}
            ListenerMessage::Block => std::future::pending().await,
        }
        Handled::done(())
    }
}

fn tell(client: &Client<Listener>, message: ListenerMessage) -> Call<Listener, ()> {
    client.call(message, |()| Some(Ok(())))
}

async fn let_others_run() {
    for _ in 0..2000 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_task_that_ends_in_a_crowd_where_something_else_woke_it_misses_no_message() {
    for is_swept in [false, true] {
        let (sender, receiver) = mpsc::channel(1);
        *RECEIVER.lock().unwrap() = Some(receiver);
        let actors = Actors::new().with::<Listener>();
        let engine = Engine::start(Arc::new(Memory::new()), actors, Settings::default()).await.unwrap();
        let listener: Client<Listener> = engine.client::<Listener>("listener");
        tell(&listener, ListenerMessage::Look).await.unwrap();
        let_others_run().await;
        assert_eq!(engine.tasks(), 1, "it lingers");
        for number in 0..LINGERING_TASKS_MAX {
            let blocked: Client<Listener> = engine.client::<Listener>(number.to_string());
            tell(&blocked, ListenerMessage::Block).cast().await.unwrap();
        }
        let_others_run().await;
        sender.send(()).await.unwrap();
        let_others_run().await;
        assert_eq!(engine.tasks(), LINGERING_TASKS_MAX, "it has ended in the crowd");
        if is_swept {
            tokio::time::advance(Duration::from_millis(101)).await;
            let_others_run().await;
        }
        let answer = tokio::time::timeout(Duration::from_secs(1), tell(&listener, ListenerMessage::Ping)).await;
        answer.expect("the message has a task").unwrap();
    }
}
