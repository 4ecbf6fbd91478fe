//! Short ways to say what a test commits.

use std::sync::Arc;

use bytes::Bytes;

use crate::{
    name::ActorName,
    store::{ActorWrites, CommitError, Group, KeyRange, Store, Write, WriteKind},
};

/// The actor of this name, of type `T` in the namespace `test`.
pub fn actor(name: &str) -> ActorName {
    ActorName::new("test", "T", name).expect("the name fits its limit")
}

/// A put.
pub fn put(module: &str, key: impl Into<Bytes>, value: impl Into<Bytes>) -> Write {
    Write { module: module.into(), kind: WriteKind::Put { key: key.into(), value: value.into() } }
}

/// A delete.
pub fn delete(module: &str, key: impl Into<Bytes>) -> Write {
    Write { module: module.into(), kind: WriteKind::Delete { key: key.into() } }
}

/// A range delete.
pub fn delete_range(module: &str, range: KeyRange) -> Write {
    Write { module: module.into(), kind: WriteKind::DeleteRange { range } }
}

/// What one actor writes.
pub fn writes(actor: &ActorName, writes: Vec<Write>) -> ActorWrites {
    ActorWrites { actor: actor.clone(), writes }
}

/// A committer as the port asks for it: numbers without gaps, and the same group again until its fate is known.
#[derive(Debug)]
pub struct Committer<'a, S: ?Sized> {
    store: &'a S,
    next: u64,
}

impl<'a, S: Store + ?Sized> Committer<'a, S> {
    /// Claims the store.
    ///
    /// # Panics
    /// If the store cannot be claimed.
    pub async fn attach(store: &'a S) -> Self {
        let next = store.attach().await.expect("the store can be claimed");
        Committer { store, next }
    }

    /// The number of the next group.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// The next group, not yet sent.
    pub fn group(&self, actors: Vec<ActorWrites>) -> Arc<Group> {
        Arc::new(Group { number: self.next, actors })
    }

    /// Commits the next group.
    ///
    /// # Errors
    /// Every answer but `Unknown`, after which the group is sent again.
    pub async fn commit(&mut self, actors: Vec<ActorWrites>) -> Result<(), CommitError> {
        let group = self.group(actors);
        loop {
            match self.store.commit(group.clone()).await {
                Ok(()) => {
                    self.next += 1;
                    return Ok(());
                }
                Err(CommitError::Unknown) => tokio::task::yield_now().await,
                Err(error) => return Err(error),
            }
        }
    }

    /// Commits writes of one actor.
    ///
    /// # Panics
    /// If they are not committed.
    pub async fn write(&mut self, actor: &ActorName, list: Vec<Write>) {
        self.commit(vec![writes(actor, list)]).await.expect("the group is committed");
    }
}
