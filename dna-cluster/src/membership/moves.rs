//! Moving: gives away what belongs elsewhere, batch by batch, beside everything else that a member does.
//!
//! A shard that is to move is released, so that nothing runs for it; then what was committed for it is stored; then it is
//! swapped. From its release until that swap has a definite answer nobody serves it.

use std::collections::BTreeMap;

use dna_core::{DrainError, Shard, fault_point};

use super::{Node, asked::Asked, driver::either, tenure::Tenure};
use crate::{
    decide::{self, Late, LeaveStep, Move, MoveStep, beat_interval},
    host::Loss,
    meter::{MOVE_DURATION, MOVES_LATE, SHARDS_GIVEN_AWAY},
    register::{Changed, RegisterError},
    seam,
    view::Seen,
};

/// Gives away what belongs elsewhere, for as long as a membership lasts.
pub(super) struct Mover<'a> {
    pub(super) node: &'a Node,
    pub(super) asked: &'a Asked,
    pub(super) tenure: &'a Tenure,
}

/// What became of a batch.
enum Moved {
    /// These shards are somebody else's, or were not this node's any more.
    Away,
    /// Something that runs for one of them did not end in time. They are served again.
    Late,
    /// The database did not store or answer what it had to. They are served again.
    NotNow,
}

impl Mover<'_> {
    /// Works until the membership is lost.
    pub(super) async fn run(self) -> Loss {
        let mut late = Late::default();
        loop {
            match self.step(&mut late).await {
                Ok(()) => {}
                Err(why) => return why,
            }
        }
    }

    async fn step(&self, late: &mut Late) -> Result<(), Loss> {
        let mut news = self.tenure.news();
        if self.asked.drains() && self.is_active() {
            return self.announce().await;
        }
        if let Some((shard, to)) = self.asked.next_move() {
            if let Some(epoch) = self.tenure.seen().view.epoch_of(shard, self.tenure.node()) {
                let moves = [Move { shard, epoch, to: Some(to) }];
                self.give_away(&moves, self.node.config.release_deadline, true).await?;
            }
            return Ok(());
        }
        let (seen, steady) = (self.tenure.seen(), self.tenure.steady());
        let (me, now) = (self.tenure.node(), self.node.seam.now());
        let patience_max = self.node.config.release_deadline;
        // A membership that has ended says so elsewhere.
        let wanted = either(self.until_it_drains(), self.asked.until_a_move_is_wanted());
        let change = async { _ = either(news.changed(), wanted).await };
        match decide::next_moves(&seen.view, me, &steady, late, patience_max, now) {
            MoveStep::Nothing => change.await,
            MoveStep::Wait(duration) => _ = either(change, seam::sleep(duration)).await,
            MoveStep::Move { moves, patience } => {
                let shards = moves.iter().map(|a_move| a_move.shard).collect::<Vec<_>>();
                match self.give_away(&moves, patience, false).await? {
                    Moved::Away => late.moved(shards),
                    Moved::Late => late.missed(shards, patience, self.node.seam.now()),
                    Moved::NotNow => seam::sleep(beat_interval(self.node.config.lease)).await,
                }
            }
        }
        Ok(())
    }

    fn is_active(&self) -> bool {
        self.tenure.seen().view.member(self.tenure.node()).is_some_and(|member| member.is_active())
    }

    /// Ends when there is something to announce.
    async fn until_it_drains(&self) {
        if self.is_active() {
            self.asked.until_it_drains().await;
        } else {
            std::future::pending().await
        }
    }

    /// Has the others know that this node drains, so that nobody gives it shards.
    async fn announce(&self) -> Result<(), Loss> {
        fault_point("leave: to be announced");
        let (me, journals) = (self.tenure.node(), &self.tenure.incarnation.journals);
        let changed = self.node.register.change(|seen| match seen {
            Some(seen) => match decide::leave(seen, me, false, None, journals.last_timestamp()) {
                LeaveStep::Drain(view) => Ok(view),
                _ => Err(Some(Box::new(seen.clone()))),
            },
            None => Err(None),
        });
        match changed.await {
            Ok(Changed::To(seen)) => self.tenure.adopt(self.node, seen).await?,
            Ok(Changed::Not(Some(seen))) => self.tenure.adopt(self.node, *seen).await?,
            Ok(Changed::Not(None)) => return Err(Loss::Fenced),
            Err(error) => {
                tracing::warn!("cannot say yet that this node drains: {error}");
                seam::sleep(beat_interval(self.node.config.lease)).await;
                return Ok(());
            }
        }
        fault_point("leave: announced");
        Ok(())
    }

    /// Releases a batch, sees to it that all of it is stored, and swaps it; forced, wherever it belongs.
    async fn give_away(&self, moves: &[Move], patience: std::time::Duration, is_forced: bool) -> Result<Moved, Loss> {
        // While the shards are still served, and only if it can be done: then what is left to be stored behind their
        // release is little.
        if !self.all_is_stored().await? {
            return Ok(Moved::NotNow);
        }
        let resting = self.tenure.rest(moves.iter().map(|a_move| (a_move.shard, a_move.epoch)));
        if resting.is_empty() {
            return Ok(Moved::Away);
        }
        fault_point("move: to be released");
        let shards = resting.keys().copied().collect::<Vec<_>>();
        let started = self.node.seam.now();
        if seam::within(patience, self.node.host.release(&shards)).await.is_none() {
            tracing::warn!(?patience, shards = shards.len(), "what runs did not end in time; moving its shards later");
            self.tenure.serve_again(self.node, &resting);
            MOVES_LATE.add(&[], 1);
            return Ok(Moved::Late);
        }
        fault_point("move: released");
        if !self.all_is_stored().await? {
            self.tenure.serve_again(self.node, &resting);
            return Ok(Moved::NotNow);
        }
        fault_point("move: to be swapped");
        let swapped = self.swap(&resting, moves, is_forced).await;
        fault_point("move: swapped");
        let is_sure = swapped.is_ok();
        let seen = match swapped {
            Ok(seen) => seen,
            Err(error) => self.read_definitely(&error).await,
        };
        let Some(seen) = seen else { return Err(Loss::Fenced) };
        self.tenure.adopt(self.node, seen).await?;
        // What others have is not among what rests any more.
        let kept = self.tenure.serve_again(self.node, &resting);
        tracing::info!(shards = resting.len() - kept.len(), "gave shards away");
        SHARDS_GIVEN_AWAY.add(&[], (resting.len() - kept.len()) as u64);
        MOVE_DURATION.record(&[], self.node.seam.now().since(started).as_secs_f64(), 1);
        Ok(if is_sure || kept.is_empty() { Moved::Away } else { Moved::NotNow })
    }

    /// Waits until everything that is committed by now is stored, and says whether it is.
    async fn all_is_stored(&self) -> Result<bool, Loss> {
        match seam::within(self.node.config.release_deadline, self.tenure.incarnation.journals.drain()).await {
            Some(Ok(())) => Ok(true),
            Some(Err(DrainError::Fenced)) => Err(Loss::Fenced),
            Some(Err(error)) => {
                tracing::warn!("shards cannot move now: {error}");
                Ok(false)
            }
            None => {
                tracing::warn!("shards cannot move now: what was committed is not stored in time");
                Ok(false)
            }
        }
    }

    /// Gives the shards to whom they belong by then. The view behind that, which says who owns them; none if there is none.
    async fn swap(
        &self,
        resting: &BTreeMap<Shard, u64>,
        moves: &[Move],
        is_forced: bool,
    ) -> Result<Option<Seen>, RegisterError> {
        let (me, journals) = (self.tenure.node(), &self.tenure.incarnation.journals);
        let changed = self.node.register.change(|seen| {
            let Some(seen) = seen else { return Err(None) };
            let last = journals.last_timestamp();
            let given = match is_forced {
                true => decide::hand_over(seen, me, moves, last),
                false => decide::hand_over_resting(seen, me, resting, last),
            };
            given.ok_or_else(|| Some(Box::new(seen.clone())))
        });
        Ok(match changed.await? {
            Changed::To(seen) => Some(seen),
            Changed::Not(seen) => seen.map(|seen| *seen),
        })
    }

    /// Reads the view behind a swap that has ended with an error, for as long as that takes: an earlier try of it may be
    /// in, and none is under way any more.
    async fn read_definitely(&self, error: &RegisterError) -> Option<Seen> {
        tracing::warn!("cannot swap the owners of shards: {error}");
        loop {
            match self.node.register.read().await {
                Ok(seen) => return seen,
                Err(error) => tracing::warn!("cannot read who owns the shards that were to move: {error}"),
            }
            seam::sleep(beat_interval(self.node.config.lease)).await;
        }
    }
}
