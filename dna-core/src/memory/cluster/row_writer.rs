//! The task that stores as rows what a lane has committed, group by group.

use std::{sync::Arc, time::Duration};

use super::{
    journal::Entry,
    lane::Shared,
    link::{Link, NoAnswer},
    plan::RequestKind,
    rule::Rule,
};
use crate::runtime;

/// How long it waits before it tries again what could not be stored.
const RETRY_AFTER: Duration = Duration::from_millis(10);

/// Works until the lane is dropped.
pub(super) async fn run(shared: Arc<Shared>) {
    let mut closed = shared.closed.subscribe();
    tokio::select! {
        biased;
        _ = closed.wait_for(|closed| *closed) => {}
        () = store_all(&shared) => {}
    }
}

async fn store_all(shared: &Shared) {
    let mut head = shared.head.subscribe();
    let mut done = 0;
    while head.wait_for(|head| *head > done).await.is_ok() {
        let Some(entry) = shared.waiting.lock().front().cloned() else { continue };
        while store(&shared.link, &entry, entry.stamp).await.is_err() {
            runtime::sleep(RETRY_AFTER).await;
        }
        done = entry.group.number;
        shared.waiting.lock().pop_front();
        shared.done.send_replace(done);
    }
}

/// Stores an entry's rows with this stamp, one actor's at a time; how many puts and deletes it had.
pub(super) async fn store(link: &Link, entry: &Arc<Entry>, stamp: u64) -> Result<u64, NoAnswer> {
    let by_timestamp = link.keeps(Rule::RowsGoByTimestamp);
    let mut rows = 0;
    for index in 0..entry.group.actors.len() {
        let entry = entry.clone();
        let stored = link.ask(RequestKind::StoreRows, move |database| {
            let Some(actor) = entry.group.actors.get(index) else { return 0 };
            if by_timestamp {
                database.rows.store(actor, stamp);
            } else {
                database.rows.store_last(actor);
            }
            actor.writes.len()
        });
        rows += u64::try_from(stored.await?).unwrap_or(u64::MAX);
    }
    Ok(rows)
}
