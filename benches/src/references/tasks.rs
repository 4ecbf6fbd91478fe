//! A tokio task and a channel for each name, in a map: what one would write for named actors that keep nothing.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use tokio::sync::{mpsc, oneshot};

use crate::{
    error::Error,
    load::{self, Amount},
    measure::Measured,
    store::name_of,
};

/// What the channel of a task admits: few, since tokio makes room for 32 at once in any case.
const WAITING_MAX: usize = 32;

const GONE: Error = Error::Gone("the task of a name");

type Ask = (u64, oneshot::Sender<u64>);

/// Tasks by name.
#[derive(Clone, Default)]
pub(crate) struct Tasks(Arc<Mutex<HashMap<String, mpsc::Sender<Ask>>>>);

impl Tasks {
    /// Asks the task of that name, which is started if it is not there.
    async fn add(&self, name: String, amount: u64) -> Result<u64, Error> {
        let sender = {
            let mut tasks = self.0.lock().map_err(|_| GONE)?;
            tasks.entry(name).or_insert_with(start).clone()
        };
        let (reply, answer) = oneshot::channel();
        sender.send((amount, reply)).await.map_err(|_| GONE)?;
        answer.await.map_err(|_| GONE)
    }

    /// The first message to each of `names` names.
    pub(crate) async fn first_messages(&self, callers: u64, names: std::ops::Range<u64>) -> Result<Measured, Error> {
        let (first, count) = (names.start, names.end - names.start);
        load::closed_loop(callers, Amount::Untimed(count), |mut turns| {
            let tasks = self.clone();
            async move {
                while let Some(step) = turns.next() {
                    tasks.add(name_of(first + turns.place(step)), 1).await?;
                }
                Ok(turns)
            }
        })
        .await
    }
}

fn start() -> mpsc::Sender<Ask> {
    let (sender, mut receiver) = mpsc::channel::<Ask>(WAITING_MAX);
    tokio::spawn(async move {
        let mut total = 0;
        while let Some((amount, reply)) = receiver.recv().await {
            total += amount;
            let _ = reply.send(total);
        }
    });
    sender
}
