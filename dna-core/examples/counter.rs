//! Actors in one process, by hand, with nothing but this crate: `cargo run -p dna-core --example counter`.
//!
//! A thousand counters are each sent ten messages, all at once. Nobody set a batch size or a timer: what gathers while
//! one commit is under way is the next one.
#![allow(clippy::print_stdout, reason = "it shows what it does")]

use std::sync::Arc;

use dna_core::{
    Access, Actor, Actors, Call, Client, Context, Engine, Error, Handled, Memory, Partition, Settings, StorageModule,
};
use futures_util::future::try_join_all;
use serde::{Deserialize, Serialize};

const COUNTERS: u64 = 1000;
const MESSAGES: u64 = 10;

/// A storage module: one number.
struct Number(Partition);

impl StorageModule for Number {
    fn open(partition: Partition) -> Self {
        Number(partition)
    }
}

impl Number {
    async fn get(&self) -> Result<u64, Error> {
        let bytes = self.0.get(b"number").await?;
        Ok(bytes.and_then(|bytes| bytes.as_ref().try_into().ok()).map_or(0, u64::from_be_bytes))
    }

    fn set(&mut self, number: u64) {
        self.0.put("number".into(), number.to_be_bytes().to_vec().into());
    }
}

struct Counter {
    total: Number,
}

#[derive(Serialize, Deserialize)]
enum Message {
    Add { amount: u64 },
}

type Reply = Result<u64, Error>;

impl Counter {
    async fn add(&mut self, amount: u64) -> Reply {
        let total = self.total.get().await? + amount;
        self.total.set(total);
        Ok(total)
    }
}

impl Actor for Counter {
    const KIND: &'static str = "counter";
    type Message = Message;
    type Reply = Reply;
    type Client = Client<Self>;

    async fn init(context: Context<Self>) -> Result<Self, Error> {
        Ok(Counter { total: context.open("total")? })
    }

    fn access(_: &Message) -> Access {
        Access::Exclusive
    }

    async fn handle(&self, _: Message) -> Handled<Reply> {
        unreachable!("every message here is exclusive")
    }

    async fn handle_mut(&mut self, Message::Add { amount }: Message) -> Handled<Reply> {
        match self.add(amount).await {
            Ok(total) => Handled::done(Ok(total)),
            Err(error) => Handled::failed(Err(error)),
        }
    }
}

fn add(counter: &Client<Counter>, amount: u64) -> Call<Counter, u64, Error> {
    counter.call(Message::Add { amount }, Some)
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let engine = Engine::start(Arc::new(Memory::new()), Actors::new().with::<Counter>(), Settings::default()).await?;

    let counters = (0..COUNTERS).map(|number| engine.client::<Counter>(number.to_string())).collect::<Vec<_>>();
    let calls = counters.iter().flat_map(|counter| (0..MESSAGES).map(|_| add(counter, 1)));
    let totals = try_join_all(calls).await?;

    let (active, groups) = (engine.stats().active, engine.stats().groups);
    println!("{} messages to {active} actors were answered, each when its write was committed.", totals.len());
    println!("It took {groups} commits.");

    let total = add(&engine.client::<Counter>("0"), 1).await?;
    println!("One more message, alone, is one more commit: {} by now. Its total is {total}.", engine.stats().groups);
    engine.shutdown().await?;
    Ok(())
}
