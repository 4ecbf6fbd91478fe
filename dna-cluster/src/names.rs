//! Where names are placed, as the view and the store say: by their hash, or for the shard that they were registered for.

use std::{fmt, sync::Arc};

use dna_core::{
    ActorName, CallError, ClusterError, ClusterStore, Directory, NodeId, Outcome, PlacingProblem, Shard, TypeMismatch,
};
use futures_util::future::BoxFuture;

use crate::{
    decide::{known_by, shard_for_new},
    limits::{LOOKUP_PAUSE, LOOKUP_PAUSE_MAX},
    membership::{Status, ViewSource},
    seam,
    view::{Placement, Seen},
};

/// The names of a cluster. Cheap to clone; it keeps no membership going.
#[derive(Clone)]
pub(crate) struct Names {
    store: Arc<dyn ClusterStore>,
    source: ViewSource,
}

impl Names {
    pub(crate) fn new(store: Arc<dyn ClusterStore>, source: ViewSource) -> Self {
        Names { store, source }
    }

    /// The view as it was seen last, and who this process is in it; waits until it is a member.
    async fn seen(&self) -> Result<(NodeId, Arc<Seen>), CallError> {
        let mut status = self.source.status();
        let known = status.wait_for(|status| !matches!(status, Status::Joining)).await;
        match known.as_deref() {
            Ok(Status::Member { node, seen }) => Ok((*node, seen.clone())),
            _ => Err(CallError::Stopped { outcome: Outcome::NotApplied }),
        }
    }

    async fn place(&self, actor: &ActorName, version: u32) -> Result<Shard, CallError> {
        let (mut me, mut seen) = self.seen().await?;
        if placement(&seen, actor.kind()).is_none() {
            // Somebody may have brought the type since.
            self.source.refresh(seen.version + 1).await;
            (me, seen) = self.seen().await?;
        }
        match placement(&seen, actor.kind()) {
            Some(Placement::Hash) => Ok(Shard::of(actor, seen.view.settings().shards)),
            Some(_) => self.register(actor, me, seen).await,
            None => {
                let mismatch = TypeMismatch::new(actor.kind(), version, None, known_by(&seen.view, actor.kind()));
                Err(CallError::UnknownType(Box::new(mismatch)))
            }
        }
    }

    /// Registers a name, or learns for which shard it is registered.
    async fn register(&self, actor: &ActorName, me: NodeId, seen: Arc<Seen>) -> Result<Shard, CallError> {
        let mut pause = LOOKUP_PAUSE;
        let shard = shard_for_new(&seen.view, me, actor);
        loop {
            let problem = match self.store.register_name(actor, shard).await {
                Ok(shard) if shard.0 < seen.view.settings().shards.get() => return Ok(shard),
                Ok(shard) => {
                    tracing::error!(%actor, %shard, "a name is registered for a shard that there is not");
                    PlacingProblem::Corrupt
                }
                Err(ClusterError::Unknown) => {
                    seam::sleep(pause).await;
                    pause = (pause * 2).min(LOOKUP_PAUSE_MAX);
                    continue;
                }
                Err(ClusterError::Unavailable) => PlacingProblem::Unavailable,
                Err(ClusterError::Corrupt) => PlacingProblem::Corrupt,
                Err(_) => PlacingProblem::Rejected,
            };
            return Err(CallError::NotPlaced { actor: actor.to_string(), problem });
        }
    }
}

fn placement(seen: &Seen, kind: &str) -> Option<Placement> {
    seen.view.settings().placements.get(kind).copied()
}

impl Directory for Names {
    fn placement(&self, kind: &str) -> Option<Placement> {
        match &*self.source.status().borrow() {
            Status::Member { seen, .. } => placement(seen, kind),
            Status::Joining | Status::Left => None,
        }
    }

    fn place(&self, actor: ActorName, version: u32) -> BoxFuture<'static, Result<Shard, CallError>> {
        let names = self.clone();
        Box::pin(async move { Names::place(&names, &actor, version).await })
    }
}

impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Names").finish_non_exhaustive()
    }
}
