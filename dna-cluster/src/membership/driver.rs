//! The loop of a membership: joins, watches until the incarnation ends, drops what runs, and joins again.

use std::{collections::BTreeSet, future::Future, sync::Arc};

use dna_core::NodeId;
use futures_util::future::{Either, select};
use tokio::sync::{oneshot, watch as channel};

use super::{Node, Status};
use crate::{
    decide::{Detector, beat_interval},
    error::LeaveError,
    host::{Incarnation, Loss},
    life::Life,
    seam,
    view::Seen,
};

/// What the handle asks of the loop.
#[derive(Debug)]
pub(super) enum Request {
    /// To leave, and to say how that went.
    Leave(oneshot::Sender<Result<(), LeaveError>>),
}

/// The loop of a membership.
pub(super) struct Driver {
    pub(super) node: Node,
    pub(super) status: channel::Sender<Status>,
    /// The current membership, if there is one.
    pub(super) current: Option<Current>,
    /// The one that is about to be, from its first heartbeat on.
    pub(super) beginning: Option<Life>,
    /// The ids that this process had before. Nothing runs under them any more.
    pub(super) former: BTreeSet<NodeId>,
}

/// A membership under one id.
pub(super) struct Current {
    pub(super) incarnation: Incarnation,
    pub(super) seen: Arc<Seen>,
    pub(super) detector: Detector,
    /// The members whose takeover failed for good, which has been reported.
    pub(super) reported: BTreeSet<NodeId>,
}

impl Driver {
    pub(super) fn new(node: Node, status: channel::Sender<Status>) -> Self {
        Driver { node, status, current: None, beginning: None, former: BTreeSet::new() }
    }

    /// Runs until it is to leave, or until nobody is there who could say so.
    pub(super) async fn run(mut self, mut requests: oneshot::Receiver<Request>) {
        loop {
            match either(&mut requests, self.live()).await {
                Either::Left(Ok(Request::Leave(answer))) => {
                    let left = self.leave().await;
                    self.end(Loss::Left).await;
                    self.status.send_replace(Status::Left);
                    // Whoever asked may be gone.
                    let _ = answer.send(left);
                    return;
                }
                Either::Left(Err(_)) => {
                    self.end(Loss::Left).await;
                    self.status.send_replace(Status::Left);
                    return;
                }
                Either::Right(why) => {
                    if let Some(current) = &self.current {
                        tracing::warn!(node = %current.incarnation.node, ?why, "lost the membership; joining anew");
                    }
                    self.status.send_replace(Status::Joining);
                    self.end(why).await;
                }
            }
        }
    }

    /// Joins if that is to be done, and watches until the membership is lost.
    async fn live(&mut self) -> Loss {
        while self.current.is_none() {
            if let Err(error) = self.join().await {
                tracing::warn!("cannot join again: {error}");
                seam::sleep(beat_interval(self.node.config.lease)).await;
            }
        }
        let Some(current) = &self.current else { return Loss::NotJoined };
        let life = current.incarnation.life.clone();
        match either(life.ended(), self.watch()).await {
            Either::Left(why) | Either::Right(why) => why,
        }
    }

    /// Ends the membership, on this side, or what would have become one. Others go on to see a member that does not beat.
    pub(super) async fn end(&mut self, why: Loss) {
        let current = self.current.take().map(|current| current.incarnation.life);
        let Some(life) = current.or_else(|| self.beginning.take()) else { return };
        life.end(why);
        self.former.insert(life.node);
        self.node.host.drop_all(why).await;
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // The runtime may end at any time; nobody beats or answers then for what is not there any more.
        let current = self.current.iter().map(|current| &current.incarnation.life);
        current.chain(&self.beginning).for_each(|life| life.end(Loss::Left));
    }
}

/// Whichever of two futures ends first; the other one is dropped.
pub(super) async fn either<A: Future, B: Future>(a: A, b: B) -> Either<A::Output, B::Output> {
    match select(std::pin::pin!(a), std::pin::pin!(b)).await {
        Either::Left((output, _)) => Either::Left(output),
        Either::Right((output, _)) => Either::Right(output),
    }
}
