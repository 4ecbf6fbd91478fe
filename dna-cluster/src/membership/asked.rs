//! What the holders of a membership's handle want of its loops, and how far these have come.

use std::{
    collections::VecDeque,
    sync::atomic::{AtomicU64, Ordering},
};

use dna_core::{NodeId, Shard};
use parking_lot::Mutex;
use tokio::sync::{Notify, watch as channel};

/// What the loops of a membership are asked, by whoever holds its handle.
#[derive(Debug, Default)]
pub(super) struct Asked {
    drains: channel::Sender<bool>,
    /// The number of the last read of the view that somebody waits for.
    wanted: AtomicU64,
    /// How many reads have begun.
    begun: AtomicU64,
    /// The number of the last read that has ended, well or not.
    ended: channel::Sender<u64>,
    read_now: Notify,
    /// Shards that tests want to be given away, and to whom.
    moves: Mutex<VecDeque<(Shard, NodeId)>>,
    move_now: Notify,
}

impl Asked {
    /// From now on this process takes no shards, and gives away what it has.
    pub(super) fn drain(&self) {
        self.drains.send_replace(true);
    }

    pub(super) fn drains(&self) -> bool {
        *self.drains.borrow()
    }

    /// Ends when it drains.
    pub(super) async fn until_it_drains(&self) {
        // The sender is here.
        let _ = self.drains.subscribe().wait_for(|drains| *drains).await;
    }

    /// Asks for a shard to be given to a node, wherever it belongs.
    #[cfg(feature = "testing")]
    pub(super) fn want_move(&self, shard: Shard, to: NodeId) {
        self.moves.lock().push_back((shard, to));
        self.move_now.notify_one();
    }

    /// The next shard that is to be given away all the same.
    pub(super) fn next_move(&self) -> Option<(Shard, NodeId)> {
        self.moves.lock().pop_front()
    }

    /// Ends when there is one, for its single listener.
    pub(super) async fn until_a_move_is_wanted(&self) {
        while self.moves.lock().is_empty() {
            self.move_now.notified().await;
        }
    }

    /// Asks for a read that begins after this. Many who ask at once get one.
    pub(super) fn want_read(&self) -> u64 {
        let number = self.begun.load(Ordering::SeqCst) + 1;
        self.wanted.fetch_max(number, Ordering::SeqCst);
        self.read_now.notify_one();
        number
    }

    /// Waits until the read of this number has ended.
    pub(super) async fn read(&self, number: u64) {
        // The sender is here.
        let _ = self.ended.subscribe().wait_for(|ended| *ended >= number).await;
    }

    /// A read begins; its number.
    pub(super) fn begin_read(&self) -> u64 {
        self.begun.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// A read has ended.
    pub(super) fn end_read(&self, number: u64) {
        self.ended.send_replace(number);
    }

    /// Ends when somebody wants a read that has not begun.
    pub(super) async fn until_read_is_wanted(&self) {
        while self.wanted.load(Ordering::SeqCst) <= self.begun.load(Ordering::SeqCst) {
            self.read_now.notified().await;
        }
    }
}
