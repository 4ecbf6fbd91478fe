//! A storage module of a user's own, the queue of `bounded_queue`, beside a [`Kv`] in one actor: `cargo run -p
//! dna-storage --example fifo_queue`.
//!
//! Whatever a message writes to both is committed together: an order is never taken out of the queue without being noted
//! as taken, and a message that fails leaves both as they were.
#![allow(clippy::print_stdout, reason = "it shows what it does")]

pub mod bounded_queue;

use std::sync::Arc;

use dna_core::{Access, Actor, Actors, Call, Client, Context, Engine, Error, Handled, Memory, Result, Settings};
use dna_storage::Kv;
use serde::{Deserialize, Serialize};

use bounded_queue::BoundedQueue;

/// How many orders may wait.
const WAITING_MAX: u64 = 3;

/// A desk where orders wait for a clerk.
struct Desk {
    waiting: BoundedQueue<String, WAITING_MAX>,
    taken: Kv<String, String>,
}

impl Desk {
    async fn submit(&mut self, order: String) -> Result<()> {
        Ok(self.waiting.push(order).await?)
    }

    /// Takes so many orders, or none. Two modules, one transaction.
    async fn take(&mut self, clerk: String, count: usize) -> Result<Vec<String>> {
        let mut orders = Vec::new();
        while orders.len() < count {
            let Some(order) = self.waiting.pop().await? else {
                // What was popped and noted until here is taken back.
                return Err(Error::new(format!("only {} orders wait, not {count}", orders.len())));
            };
            self.taken.put(&order, clerk.clone());
            orders.push(order);
        }
        Ok(orders)
    }

    async fn look(&self) -> Result<State> {
        let (waiting, next) = (self.waiting.len().await?, self.waiting.peek().await?);
        Ok(State { waiting, next, taken: self.taken.list().limit(10).await? })
    }
}

/// What is to be seen at a desk.
#[derive(Debug, Serialize, Deserialize)]
struct State {
    waiting: u64,
    next: Option<String>,
    taken: Vec<(String, String)>,
}

/// What `#[dna::actor]` would write, by hand, since this crate stands without the macro.
#[derive(Debug, Serialize, Deserialize)]
enum Message {
    Submit { order: String },
    Take { clerk: String, count: usize },
    Look,
}

#[derive(Debug, Serialize, Deserialize)]
enum Reply {
    Submit(Result<()>),
    Take(Result<Vec<String>>),
    Look(Result<State>),
}

impl Actor for Desk {
    const KIND: &'static str = "desk";

    type Message = Message;
    type Reply = Reply;
    type Client = Client<Self>;

    async fn init(context: Context<Self>) -> Result<Self, Error> {
        Ok(Desk { waiting: context.open("waiting")?, taken: context.open("taken")? })
    }

    fn access(message: &Message) -> Access {
        match message {
            Message::Submit { .. } | Message::Take { .. } => Access::Exclusive,
            Message::Look => Access::Shared,
        }
    }

    async fn handle(&self, message: Message) -> Handled<Reply> {
        match message {
            Message::Look => handled(self.look().await, Reply::Look),
            Message::Submit { .. } | Message::Take { .. } => unreachable!("exclusive messages go to `handle_mut`"),
        }
    }

    async fn handle_mut(&mut self, message: Message) -> Handled<Reply> {
        match message {
            Message::Submit { order } => handled(self.submit(order).await, Reply::Submit),
            Message::Take { clerk, count } => handled(self.take(clerk, count).await, Reply::Take),
            Message::Look => unreachable!("shared messages go to `handle`"),
        }
    }
}

/// A handler that failed leaves none of its writes.
fn handled<T>(result: Result<T>, reply: fn(Result<T>) -> Reply) -> Handled<Reply> {
    match result {
        Ok(value) => Handled::done(reply(Ok(value))),
        Err(error) => Handled::failed(reply(Err(error))),
    }
}

fn submit(desk: &Client<Desk>, order: &str) -> Call<Desk, (), Error> {
    desk.call(Message::Submit { order: order.to_owned() }, |reply| match reply {
        Reply::Submit(result) => Some(result),
        _ => None,
    })
}

fn take(desk: &Client<Desk>, clerk: &str, count: usize) -> Call<Desk, Vec<String>, Error> {
    desk.call(Message::Take { clerk: clerk.to_owned(), count }, |reply| match reply {
        Reply::Take(result) => Some(result),
        _ => None,
    })
}

fn look(desk: &Client<Desk>) -> Call<Desk, State, Error> {
    desk.call(Message::Look, |reply| match reply {
        Reply::Look(result) => Some(result),
        _ => None,
    })
}

async fn show(desk: &Client<Desk>) -> Result<()> {
    let State { waiting, next, taken } = look(desk).await?;
    println!("      {waiting} wait, the next is {next:?}; taken: {taken:?}");
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let engine = Engine::start(Arc::new(Memory::new()), Actors::new().with::<Desk>(), Settings::default()).await?;
    let desk = engine.client::<Desk>("reception");

    println!("Four orders come to a desk where {WAITING_MAX} may wait.");
    for order in ["apples", "bread", "cheese", "dates"] {
        match submit(&desk, order).await {
            Ok(()) => println!("  submit {order}: taken"),
            Err(error) => println!("  submit {order}: refused, {error}"),
        }
    }
    show(&desk).await?;

    println!("Ann takes one. That it is out of the queue and that she has it is committed as one.");
    println!("  take 1: {:?}", take(&desk, "ann", 1).await?);
    show(&desk).await?;

    println!("Bob asks for three. The two that he gets before that fails are taken back, in both modules.");
    match take(&desk, "bob", 3).await {
        Ok(orders) => println!("  take 3: {orders:?}"),
        Err(error) => println!("  take 3: refused, {error}"),
    }
    show(&desk).await?;

    engine.shutdown().await?;
    Ok(())
}
