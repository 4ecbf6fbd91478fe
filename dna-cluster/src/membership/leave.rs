//! Leaving, once everything is given away or there is no time left for it: step by step, in the time there is.

use std::future::Future;

use dna_core::{Shard, Timestamp, fault_point};
use futures_util::future::Either;

use super::{
    driver::{Driver, either},
    tenure::Tenure,
};
use crate::{
    decide::{self, LeaveStep, beat_interval},
    error::LeaveError,
    host::Loss,
    register::RegisterError,
    seam,
    view::Seen,
};

impl Driver {
    /// Leaves; what it runs may take its time, and so may the way out of the view.
    pub(super) async fn leave(&mut self) -> Result<(), LeaveError> {
        let Some(current) = &self.current else { return Err(LeaveError::NotAMember) };
        let deadline = self.node.config.release_deadline;
        self.unless_lost(current, self.release_in_time(current)).await;
        fault_point("leave: released");
        let step = decide::leave(&current.seen(), current.node(), true, None, own(current));
        if !matches!(step, LeaveStep::SealAndReplay(_)) {
            return Err(LeaveError::Unavailable);
        }
        let drained = self.unless_lost(current, seam::within(deadline, current.incarnation.journals.drain())).await;
        if let Some(Some(Err(error))) = drained {
            tracing::warn!("what was committed is replayed from the journal: {error}");
        }
        fault_point("leave: to be sealed");
        seam::within(deadline, self.go(current)).await.unwrap_or(Err(LeaveError::Unavailable))
    }

    /// Does something while the membership lasts. Where it is lost meanwhile everything is dropped at once, as at any other
    /// time: whoever waits for an answer gets it now. The way out stays the same.
    async fn unless_lost<T>(&self, current: &Tenure, step: impl Future<Output = T>) -> Option<T> {
        match either(current.incarnation.life.ended(), step).await {
            Either::Left(why) => {
                tracing::warn!(node = %current.node(), ?why, "lost the membership while leaving");
                self.node.host.drop_all(why).await;
                None
            }
            Either::Right(done) => Some(done),
        }
    }

    /// Ends what runs, in the time there is for it.
    async fn release_in_time(&self, current: &Tenure) {
        let deadline = self.node.config.release_deadline;
        if seam::within(deadline, self.release(current)).await.is_none() {
            tracing::warn!("what this node runs did not end within {deadline:?}; leaving without it");
            self.node.host.drop_all(Loss::Left).await;
        }
    }

    async fn release(&self, current: &Tenure) {
        let shards = current.seen().view.shards_of(current.node()).map(|(shard, _)| shard).collect::<Vec<Shard>>();
        if !shards.is_empty() {
            self.node.host.release(&shards).await;
        }
    }

    /// Seals the own journals, and swaps oneself out.
    async fn go(&self, current: &Tenure) -> Result<(), LeaveError> {
        let me = current.node();
        let last = match decide::leave(&current.seen(), me, true, None, own(current)) {
            LeaveStep::SealAndReplay(lanes) => self.seal(current, lanes.get()).await?,
            _ => return Ok(()),
        };
        fault_point("leave: sealed");
        loop {
            let step = |seen: &Seen| decide::leave(seen, me, true, Some(last), own(current));
            let changed = self.node.register.change(|seen| match seen.map(step) {
                Some(LeaveStep::Swap(view)) => Ok(view),
                _ => Err(()),
            });
            match changed.await {
                Ok(_) => break,
                Err(RegisterError::Store(error)) => tracing::warn!("cannot leave yet: {error}"),
                Err(error) => tracing::error!("cannot leave yet: {error}"),
            }
            seam::sleep(beat_interval(self.node.config.lease)).await;
        }
        fault_point("leave: swapped");
        tracing::info!(node = %me, "left the cluster");
        Ok(())
    }

    async fn seal(&self, current: &Tenure, lanes: u16) -> Result<Timestamp, LeaveError> {
        loop {
            match self.node.store.seal_and_replay(current.node(), lanes).await {
                Ok(replayed) => return Ok(replayed.last),
                Err(error) if error.is_retryable() => tracing::warn!("cannot leave yet: {error}"),
                Err(error) => {
                    tracing::error!("cannot leave: {error}");
                    return Err(LeaveError::Replay);
                }
            }
            seam::sleep(beat_interval(self.node.config.lease)).await;
        }
    }
}

/// The last timestamp that a membership has given out.
fn own(current: &Tenure) -> Timestamp {
    current.incarnation.journals.last_timestamp()
}
