//! Joining: a node becomes a member, and the owner of what nobody owns.

use dna_core::{Outcome, Timestamp};

use crate::view::{Difference, Member, Seen, Settings, View};

/// Why a node must not join. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JoinError {
    /// It differs from the cluster in something that all nodes must agree on.
    #[error("this node cannot join: {0}")]
    Differs(#[from] Difference),
    /// There is a member of this id already. Take a fresh one.
    #[error("node {0} is a member already; an id serves one start of one node: take a fresh one")]
    IdInUse(dna_core::NodeId),
}

impl JoinError {
    /// Always `NotApplied`: nothing was changed.
    pub fn outcome(&self) -> Outcome {
        Outcome::NotApplied
    }

    /// Whether the same node may well join later: only under a fresh id.
    pub fn is_retryable(&self) -> bool {
        matches!(self, JoinError::IdInUse(_))
    }
}

/// The view in which `me` is a member and, if it is active, the owner of every shard that nobody owned; the first view of
/// the cluster, with these settings, where none was seen.
///
/// The journals of `me` are there before this is swapped in, and its first heartbeat has succeeded.
///
/// # Errors
/// Where the settings differ, or the id is in use.
pub fn join(seen: Option<&Seen>, me: &Member, settings: &Settings, ts: Timestamp) -> Result<View, JoinError> {
    let (version, mut view) = match seen {
        Some(Seen { version, view }) => (version + 1, view.clone()),
        None => (1, View::empty(settings.clone())),
    };
    if let Some(difference) = settings.difference(view.settings()) {
        return Err(difference.into());
    }
    if view.member(me.id).is_some() {
        return Err(JoinError::IdInUse(me.id));
    }
    view.add(me.clone());
    view.add_placements(&settings.placements);
    if me.is_active() {
        for shard in view.shards_without_owner().collect::<Vec<_>>() {
            view.give(shard, Some(me.id), version);
        }
    }
    view.raise_ts(ts);
    Ok(view)
}
