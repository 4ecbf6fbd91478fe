//! One lane of a node as a store of its own, for the suite of [`Store`].

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;

use crate::{
    cluster::NodeJournals,
    name::ActorName,
    store::{AttachError, CommitError, Group, KeyRange, ReadError, Store},
};

/// The store of one lane of a node, which keeps the node's journals open. With it what a node of a cluster commits
/// through runs [`store_conformance!`](crate::store_conformance), too.
#[derive(Clone)]
pub struct LaneStore {
    journals: Arc<dyn NodeJournals>,
    lane: usize,
}

impl LaneStore {
    /// The store of this lane.
    ///
    /// # Panics
    /// If the node has no such lane.
    pub fn new(journals: Arc<dyn NodeJournals>, lane: usize) -> Self {
        assert!(lane < journals.stores().len(), "node {} has no lane {lane}", journals.node());
        LaneStore { journals, lane }
    }

    /// The journals that it is one of.
    pub fn journals(&self) -> &Arc<dyn NodeJournals> {
        &self.journals
    }

    fn store(&self) -> &dyn Store {
        &*self.journals.stores()[self.lane]
    }
}

impl Store for LaneStore {
    fn attach(&self) -> BoxFuture<'_, Result<u64, AttachError>> {
        self.store().attach()
    }

    fn detach(&self) {
        self.store().detach();
    }

    fn commit(&self, group: Arc<Group>) -> BoxFuture<'_, Result<(), CommitError>> {
        self.store().commit(group)
    }

    fn get<'a>(
        &'a self,
        actor: &'a ActorName,
        module: &'a str,
        key: &'a [u8],
    ) -> BoxFuture<'a, Result<Option<Bytes>, ReadError>> {
        self.store().get(actor, module, key)
    }

    fn scan<'a>(
        &'a self,
        actor: &'a ActorName,
        module: &'a str,
        range: &'a KeyRange,
        limit: usize,
        reverse: bool,
    ) -> BoxFuture<'a, Result<Vec<(Bytes, Bytes)>, ReadError>> {
        self.store().scan(actor, module, range, limit, reverse)
    }
}
