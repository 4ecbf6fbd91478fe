//! Leaving, once everything is given away or there is no time left for it: step by step, in the time there is.

use dna_core::{Shard, Timestamp, fault_point};

use super::{driver::Driver, tenure::Tenure};
use crate::{
    decide::{self, LeaveStep, beat_interval},
    error::LeaveError,
    register::RegisterError,
    seam,
};

impl Driver {
    /// Leaves; what it runs may take its time, and so may the way out of the view.
    pub(super) async fn leave(&mut self) -> Result<(), LeaveError> {
        let Some(current) = &self.current else { return Err(LeaveError::NotAMember) };
        let deadline = self.node.config.release_deadline;
        if seam::within(deadline, self.release(current)).await.is_none() {
            tracing::warn!("what this node runs did not end within {deadline:?}; leaving without it");
            self.node.host.drop_all(crate::host::Loss::Left).await;
        }
        fault_point("leave: released");
        let is_announced =
            matches!(decide::leave(&current.seen(), current.node(), true, None), LeaveStep::SealAndReplay(_));
        if !is_announced {
            return Err(LeaveError::Unavailable);
        }
        if let Some(Err(error)) = seam::within(deadline, current.incarnation.journals.drain()).await {
            tracing::warn!("what was committed is replayed from the journal: {error}");
        }
        fault_point("leave: to be sealed");
        seam::within(deadline, self.go(current)).await.unwrap_or(Err(LeaveError::Unavailable))
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
        let last = match decide::leave(&current.seen(), me, true, None) {
            LeaveStep::SealAndReplay(lanes) => self.seal(current, lanes.get()).await?,
            _ => return Ok(()),
        };
        fault_point("leave: sealed");
        loop {
            let changed =
                self.node.register.change(|seen| match seen.map(|seen| decide::leave(seen, me, true, Some(last))) {
                    Some(LeaveStep::Swap(view)) => Ok(view),
                    _ => Err(()),
                });
            match changed.await {
                Ok(_) => break,
                Err(RegisterError::Store(error)) => tracing::warn!("cannot leave yet: {error}"),
                Err(RegisterError::View(error)) => tracing::error!("cannot leave yet: {error}"),
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
                Ok(replayed) => return Ok(replayed.last.max(current.incarnation.journals.last_timestamp())),
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
