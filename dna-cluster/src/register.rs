//! The view as the store keeps it: read, and swapped until it is known what became of it.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use dna_core::{ClusterError, ClusterStore, Swap, ViewRegister};
use tokio::sync::Mutex;

use crate::{
    decide::{NextSwap, settle},
    seam,
    view::{Seen, View, ViewError},
};

/// The view register of a cluster.
#[derive(Clone)]
pub(crate) struct Register {
    store: Arc<dyn ClusterStore>,
    /// How long to wait before a swap without an answer is sent once more, or the view is read once more.
    pause: Duration,
    /// This node makes one change after the other.
    changing: Arc<Mutex<()>>,
}

/// Why the view was not read or changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RegisterError {
    #[error(transparent)]
    Store(#[from] ClusterError),
    #[error(transparent)]
    View(#[from] ViewError),
    /// A swap was not answered, and the view that tells what became of it cannot be read by this release.
    #[error("whether a change of the view is in cannot be told: {0}")]
    InDoubt(ViewError),
}

/// What became of a swap.
enum Swapped {
    /// It is in.
    Done,
    /// It never was, and never will be.
    Lost,
    /// It was not answered. The version has moved on to this one, which tells.
    Settled(ViewRegister),
}

/// What became of an attempt to change the view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Changed<E> {
    /// The view is this now.
    To(Seen),
    /// There was nothing to change any more.
    Not(E),
}

impl Register {
    pub(crate) fn new(store: Arc<dyn ClusterStore>, pause: Duration) -> Self {
        Register { store, pause, changing: Arc::default() }
    }

    /// The view; none if nobody ever joined.
    pub(crate) async fn read(&self) -> Result<Option<Seen>, RegisterError> {
        Ok(decode(&self.store.read_view().await?)?)
    }

    /// Changes the view to what `decide` makes of it, as often as another change comes first, until one is in or `decide`
    /// says that there is nothing to change.
    ///
    /// A swap that was not answered is settled before anything else is decided, however long that takes, and `decide` is
    /// given the very view that settles it. So behind an error no swap of this is under way any more, and none is in, but
    /// for `InDoubt`.
    pub(crate) async fn change<E>(
        &self,
        mut decide: impl FnMut(Option<&Seen>) -> Result<View, E>,
    ) -> Result<Changed<E>, RegisterError> {
        let _one_by_one = self.changing.lock().await;
        let mut seen = self.read().await?;
        loop {
            let view = match decide(seen.as_ref()) {
                Ok(view) => view,
                Err(why) => return Ok(Changed::Not(why)),
            };
            let expected = seen.map_or(0, |seen| seen.version);
            seen = match self.swap(expected, view.encode()?.into()).await? {
                Swapped::Done => return Ok(Changed::To(Seen { version: expected + 1, view })),
                Swapped::Lost => self.read().await?,
                Swapped::Settled(register) => decode(&register).map_err(RegisterError::InDoubt)?,
            };
        }
    }

    /// Sends one swap until it is known that it is in, or until the version has moved on.
    async fn swap(&self, expected: u64, new: Bytes) -> Result<Swapped, ClusterError> {
        let mut in_doubt = false;
        loop {
            match self.store.swap_view(expected, new.clone()).await {
                Ok(Swap::Done) => return Ok(Swapped::Done),
                Ok(Swap::Lost { .. }) if !in_doubt => return Ok(Swapped::Lost),
                // Perhaps to the first try of this very swap.
                Ok(Swap::Lost { .. }) => {}
                Err(ClusterError::Unknown) => in_doubt = true,
                Err(error) if !in_doubt => return Err(error),
                Err(error) => tracing::warn!("a change of the view is in doubt, and cannot be settled yet: {error}"),
            }
            let register = self.read_register().await;
            if settle(expected, register.version) == NextSwap::DecideAnew {
                return Ok(Swapped::Settled(register));
            }
            seam::sleep(self.pause).await;
        }
    }

    async fn read_register(&self) -> ViewRegister {
        loop {
            match self.store.read_view().await {
                Ok(register) => return register,
                Err(error) => tracing::warn!("a change of the view is in doubt, and it cannot be read: {error}"),
            }
            seam::sleep(self.pause).await;
        }
    }
}

fn decode(register: &ViewRegister) -> Result<Option<Seen>, ViewError> {
    if register.version == 0 {
        return Ok(None);
    }
    Ok(Some(Seen { version: register.version, view: View::decode(&register.bytes)? }))
}
