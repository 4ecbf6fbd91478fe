//! The loop of a membership: joins, works until the incarnation ends, drops what runs, and joins again.

use std::{collections::BTreeSet, future::Future, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use dna_core::NodeId;
use futures_util::{
    FutureExt,
    future::{Either, select},
};
use tokio::sync::{oneshot, watch as channel};

use super::{Node, Status, asked::Asked, deaths::Deaths, moves::Mover, tenure::Tenure, watch::views};
use crate::{
    decide::{beat_interval, rejoin_pause},
    error::LeaveError,
    host::Loss,
    life::Life,
    meter,
    moment::Moment,
    seam,
};

/// Who waits for a leave to end, to be told how it went.
pub(super) type Leaving = oneshot::Sender<Result<(), LeaveError>>;

/// The loop of a membership.
pub(super) struct Driver {
    pub(super) node: Node,
    pub(super) asked: Arc<Asked>,
    pub(super) status: channel::Sender<Status>,
    /// The current membership, if there is one.
    pub(super) current: Option<Tenure>,
    /// The one that is about to be, from its first heartbeat on.
    pub(super) beginning: Option<Life>,
    /// The ids that this process had before. Nothing runs under them any more.
    pub(super) former: BTreeSet<NodeId>,
    /// When the current membership began.
    joined: Moment,
    /// How long it was waited before it was joined for. None before the first loss.
    pause: Option<Duration>,
}

impl Driver {
    pub(super) fn new(node: Node, asked: Arc<Asked>, status: channel::Sender<Status>) -> Self {
        let joined = node.seam.now();
        Driver { node, asked, status, current: None, beginning: None, former: BTreeSet::new(), joined, pause: None }
    }

    /// Runs until it is to leave, or until nobody is there who could say so.
    pub(super) async fn run(mut self, leaving: oneshot::Receiver<Leaving>) {
        // Those who wait for a status of this keep no loop alive.
        let ready_to_leave = ready_to_leave(leaving, self.status.subscribe(), self.node.config.release_deadline);
        let mut ready_to_leave = std::pin::pin!(ready_to_leave);
        loop {
            match either(&mut ready_to_leave, AssertUnwindSafe(self.live()).catch_unwind()).await {
                Either::Left(Some(answer)) => {
                    let left = AssertUnwindSafe(self.leave()).catch_unwind().await;
                    let left = left.unwrap_or(Err(LeaveError::Unavailable));
                    self.end(Loss::Left).await;
                    self.status.send_replace(Status::Left);
                    // Whoever asked may be gone.
                    let _ = answer.send(left);
                    return;
                }
                Either::Left(None) => {
                    self.end(Loss::Left).await;
                    self.status.send_replace(Status::Left);
                    return;
                }
                Either::Right(why) => {
                    // What panicked has said so. Nobody may wait for what it did not do: the lease is given up.
                    let why = why.unwrap_or(Loss::LeaseLapsed);
                    meter::lost(why);
                    if let Some(current) = &self.current {
                        tracing::warn!(node = %current.node(), ?why, "lost the membership; joining anew");
                    }
                    self.status.send_replace(Status::Joining);
                    self.end(why).await;
                }
            }
        }
    }

    /// Joins if that is to be done, and works until the membership is lost.
    async fn live(&mut self) -> Loss {
        while self.current.is_none() {
            seam::sleep(self.pause.unwrap_or_default()).await;
            if let Err(error) = self.join().await {
                tracing::warn!("cannot join again: {error}");
                seam::sleep(beat_interval(self.node.config.lease)).await;
            }
        }
        self.joined = self.node.seam.now();
        let Some(tenure) = &self.current else { return Loss::NotJoined };
        let life = tenure.incarnation.life.clone();
        let watch = either(views(&self.node, &self.asked, tenure), Deaths::new(&self.node, tenure, &self.former).run());
        let mover = Mover { node: &self.node, asked: &self.asked, tenure };
        match either(life.ended(), either(watch, mover.run())).await {
            Either::Left(why) | Either::Right(Either::Right(why)) => why,
            Either::Right(Either::Left(Either::Left(why) | Either::Right(why))) => why,
        }
    }

    /// Ends the membership, on this side, or what would have become one. Others go on to see a member that does not beat.
    pub(super) async fn end(&mut self, why: Loss) {
        let current = self.current.take().map(|current| current.incarnation.life);
        let lasted = current.as_ref().map_or(Duration::ZERO, |_| self.node.seam.now().since(self.joined));
        let Some(life) = current.or_else(|| self.beginning.take()) else { return };
        life.end(why);
        self.former.insert(life.node);
        self.pause = Some(rejoin_pause(self.node.config.lease, self.pause, lasted));
        self.node.host.drop_all(why).await;
    }
}

/// Ends when it is time to go: with who waits for that, once everything is given away or the time for it is over, or there
/// is nothing to be given away; with nobody where the handle was dropped.
async fn ready_to_leave(
    leaving: oneshot::Receiver<Leaving>,
    mut status: channel::Receiver<Status>,
    deadline: Duration,
) -> Option<Leaving> {
    let answer = leaving.await.ok()?;
    let nothing_left = status.wait_for(|status| !matches!(status, Status::Member { .. }) || status.is_drained());
    if seam::within(deadline, nothing_left).await.is_none() {
        tracing::warn!("not everything could be given away within {deadline:?}; leaving all the same");
    }
    Some(answer)
}

impl Drop for Driver {
    fn drop(&mut self) {
        // The runtime may end at any time; nobody beats or answers then for what is not there any more.
        let current = self.current.iter().map(|current| &current.incarnation.life);
        current.chain(&self.beginning).for_each(|life| life.end(Loss::Left));
    }
}

/// Whichever of two futures ends first; the other one is dropped.
pub(crate) async fn either<A: Future, B: Future>(a: A, b: B) -> Either<A::Output, B::Output> {
    match select(std::pin::pin!(a), std::pin::pin!(b)).await {
        Either::Left((output, _)) => Either::Left(output),
        Either::Right((output, _)) => Either::Right(output),
    }
}
