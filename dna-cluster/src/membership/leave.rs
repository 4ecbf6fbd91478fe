//! Leaving: step by step, in the time there is.

use dna_core::{Shard, Timestamp, fault_point};

use super::driver::Driver;
use crate::{
    decide::{self, LeaveStep, beat_interval},
    error::LeaveError,
    register::{Changed, RegisterError},
    seam,
    view::{Seen, View},
};

impl Driver {
    /// Leaves; what it runs may take its time, and so may the way out of the view.
    pub(super) async fn leave(&mut self) -> Result<(), LeaveError> {
        if self.current.is_none() {
            return Err(LeaveError::NotAMember);
        }
        let deadline = self.node.config.release_deadline;
        // The others know first, so that nobody gives it shards meanwhile.
        fault_point("leave: to be announced");
        let draining = seam::within(deadline, self.drain()).await;
        fault_point("leave: announced");
        if seam::within(deadline, self.release()).await.is_none() {
            tracing::warn!("what this node runs did not end within {deadline:?}; leaving without it");
            self.node.host.drop_all(crate::host::Loss::Left).await;
        }
        fault_point("leave: released");
        draining.unwrap_or(Err(LeaveError::Unavailable))?;
        if let Some(current) = &self.current
            && let Some(Err(error)) = seam::within(deadline, current.incarnation.journals.drain()).await
        {
            tracing::warn!("what was committed is replayed from the journal: {error}");
        }
        fault_point("leave: to be sealed");
        seam::within(deadline, self.go()).await.unwrap_or(Err(LeaveError::Unavailable))
    }

    /// Swaps the view in which this node is draining.
    async fn drain(&mut self) -> Result<(), LeaveError> {
        let Some(current) = &mut self.current else { return Err(LeaveError::NotAMember) };
        let me = current.incarnation.node;
        let changed = swap(self.node.register.clone(), self.node.config.lease, |seen| {
            match decide::leave(seen, me, false, None) {
                LeaveStep::Drain(view) => Ok(view),
                _ => Err(Some(Box::new(seen.clone()))),
            }
        });
        match changed.await {
            Changed::To(seen) => current.seen = seen.into(),
            Changed::Not(Some(seen)) => current.seen = seen.into(),
            Changed::Not(None) => {}
        }
        Ok(())
    }

    async fn release(&mut self) {
        let Some(current) = &self.current else { return };
        let shards = current.seen.view.shards_of(current.incarnation.node).map(|(shard, _)| shard);
        self.node.host.release(&shards.collect::<Vec<Shard>>()).await;
    }

    /// Seals the own journals, and swaps oneself out.
    async fn go(&mut self) -> Result<(), LeaveError> {
        let Some(current) = &self.current else { return Err(LeaveError::NotAMember) };
        let me = current.incarnation.node;
        let last = match decide::leave(&current.seen, me, true, None) {
            LeaveStep::SealAndReplay(lanes) => self.seal(lanes.get()).await?,
            _ => return Ok(()),
        };
        fault_point("leave: sealed");
        let changed = swap(self.node.register.clone(), self.node.config.lease, |seen| {
            match decide::leave(seen, me, true, Some(last)) {
                LeaveStep::Swap(view) => Ok(view),
                _ => Err(None),
            }
        });
        let _ = changed.await;
        fault_point("leave: swapped");
        tracing::info!(node = %me, "left the cluster");
        Ok(())
    }

    async fn seal(&self, lanes: u16) -> Result<Timestamp, LeaveError> {
        let Some(current) = &self.current else { return Err(LeaveError::NotAMember) };
        loop {
            match self.node.store.seal_and_replay(current.incarnation.node, lanes).await {
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

/// Changes the view, for as long as that takes.
async fn swap(
    register: crate::register::Register,
    lease: std::time::Duration,
    decide: impl Fn(&Seen) -> Result<View, Option<Box<Seen>>>,
) -> Changed<Option<Box<Seen>>> {
    loop {
        match register.change(|seen| seen.map_or(Err(None), &decide)).await {
            Ok(changed) => return changed,
            Err(RegisterError::Store(error)) => tracing::warn!("cannot leave yet: {error}"),
            Err(RegisterError::View(error)) => tracing::error!("cannot leave yet: {error}"),
        }
        seam::sleep(beat_interval(lease)).await;
    }
}
