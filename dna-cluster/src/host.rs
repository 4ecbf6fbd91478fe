//! The port to what a membership is for: whoever runs something on the shards that this process owns.

use std::{fmt, sync::Arc};

use dna_core::{AttachError, NodeId, NodeJournals, Shard};
use futures_util::future::BoxFuture;

use crate::{lease::LeaseHandle, life::Life, membership::ViewSource, seam::Socket};

/// Runs something for each shard that this process owns.
///
/// Of one incarnation first comes `begin`, then any number of `own` and `release`, then `drop_all`; then, perhaps, `begin`
/// again with the next incarnation. For one shard the calls come one after the other; while some shards are being released,
/// others may be owned or released, too. They are not made under any lock.
pub trait Host: Send + Sync + 'static {
    /// This process is about to join under a new id. What is run from now on commits through these journals, and
    /// answers only while this lease holds.
    ///
    /// To be correct:
    /// - It claims the stores of the journals.
    /// - From now on nothing is answered for what this host runs without asking the lease right before it.
    ///
    /// # Errors
    /// The process does not join; `drop_all` follows.
    fn begin(&self, incarnation: Incarnation) -> BoxFuture<'_, Result<(), AttachError>>;

    /// These shards are this node's, each since that epoch.
    ///
    /// To be correct:
    /// - What it runs for a shard is started anew: it reads what other owners have stored. Unless the shard is owned in the
    ///   same epoch as before, because a release of it was dropped: then what has not ended may go on, and whatever is
    ///   started is still the only one of its name.
    fn own(&self, shards: &[(Shard, u64)]);

    /// These shards are to be given away: ends what runs for them, and takes nothing more for them.
    ///
    /// To be correct:
    /// - Once it ends, nothing runs for these shards and no commit for them is under way.
    ///
    /// # Cancel safety
    /// It is dropped when its time is up. Then the shards are owned again in the same epoch, or released once more, or
    /// `drop_all` follows.
    fn release<'a>(&'a self, shards: &'a [Shard]) -> BoxFuture<'a, ()>;

    /// This incarnation is over: drops all that runs, without an answer that claims anything.
    ///
    /// To be correct:
    /// - Once it ends, the last activation is dropped. The listener of the process is kept until then, which tells others
    ///   that there may be one.
    /// - It waits for nobody but for code of the user that cannot be interrupted.
    fn drop_all(&self, why: Loss) -> BoxFuture<'_, ()>;
}

/// One membership of this process, under one id.
#[derive(Clone)]
#[non_exhaustive]
pub struct Incarnation {
    /// Its id.
    pub node: NodeId,
    /// Its journals.
    pub journals: Arc<dyn NodeJournals>,
    /// Its lease.
    pub lease: LeaseHandle,
    pub(crate) life: Life,
    pub(crate) source: ViewSource,
    /// What the process listens on, over all its incarnations.
    pub(crate) listener: Arc<Socket>,
}

/// Why all that runs is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Loss {
    /// The lease has lapsed, or was given up because the membership's own loop panicked: others may have taken over. The
    /// process joins again under a new id.
    LeaseLapsed,
    /// Others have taken over: it is no member any more, or its journals are sealed. The process joins again under a
    /// new id.
    Fenced,
    /// It did not come to a membership: another try follows, or none if it was the first.
    NotJoined,
    /// The process has left, or is about to end without leaving.
    Left,
}

/// Says for one incarnation that its stores take nothing any more. It keeps nothing of the incarnation open. Cheap to
/// clone.
#[derive(Debug, Clone)]
pub struct FencedReport(Life);

impl FencedReport {
    /// Says that a commit was answered `Fenced`, or that nothing is committed any more for another reason: the process
    /// joins again under a new id.
    pub fn report(&self) {
        self.0.end(Loss::Fenced);
    }
}

impl Incarnation {
    /// What says for this incarnation that it is fenced, for whoever may outlive it.
    pub fn fenced_report(&self) -> FencedReport {
        FencedReport(self.life.clone())
    }

    /// Says that a commit was answered `Fenced`: the process joins again under a new id.
    pub fn report_fenced(&self) {
        self.life.end(Loss::Fenced);
    }
}

impl fmt::Debug for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Incarnation").field("node", &self.node).field("lease", &self.lease).finish_non_exhaustive()
    }
}
