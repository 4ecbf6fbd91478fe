//! Bare tokio channels: what a message to a task costs with nothing around it. Nothing is durable.

use std::{collections::HashMap, time::Instant};

use tokio::sync::{mpsc, oneshot};

use super::Shape;
use crate::{
    error::{Error, check_eq},
    keys::{Keys, VALUE},
    load::{self, Amount},
    measure::Measured,
};

/// What a channel admits, as a mailbox does.
const WAITING_MAX: usize = dna::limits::MAILBOX_MESSAGES_MAX;

const GONE: Error = Error::Gone("the task behind the channel");

/// One task that sends, one that only counts what comes.
pub(crate) async fn casts(messages: u64, keys: Keys) -> Result<Measured, Error> {
    let (sender, mut receiver) = mpsc::channel::<(u64, String)>(WAITING_MAX);
    let start = Instant::now();
    let counting = tokio::spawn(async move {
        let mut count = 0;
        while let Some(message) = receiver.recv().await {
            drop(message);
            count += 1;
        }
        count
    });
    let sending = tokio::spawn(async move {
        for place in 0..messages {
            sender.send((keys.at(place), VALUE.to_owned())).await.map_err(|_| GONE)?;
        }
        Ok::<_, Error>(())
    });
    sending.await??;
    let count = counting.await?;
    let elapsed = start.elapsed();
    check_eq("messages that were counted", count, messages)?;
    Ok(Measured { operations: messages, elapsed, ..Measured::default() })
}

/// Calls to one task that adds, with a oneshot for each answer.
pub(crate) async fn calls(callers: u64, amount: Amount) -> Result<Measured, Error> {
    let mut total = 0;
    ask(
        callers,
        amount,
        |_| 1,
        move |add: u64| {
            total += add;
            total
        },
    )
    .await
}

/// Puts to one task that keeps a map.
pub(crate) async fn puts(shape: &Shape) -> Result<Measured, Error> {
    let mut rows = HashMap::new();
    ask(
        shape.callers,
        shape.amount,
        |key| (key, VALUE.to_owned()),
        move |(key, value)| {
            rows.insert(key, value);
        },
    )
    .await
}

/// Reads of one task that keeps a map.
pub(crate) async fn gets(callers: u64, amount: Amount, rows: u64) -> Result<Measured, Error> {
    let rows = (0..rows).map(|key| (key, VALUE.to_owned())).collect::<HashMap<_, _>>();
    ask(callers, amount, |_| 0, move |key: u64| rows.get(&key).cloned()).await
}

async fn ask<Q, A>(
    callers: u64,
    amount: Amount,
    question: impl Fn(u64) -> Q + Copy + Send + 'static,
    mut answer: impl FnMut(Q) -> A + Send + 'static,
) -> Result<Measured, Error>
where
    Q: Send + 'static,
    A: Send + 'static,
{
    let (sender, mut receiver) = mpsc::channel::<(Q, oneshot::Sender<A>)>(WAITING_MAX);
    let task = tokio::spawn(async move {
        while let Some((question, reply)) = receiver.recv().await {
            let _ = reply.send(answer(question));
        }
    });
    let measured = load::closed_loop(callers, amount, |mut turns| {
        let sender = sender.clone();
        async move {
            while let Some(step) = turns.next() {
                let (reply, answer) = oneshot::channel();
                sender.send((question(turns.key(step)), reply)).await.map_err(|_| GONE)?;
                answer.await.map_err(|_| GONE)?;
            }
            Ok(turns)
        }
    })
    .await?;
    drop(sender);
    task.await?;
    Ok(measured)
}
