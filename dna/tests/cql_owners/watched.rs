//! A cluster's store that says under which ids its process is a member and whose journals it takes over, and keeps the
//! journals of its own ids open.

use std::{
    sync::{Arc, Mutex},
    time::Instant,
};

use bytes::Bytes;
use dna_core::{
    ActorName, ClusterError, ClusterStore, NodeId, NodeJournals, OpenJournalsError, Replayed, SealError, Shard, Swap,
    Timestamp, ViewRegister,
};
use futures_util::future::BoxFuture;

use crate::child::say;

/// Does what the store in it does.
pub(crate) struct Watched<S> {
    store: S,
    /// Else it is wrong: nothing is sealed, and nothing of a dead node is stored.
    replays: bool,
    /// Those of former ids go on to store what they have taken: nothing but the database keeps them from taking more.
    journals: Mutex<Vec<Arc<dyn NodeJournals>>>,
    told: Mutex<Option<NodeId>>,
    /// Since when heartbeats and views are read without an error under the present id: the end of the first such read.
    reads_since: Mutex<Option<Instant>>,
}

impl<S> Watched<S> {
    pub(crate) fn new(store: S, replays: bool) -> Self {
        Watched { store, replays, journals: Mutex::default(), told: Mutex::default(), reads_since: Mutex::default() }
    }

    /// A swap behind the opening of journals is the one that makes their node a member.
    fn tell(&self) {
        let node = self.journals.lock().unwrap().last().map(|journals| journals.node());
        let mut told = self.told.lock().unwrap();
        if let Some(node) = node.filter(|node| *told != Some(*node)) {
            *told = Some(node);
            say(format_args!("member {node}"));
        }
    }

    /// Says whose journals are taken over: a former id of this process, or how long it has seen the other one silent at
    /// the most.
    fn tell_takeover(&self, node: NodeId) {
        if self.journals.lock().unwrap().iter().any(|journals| journals.node() == node) {
            say(format_args!("takes {node} own"));
            return;
        }
        let since = *self.reads_since.lock().unwrap();
        say(format_args!("takes {node} {}", since.map_or(0, |since| since.elapsed().as_millis())));
    }

    fn has_read<T>(&self, read: Result<T, ClusterError>, beats: bool) -> Result<T, ClusterError> {
        let mut since = self.reads_since.lock().unwrap();
        match &read {
            Ok(_) if beats => *since = since.or_else(|| Some(Instant::now())),
            Ok(_) => {}
            Err(_) => *since = None,
        }
        read
    }
}

impl<S: ClusterStore> ClusterStore for Watched<S> {
    fn agreement(&self) -> String {
        self.store.agreement()
    }

    fn read_view(&self) -> BoxFuture<'_, Result<ViewRegister, ClusterError>> {
        Box::pin(async move { self.has_read(self.store.read_view().await, false) })
    }

    fn swap_view(&self, expected: u64, new: Bytes) -> BoxFuture<'_, Result<Swap, ClusterError>> {
        Box::pin(async move {
            let swapped = self.store.swap_view(expected, new).await;
            if let Ok(Swap::Done) = swapped {
                self.tell();
            }
            swapped
        })
    }

    fn beat(&self, node: NodeId, beat: u64) -> BoxFuture<'_, Result<(), ClusterError>> {
        self.store.beat(node, beat)
    }

    fn beats(&self) -> BoxFuture<'_, Result<Vec<(NodeId, u64)>, ClusterError>> {
        Box::pin(async move { self.has_read(self.store.beats().await, true) })
    }

    fn open_journals(
        &self,
        node: NodeId,
        lanes: u16,
        ts_floor: Timestamp,
    ) -> BoxFuture<'_, Result<Arc<dyn NodeJournals>, OpenJournalsError>> {
        Box::pin(async move {
            let journals = self.store.open_journals(node, lanes, ts_floor).await?;
            self.journals.lock().unwrap().push(journals.clone());
            // Under another id it watches anew.
            *self.reads_since.lock().unwrap() = None;
            Ok(journals)
        })
    }

    fn seal_and_replay(&self, node: NodeId, lanes: u16) -> BoxFuture<'_, Result<Replayed, SealError>> {
        self.tell_takeover(node);
        if self.replays { self.store.seal_and_replay(node, lanes) } else { Box::pin(async { Ok(Replayed::default()) }) }
    }

    fn register_name<'a>(&'a self, actor: &'a ActorName, shard: Shard) -> BoxFuture<'a, Result<Shard, ClusterError>> {
        self.store.register_name(actor, shard)
    }
}
