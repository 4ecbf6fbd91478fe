//! What a store may rely on in the groups that it is given.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use dna_core::{
    ActorName, Actors, AttachError, CommitError, Engine, Group, KeyRange, Memory, ReadError, Refusal, Settings, Store,
};
use futures_util::future::BoxFuture;

use crate::{
    support::{Doll, Plain, get, look, put, run},
    world::{World, begin, doll, until},
};

/// A memory store that notes the actors of every group.
struct Noting {
    memory: Memory,
    groups: Mutex<Vec<Vec<String>>>,
}

impl Store for Noting {
    fn attach(&self) -> BoxFuture<'_, Result<u64, AttachError>> {
        self.memory.attach()
    }

    fn detach(&self) {
        self.memory.detach();
    }

    fn commit(&self, group: Arc<Group>) -> BoxFuture<'_, Result<(), CommitError>> {
        let names = group.actors.iter().map(|writes| writes.actor.name().to_owned()).collect();
        self.groups.lock().unwrap().push(names);
        self.memory.commit(group)
    }

    fn get<'a>(
        &'a self,
        actor: &'a ActorName,
        module: &'a str,
        key: &'a [u8],
    ) -> BoxFuture<'a, Result<Option<Bytes>, ReadError>> {
        self.memory.get(actor, module, key)
    }

    fn scan<'a>(
        &'a self,
        actor: &'a ActorName,
        module: &'a str,
        range: &'a KeyRange,
        limit: usize,
        reverse: bool,
    ) -> BoxFuture<'a, Result<Vec<(Bytes, Bytes)>, ReadError>> {
        self.memory.scan(actor, module, range, limit, reverse)
    }
}

#[tokio::test]
async fn no_actor_stands_in_a_group_twice_also_where_a_part_of_its_writes_was_refused() {
    let world = World::new();
    let memory = Memory::new();
    let store = Arc::new(Noting { memory: memory.clone(), groups: Mutex::default() });
    let mut settings = Settings::default();
    settings.namespace = world.namespace.as_str().into();
    let engine = Engine::start(store.clone(), Actors::new().with::<Doll<Plain>>(), settings).await.unwrap();
    let faults = memory.faults();
    let quarter = "x".repeat(250_000);
    let write = async |name: &str, messages: usize| {
        let mut answers = Vec::new();
        for number in 0..messages {
            answers.push(begin(run(&doll(&engine, name), vec![put(&number.to_string(), &quarter)])).await);
        }
        let before = engine.stats().uncommitted_bytes;
        until("they are handled", || engine.stats().uncommitted_bytes >= before + messages * quarter.len()).await;
        answers
    };
    faults.hold_commits();
    let mut written = write("blocker", 1).await;
    faults.commits_waiting(1).await;
    // More than a group has room for: its rest stays in the committer's queue, behind the others.
    let refused = write("alice", 4).await;
    written.extend(write("bob", 2).await);
    written.extend(write("carol", 3).await);
    faults.release_next_commits(1);
    until("alice is under way", || store.groups.lock().unwrap().len() == 2).await;
    faults.refuse_next(1, Refusal::Busy);
    faults.release_next_commits(1);
    for answer in refused {
        answer.await.unwrap().unwrap_err();
    }
    until("bob is under way", || store.groups.lock().unwrap().len() == 3).await;
    // While the queue has her still, she writes again.
    written.extend(write("alice", 4).await);
    faults.release_commits();
    for answer in written {
        answer.await.unwrap().unwrap();
    }
    let groups = store.groups.lock().unwrap().clone();
    assert_eq!(groups[..3], [vec!["blocker".to_owned()], vec!["alice".to_owned()], vec!["bob".to_owned()]]);
    for names in &groups {
        assert_eq!(names.len(), names.iter().collect::<BTreeSet<_>>().len(), "{groups:?}");
    }
    for key in ["0", "3"] {
        assert_eq!(look(&doll(&engine, "alice"), vec![get(key)]).await.unwrap(), [Some(quarter.clone())]);
    }
}
