//! One membership under one id: what it has seen, and what of its shards it serves.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use dna_core::{NodeId, Shard};
use parking_lot::Mutex;
use tokio::sync::watch as channel;

use super::{Node, Status};
use crate::{
    decide::{self, Steady},
    host::{Incarnation, Loss},
    meter::SHARDS_GAINED,
    seam,
    view::Seen,
};

/// A membership under one id. What its loops do together goes through here.
pub(super) struct Tenure {
    pub(super) incarnation: Incarnation,
    status: channel::Sender<Status>,
    state: Mutex<State>,
    /// One view is taken in after the other.
    adopting: tokio::sync::Mutex<()>,
    /// How often the view could not be read.
    read_errors: AtomicU64,
}

struct State {
    seen: Arc<Seen>,
    steady: Steady,
    /// The shards that are this node's, in these epochs, and that it does not serve: they are about to be given away.
    resting: BTreeMap<Shard, u64>,
}

impl Tenure {
    /// Begins it: has the host serve what is its own.
    pub(super) fn begin(node: &Node, incarnation: Incarnation, seen: Seen, status: channel::Sender<Status>) -> Self {
        let gained = decide::shard_changes(None, &seen.view, incarnation.node).gained;
        incarnation.journals.raise_timestamp(seen.view.ts());
        node.host.own(&gained);
        SHARDS_GAINED.add(&[], gained.len() as u64);
        let mut steady = Steady::default();
        steady.observe(&seen.view, node.seam.now());
        let state = Mutex::new(State { seen: Arc::new(seen), steady, resting: BTreeMap::new() });
        let tenure = Tenure {
            incarnation,
            status,
            state,
            adopting: tokio::sync::Mutex::default(),
            read_errors: AtomicU64::new(0),
        };
        tenure.publish();
        tenure
    }

    pub(super) fn node(&self) -> NodeId {
        self.incarnation.node
    }

    pub(super) fn seen(&self) -> Arc<Seen> {
        self.state.lock().seen.clone()
    }

    pub(super) fn steady(&self) -> Steady {
        self.state.lock().steady.clone()
    }

    /// Tells the holders of the handle what the view is.
    fn publish(&self) {
        self.status.send_replace(Status::Member { node: self.node(), seen: self.seen() });
    }

    /// Hears of every view that is taken in from now on.
    pub(super) fn news(&self) -> channel::Receiver<Status> {
        self.status.subscribe()
    }

    pub(super) fn count_read_error(&self) {
        self.read_errors.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn read_errors(&self) -> u64 {
        self.read_errors.load(Ordering::Relaxed)
    }

    /// Takes in a view, if it is a newer one.
    ///
    /// # Errors
    /// By it this node is no member any more, or owns less than it has given away, and cannot let go of that.
    pub(super) async fn adopt(&self, node: &Node, seen: Seen) -> Result<(), Loss> {
        let _one_by_one = self.adopting.lock().await;
        let me = self.node();
        let before = self.seen();
        if seen.version <= before.version {
            return Ok(());
        }
        if seen.view.member(me).is_none() {
            return Err(Loss::Fenced);
        }
        // Before anything is committed for a shard, above all that its former owners have written.
        self.incarnation.journals.raise_timestamp(seen.view.ts());
        let changes = decide::shard_changes(Some(&before.view), &seen.view, me);
        let lost = {
            let mut state = self.state.lock();
            state.steady.observe(&seen.view, node.seam.now());
            state.seen = Arc::new(seen);
            // What rests has ended before it was given away.
            changes.lost.into_iter().filter(|shard| state.resting.remove(shard).is_none()).collect::<Vec<_>>()
        };
        if !lost.is_empty() {
            let released = seam::within(node.config.release_deadline, node.host.release(&lost)).await;
            released.ok_or(Loss::Fenced)?;
        }
        if !changes.gained.is_empty() {
            node.host.own(&changes.gained);
            SHARDS_GAINED.add(&[], changes.gained.len() as u64);
        }
        self.publish();
        Ok(())
    }

    /// Notes that those of these shards which are this node's in that epoch are about to be given away: which.
    pub(super) fn rest(&self, shards: impl IntoIterator<Item = (Shard, u64)>) -> BTreeMap<Shard, u64> {
        let mut state = self.state.lock();
        let State { seen, resting, .. } = &mut *state;
        let is_own = |(shard, epoch): &(Shard, u64)| seen.view.epoch_of(*shard, self.node()) == Some(*epoch);
        let rest = shards.into_iter().filter(is_own).collect::<BTreeMap<_, _>>();
        resting.extend(&rest);
        rest
    }

    /// Has the host serve those of these shards again that rest, and are this node's as before. By the view that was
    /// taken in last: one that was read when it was certain that nobody else has them.
    pub(super) fn serve_again(&self, node: &Node, shards: &BTreeMap<Shard, u64>) -> Vec<Shard> {
        let again = {
            let mut state = self.state.lock();
            let rests = |(shard, epoch): &(&Shard, &u64)| state.resting.get(shard) == Some(*epoch);
            let again = shards.iter().filter(rests).map(|(shard, epoch)| (*shard, *epoch)).collect::<Vec<_>>();
            for (shard, _) in &again {
                state.resting.remove(shard);
            }
            again
        };
        if !again.is_empty() {
            node.host.own(&again);
        }
        again.into_iter().map(|(shard, _)| shard).collect()
    }
}
