//! The view as the store keeps it: read, and swapped until it is known what became of it.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use dna_core::{ClusterError, ClusterStore, Swap};
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
        let register = self.store.read_view().await?;
        if register.version == 0 {
            return Ok(None);
        }
        Ok(Some(Seen { version: register.version, view: View::decode(&register.bytes)? }))
    }

    /// Changes the view to what `decide` makes of it, as often as another change comes first, until one is in or `decide`
    /// says that there is nothing to change.
    ///
    /// A swap that was not answered is settled before anything else is decided, however long that takes. Behind an error
    /// no swap of this is under way any more, but one that was may be in: read the view to see.
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
            if self.swap(expected, view.encode()?.into()).await? {
                return Ok(Changed::To(Seen { version: expected + 1, view }));
            }
            seen = self.read().await?;
        }
    }

    /// Sends one swap until it is known that it is in, or until the version has moved on; whether it is known to be in.
    async fn swap(&self, expected: u64, new: Bytes) -> Result<bool, ClusterError> {
        let mut in_doubt = false;
        loop {
            match self.store.swap_view(expected, new.clone()).await {
                Ok(Swap::Done) => return Ok(true),
                Ok(Swap::Lost { .. }) => return Ok(false),
                Err(ClusterError::Unknown) => in_doubt = true,
                Err(error) if !in_doubt => return Err(error),
                Err(error) => tracing::warn!("a change of the view is in doubt, and cannot be settled yet: {error}"),
            }
            if self.version_settled(expected).await == NextSwap::DecideAnew {
                return Ok(false);
            }
            seam::sleep(self.pause).await;
        }
    }

    async fn version_settled(&self, expected: u64) -> NextSwap {
        loop {
            match self.store.read_view().await {
                Ok(register) => return settle(expected, register.version),
                Err(error) => tracing::warn!("a change of the view is in doubt, and it cannot be read: {error}"),
            }
            seam::sleep(self.pause).await;
        }
    }
}
