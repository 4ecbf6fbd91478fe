//! Nodes that write, for the cases of the suite.

use std::sync::Arc;

use bytes::Bytes;

use super::super::{LaneStore, actor, put, writes};
use crate::{
    cluster::{ClusterStore, NodeId, NodeJournals, Timestamp},
    name::ActorName,
    store::{CommitError, Group, KeyRange, Store, Write},
};

/// Ten minutes, by which a case moves timestamps ahead.
const AHEAD_MICROS: u64 = 600_000_000;

/// A timestamp so far ahead of another one.
pub(super) fn ahead_of(timestamp: Timestamp, micros: u64) -> Timestamp {
    Timestamp::from_micros(timestamp.as_micros() + micros)
}

/// A timestamp that is ten minutes ahead of those that nodes use by themselves.
pub(super) async fn far_ahead(store: &impl ClusterStore) -> Timestamp {
    let mut node = Node::start(store).await;
    node.commit(0, &actor("whoever"), vec![put("m", "k", "now")]).await.expect("the group is committed");
    ahead_of(node.journals.last_timestamp(), AHEAD_MICROS)
}

/// A node that has claimed all its lanes.
pub(super) struct Node {
    pub(super) id: NodeId,
    pub(super) journals: Arc<dyn NodeJournals>,
    lanes: Vec<(LaneStore, u64)>,
}

impl Node {
    /// A fresh node with one lane, whose timestamps are above no particular floor.
    pub(super) async fn start(store: &impl ClusterStore) -> Self {
        Node::start_with(store, 1, Timestamp::ZERO).await
    }

    pub(super) async fn start_with(store: &impl ClusterStore, lanes: u16, floor: Timestamp) -> Self {
        let id = NodeId::new();
        let journals = store.open_journals(id, lanes, floor).await.expect("the journals can be opened");
        assert_eq!(journals.node(), id);
        assert_eq!(journals.stores().len(), usize::from(lanes));
        let mut claimed = Vec::new();
        for lane in 0..usize::from(lanes) {
            let store = LaneStore::new(journals.clone(), lane);
            let next = store.attach().await.expect("a new journal can be claimed");
            assert_eq!(next, 1, "the first group of a node's lane");
            claimed.push((store, next));
        }
        Node { id, journals, lanes: claimed }
    }

    /// The store of a lane.
    pub(super) fn store(&self, lane: usize) -> &LaneStore {
        &self.lanes[lane].0
    }

    /// Commits writes of one actor on a lane, again until there is a definite answer.
    pub(super) async fn commit(&mut self, lane: usize, actor: &ActorName, list: Vec<Write>) -> Result<(), CommitError> {
        let (store, next) = &mut self.lanes[lane];
        let group = Arc::new(Group { number: *next, actors: vec![writes(actor, list)] });
        loop {
            match store.commit(group.clone()).await {
                Ok(()) => {
                    *next += 1;
                    return Ok(());
                }
                Err(CommitError::Unknown) => tokio::task::yield_now().await,
                Err(error) => return Err(error),
            }
        }
    }

    /// Commits a value of the row that all cases share, on the first lane.
    pub(super) async fn write(&mut self, value: impl Into<Bytes>) {
        let put = put("m", "k", value);
        self.commit(0, &actor("alice"), vec![put]).await.expect("the group is committed");
    }

    /// The value of that row, as this node reads it.
    pub(super) async fn read(&self) -> Option<Bytes> {
        self.store(0).get(&actor("alice"), "m", b"k").await.expect("the row can be read")
    }

    /// All rows of an actor's module `m`, as this node reads them on a lane.
    pub(super) async fn rows(&self, lane: usize, actor: &ActorName) -> Vec<(Bytes, Bytes)> {
        let rows = self.store(lane).scan(actor, "m", &KeyRange::all(), usize::MAX, false).await;
        rows.expect("the rows can be read")
    }
}
