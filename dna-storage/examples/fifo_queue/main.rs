//! A storage module of a user's own, the queue of `bounded_queue`, beside a [`Kv`] in one actor. Whatever a message
//! writes to both is committed together: an order is never taken out of the queue without being noted as taken.

pub mod bounded_queue;

use dna_core::{Access, Actor, Client, Context, Error, Handled, Result};
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

    /// Two modules, one transaction.
    async fn take(&mut self, clerk: String) -> Result<Option<String>> {
        let Some(order) = self.waiting.pop().await? else { return Ok(None) };
        self.taken.put(&order, clerk);
        Ok(Some(order))
    }

    async fn next(&self) -> Result<Option<String>> {
        Ok(self.waiting.peek().await?)
    }

    async fn waiting(&self) -> Result<u64> {
        Ok(self.waiting.len().await?)
    }
}

/// What `#[dna::actor]` would write, by hand, since this crate stands without the macro.
#[derive(Debug, Serialize, Deserialize)]
enum Message {
    Submit(String),
    Take(String),
    Next,
    Waiting,
}

#[derive(Debug, Serialize, Deserialize)]
enum Reply {
    Submit(Result<()>),
    Order(Result<Option<String>>),
    Waiting(Result<u64>),
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
            Message::Submit(_) | Message::Take(_) => Access::Exclusive,
            Message::Next | Message::Waiting => Access::Shared,
        }
    }

    async fn handle(&self, message: Message) -> Handled<Reply> {
        match message {
            Message::Next => handled(self.next().await, Reply::Order),
            Message::Waiting => handled(self.waiting().await, Reply::Waiting),
            Message::Submit(_) | Message::Take(_) => unreachable!("exclusive messages go to `handle_mut`"),
        }
    }

    async fn handle_mut(&mut self, message: Message) -> Handled<Reply> {
        match message {
            Message::Submit(order) => handled(self.submit(order).await, Reply::Submit),
            Message::Take(clerk) => handled(self.take(clerk).await, Reply::Order),
            Message::Next | Message::Waiting => unreachable!("shared messages go to `handle`"),
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

#[allow(clippy::print_stdout, reason = "an example prints what it does")]
fn main() {
    println!("an actor of type `{}` keeps up to {WAITING_MAX} orders", Desk::KIND);
}
