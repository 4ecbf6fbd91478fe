//! Transfers between accounts that are neither lost nor done twice: `cargo run --example bank`.
//!
//! A message is a transaction of one actor. What concerns two is done in two, with the way between them written down:
//! the transfer leaves the one account and stands in its `outgoing` in the same message, is delivered from there, also
//! after a crash, and the other account remembers the key of what it has received.
#![allow(clippy::print_stdout, reason = "it shows what it does")]

use std::time::Duration;

use dna::prelude::*;
use serde::{Deserialize, Serialize};

/// How long an account waits before it tries again to deliver.
const RETRY: Duration = Duration::from_secs(5);

/// Why a transfer was not accepted. Callers can tell the cases apart.
#[derive(Debug, thiserror::Error, Serialize, Deserialize)]
enum TransferError {
    #[error("the account has {balance}, which is not enough")]
    Insufficient { balance: u64 },
    #[error("the key was used for another transfer")]
    KeyReused,
    #[error(transparent)]
    Other(#[from] dna::Error),
}

#[derive(Clone, PartialEq, Serialize, Deserialize)]
struct Transfer {
    to: String,
    amount: u64,
}

struct Account {
    balance: Value<u64>,
    /// By the key that the caller has chosen: what was sent, and what of it is not delivered yet.
    sent: Kv<String, Transfer>,
    outgoing: Kv<String, Transfer>,
    /// By sender and key: what was received.
    received: Kv<(String, String), u64>,
    ctx: Context<Self>,
}

#[dna::actor]
impl Account {
    async fn init(ctx: Context<Self>) -> dna::Result<Self> {
        let account = Account {
            balance: ctx.open("balance")?,
            sent: ctx.open("sent")?,
            outgoing: ctx.open("outgoing")?,
            received: ctx.open("received")?,
            ctx,
        };
        if !account.outgoing.list().limit(1).await?.is_empty() {
            // Left over from before: a schedule ends with its activation, what is stored does not.
            account.ctx.schedule(Duration::ZERO, AccountMessage::Deliver)?;
        }
        Ok(account)
    }

    pub async fn balance(&self) -> dna::Result<u64> {
        Ok(self.balance.get().await?.unwrap_or(0))
    }

    /// Takes in an amount, once for each sender and key.
    pub async fn receive(&mut self, from: String, key: String, amount: u64) -> dna::Result<()> {
        let id = (from, key);
        if self.received.get(&id).await?.is_none() {
            self.balance.update(|balance| balance.unwrap_or(0) + amount).await?;
            self.received.put(id, amount);
        }
        Ok(())
    }

    /// Sends an amount to another account. Called again with the same key, it does nothing more.
    pub async fn transfer(&mut self, key: String, to: String, amount: u64) -> Result<(), TransferError> {
        let transfer = Transfer { to, amount };
        match self.sent.get(&key).await? {
            Some(earlier) if earlier == transfer => return Ok(()),
            Some(_) => return Err(TransferError::KeyReused),
            None => {}
        }
        let balance = self.balance().await?;
        let rest = balance.checked_sub(amount).ok_or(TransferError::Insufficient { balance })?;
        self.balance.set(rest);
        self.sent.put(&key, transfer.clone());
        self.outgoing.put(key, transfer);
        // Leaves when all of this is committed, and never if it is not.
        self.ctx.schedule(Duration::ZERO, AccountMessage::Deliver).map_err(dna::Error::from)?;
        Ok(())
    }

    /// Delivers what is outgoing. Where that fails, it is tried again.
    pub async fn deliver(&mut self) -> dna::Result<()> {
        let own = self.ctx.name().name().to_owned();
        for (key, transfer) in self.outgoing.list().limit(100).await? {
            let account = self.ctx.client::<Account>(transfer.to);
            match account.receive(own.as_str(), &key, transfer.amount).await {
                Ok(()) => self.outgoing.delete(key),
                Err(error) => {
                    println!("   a delivery has to be tried again: {error}");
                    self.ctx.schedule(RETRY, AccountMessage::Deliver)?;
                    break;
                }
            }
        }
        Ok(())
    }
}

#[tokio::main]
async fn main() -> dna::Result<()> {
    let node = Node::builder().store(Memory::new()).actor::<Account>().start().await?;
    let (alice, bob) = (Account::client("alice"), Account::client("bob"));

    alice.receive("cash desk", "receipt 1", 100).await?;
    println!("1. Alice has {}.", alice.balance().await?);

    alice.transfer("rent", "bob", 70).await?;
    alice.deliver().await?;
    println!("2. She sends 70 to Bob: she has {}, he has {}.", alice.balance().await?, bob.balance().await?);

    alice.transfer("rent", "bob", 70).await?;
    alice.deliver().await?;
    println!("3. The same again, as after a time-out: {} and {}.", alice.balance().await?, bob.balance().await?);

    println!("4. What goes wrong has a type, and leaves nothing behind:");
    for (key, amount) in [("car", 1_000), ("rent", 5)] {
        match alice.transfer(key, "bob", amount).await {
            Err(CallError::Handler { error: TransferError::Insufficient { balance }, .. }) => {
                println!("   {amount} are too much for a balance of {balance}");
            }
            Err(error) => println!("   {error}; outcome: {:?}", error.outcome()),
            Ok(()) => println!("   sent"),
        }
    }
    println!("   Alice has {}, Bob has {}.", alice.balance().await?, bob.balance().await?);

    node.shutdown().await?;
    Ok(())
}
