//! The row writer: takes what was committed, several groups at once, and stores it as rows.

use std::sync::{Arc, atomic::Ordering};

use dna_core::fault_point;

use super::{
    batch::RowBatch,
    host::{pause, within},
    journal::{Journal, UpkeepError},
    options::RETRY_AFTER,
    rows::Rows,
    shared::{Shared, add},
};

/// Says that the row writer has ended, also if it panics; then the store can take nothing any more.
struct Ending<J, R> {
    shared: Arc<Shared<J, R>>,
    orderly: bool,
}

impl<J, R> Drop for Ending<J, R> {
    fn drop(&mut self) {
        if !self.orderly {
            self.shared.poison();
        }
        self.shared.rows_ended.send_replace(true);
    }
}

/// Stores what waits, oldest first, until the store closes.
pub(super) async fn run<J: Journal, R: Rows>(shared: Arc<Shared<J, R>>) {
    let mut ending = Ending { shared: shared.clone(), orderly: false };
    let mut closing = shared.closing.subscribe();
    tokio::select! {
        biased;
        // The sender is in `shared`, which this loop holds. What is being stored is stored again after the next start.
        _ = closing.wait_for(|closing| *closing) => {}
        () = store_all(&shared) => {}
    }
    ending.orderly = true;
}

/// Ends only where the store is poisoned.
async fn store_all<J: Journal, R: Rows>(shared: &Shared<J, R>) {
    loop {
        if shared.overlay.lag().entries == 0 {
            shared.work.notified().await;
            continue;
        }
        gather(shared).await;
        let runs = shared.overlay.oldest(shared.options.row_batch_bytes_max);
        let batch = RowBatch::merge(&runs);
        drop(runs);
        fault_point("rows: to be stored");
        if !store_one(shared, &batch).await {
            shared.poison();
            return;
        }
        fault_point("rows: stored");
        // First of all: a group that is out of the overlay can be released.
        shared.done.store(batch.last, Ordering::SeqCst);
        add(&shared.counters.rows, u64::try_from(batch.points.len()).unwrap_or(u64::MAX));
        add(&shared.counters.batches, 1);
        shared.overlay.remove_through(batch.last);
        shared.stored.notify_waiters();
        // On a thread of its own nothing else asks for the time; on a shared runtime others do.
        tokio::task::yield_now().await;
    }
}

/// Lets more groups come in, for a while.
async fn gather<J, R>(shared: &Shared<J, R>) {
    let gathered = async {
        while !shared.has_gathered() {
            shared.work.notified().await;
        }
    };
    // Whatever is there when the time is over is stored.
    let _ = within(shared.options.gather_rows, gathered).await;
}

/// Stores a batch, however often it takes; `false` if it never will be.
async fn store_one<J: Journal, R: Rows>(shared: &Shared<J, R>, batch: &RowBatch) -> bool {
    let (mut wait, longest) = RETRY_AFTER;
    loop {
        let result = match shared.journal.settle().await {
            Ok(()) => shared.rows.store(batch).await,
            Err(error) => Err(error),
        };
        match result {
            Ok(()) => return true,
            Err(UpkeepError::Failed | UpkeepError::Fenced) => {
                tracing::error!(through = batch.last, "rows cannot be stored: the store takes nothing any more");
                return false;
            }
            Err(error) => {
                add(&shared.counters.row_failures, 1);
                tracing::warn!(through = batch.last, %error, ?wait, "rows could not be stored; they are tried again");
                pause(wait).await;
                wait = longest.min(wait * 2);
            }
        }
    }
}
