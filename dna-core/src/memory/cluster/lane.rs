//! One lane of a node: a journal of its own, and the store over it. Commits go to the journal one after the other, in a
//! task of their own; rows follow in another.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot, watch};

use super::{
    clock::NodeClock,
    committer::{Committer, Request},
    database::JournalId,
    journal::Entry,
    link::Link,
    plan::RequestKind,
    row_writer,
    rule::Rule,
};
use crate::{
    cluster::DrainError,
    name::ActorName,
    runtime,
    store::{AttachError, CommitError, Group, KeyRange, ReadError, Store, WriteKind},
};

/// A lane's store. What runs in its background ends with it.
pub(super) struct Lane {
    shared: Arc<Shared>,
    requests: mpsc::UnboundedSender<Request>,
}

/// What a lane's store and its two tasks share.
pub(super) struct Shared {
    pub(super) id: JournalId,
    pub(super) link: Link,
    pub(super) clock: Arc<NodeClock>,
    /// Whether the store is claimed, or will be once what was asked for before is done.
    claimed: Mutex<bool>,
    /// What is committed and not stored as rows yet, in order.
    pub(super) waiting: Mutex<VecDeque<Arc<Entry>>>,
    /// The last group that is known to be committed.
    pub(super) head: watch::Sender<u64>,
    /// The last group whose rows are stored, and those of all before it.
    pub(super) done: watch::Sender<u64>,
    pub(super) closed: watch::Sender<bool>,
}

/// A claim on its way to whoever asked for it. Dropped on the way, it is given back.
pub(super) struct Ticket {
    shared: Arc<Shared>,
    requests: mpsc::UnboundedSender<Request>,
    pub(super) armed: bool,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if self.armed {
            self.shared.detach(&self.requests);
        }
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.shared.closed.send_replace(true);
    }
}

impl Shared {
    fn detach(&self, requests: &mpsc::UnboundedSender<Request>) {
        *self.claimed.lock() = false;
        // Without a committer there is no claim to give back.
        let _ = requests.send(Request::Detach);
    }

    /// The claim that was under way came to nothing.
    pub(super) fn unclaim(&self) {
        *self.claimed.lock() = false;
    }
}

impl Lane {
    /// The store over a journal that was just made.
    pub(super) fn start(id: JournalId, link: Link, clock: Arc<NodeClock>) -> Self {
        let shared = Arc::new(Shared {
            id,
            link,
            clock,
            claimed: Mutex::default(),
            waiting: Mutex::default(),
            head: watch::Sender::default(),
            done: watch::Sender::default(),
            closed: watch::Sender::default(),
        });
        let (requests, received) = mpsc::unbounded_channel();
        runtime::spawn_here(Committer::new(shared.clone(), received).run());
        runtime::spawn_here(row_writer::run(shared.clone()));
        Lane { shared, requests }
    }

    /// Waits until everything that is committed by now is stored, and the journal says so.
    pub(super) async fn drain(&self) -> Result<(), DrainError> {
        let (answer, answered) = oneshot::channel();
        let through = self.ask(Request::Settle { answer }, answered).await?;
        if self.shared.link.keeps(Rule::DrainWaits) {
            // The sender lives as long as this lane.
            let _ = self.shared.done.subscribe().wait_for(|done| *done >= through).await;
        }
        if !self.shared.link.keeps(Rule::DrainReleases) {
            return Ok(());
        }
        let (answer, answered) = oneshot::channel();
        self.ask(Request::Release { answer }, answered).await
    }

    async fn ask<T>(
        &self,
        request: Request,
        answered: oneshot::Receiver<Result<T, DrainError>>,
    ) -> Result<T, DrainError> {
        self.requests.send(request).map_err(|_| DrainError::Poisoned)?;
        answered.await.unwrap_or(Err(DrainError::Poisoned))
    }

    fn waiting(&self) -> Vec<Arc<Entry>> {
        if !self.shared.link.keeps(Rule::ReadsMergeWhatWaits) {
            return Vec::new();
        }
        self.shared.waiting.lock().iter().cloned().collect()
    }
}

impl Store for Lane {
    fn attach(&self) -> BoxFuture<'_, Result<u64, AttachError>> {
        Box::pin(async move {
            let (answer, answered) = oneshot::channel();
            if std::mem::replace(&mut *self.shared.claimed.lock(), true) {
                return Err(AttachError::InUse);
            }
            let ticket = Ticket { shared: self.shared.clone(), requests: self.requests.clone(), armed: false };
            // Without a committer nobody answers, which says enough.
            let _ = self.requests.send(Request::Attach { ticket, answer });
            match answered.await {
                Ok(Ok((mut ticket, number))) => {
                    ticket.armed = false;
                    Ok(number)
                }
                Ok(Err(error)) => Err(error),
                Err(_) => Err(AttachError::Read(ReadError::Closed)),
            }
        })
    }

    fn detach(&self) {
        self.shared.detach(&self.requests);
    }

    fn commit(&self, group: Arc<Group>) -> BoxFuture<'_, Result<(), CommitError>> {
        let (answer, answered) = oneshot::channel();
        let _ = self.requests.send(Request::Commit { group, answer });
        // A runtime that has ended has answered nothing.
        Box::pin(async move { answered.await.unwrap_or(Err(CommitError::Unknown)) })
    }

    fn get<'a>(
        &'a self,
        actor: &'a ActorName,
        module: &'a str,
        key: &'a [u8],
    ) -> BoxFuture<'a, Result<Option<Bytes>, ReadError>> {
        Box::pin(async move {
            // Before the rows are read: what is stored meanwhile stands in one of the two.
            let waiting = Changes::of(&self.waiting(), actor, module);
            let (actor, module) = (actor.clone(), module.to_owned());
            let key = Bytes::copy_from_slice(key);
            let row = self.shared.link.ask(RequestKind::Get, {
                let key = key.clone();
                move |database| database.rows.get(&actor, &module, &key)
            });
            let row = row.await?;
            Ok(waiting.apply_to(row.map(|value| (key.clone(), value)), |other| *other == key).remove(&key))
        })
    }

    fn scan<'a>(
        &'a self,
        actor: &'a ActorName,
        module: &'a str,
        range: &'a KeyRange,
        limit: usize,
        reverse: bool,
    ) -> BoxFuture<'a, Result<Vec<(Bytes, Bytes)>, ReadError>> {
        Box::pin(async move {
            let waiting = Changes::of(&self.waiting(), actor, module);
            // How many rows what waits takes away is known only once they are read.
            let enough = if waiting.0.is_empty() { limit } else { usize::MAX };
            let rows = self.shared.link.ask(RequestKind::Scan, {
                let (actor, module, range) = (actor.clone(), module.to_owned(), range.clone());
                move |database| database.rows.scan(&actor, &module, &range, enough, reverse)
            });
            let rows = waiting.apply_to(rows.await?, |key| range.contains(key)).into_iter();
            Ok(if reverse { rows.rev().take(limit).collect() } else { rows.take(limit).collect() })
        })
    }
}

/// What waits to be stored of one module of one actor, in order.
struct Changes(Vec<(Arc<Entry>, usize, usize)>);

impl Changes {
    fn of(entries: &[Arc<Entry>], actor: &ActorName, module: &str) -> Self {
        let mut changes = Vec::new();
        for entry in entries {
            let actors = entry.group.actors.iter().enumerate();
            for (index, writes) in actors.filter(|(_, writes)| writes.actor == *actor) {
                let writes = writes.writes.iter().enumerate();
                let of_module = writes.filter(|(_, write)| *write.module == *module);
                changes.extend(of_module.map(|(write, _)| (entry.clone(), index, write)));
            }
        }
        Changes(changes)
    }

    /// These changes made to rows, as far as they concern the keys that are wanted.
    fn apply_to(
        &self,
        rows: impl IntoIterator<Item = (Bytes, Bytes)>,
        wanted: impl Fn(&Bytes) -> bool,
    ) -> BTreeMap<Bytes, Bytes> {
        let mut rows: BTreeMap<Bytes, Bytes> = rows.into_iter().collect();
        for (entry, actor, write) in &self.0 {
            let write = entry.group.actors.get(*actor).and_then(|actor| actor.writes.get(*write));
            match write.map(|write| &write.kind) {
                Some(WriteKind::Put { key, value }) if wanted(key) => {
                    rows.insert(key.clone(), value.clone());
                }
                Some(WriteKind::Delete { key }) => {
                    rows.remove(key);
                }
                Some(WriteKind::DeleteRange { range }) => rows.retain(|key, _| !range.contains(key)),
                Some(WriteKind::Put { .. }) | None => {}
            }
        }
        rows
    }
}
