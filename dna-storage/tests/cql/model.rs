//! Random operations with takeovers and restarts in between: the store on the database answers what `Memory` answers.
//! `DNA_MODEL_SEED` chooses others, `DNA_MODEL_WRITES` more: 10,000 unless it is set.

use std::{env, time::Duration};

use dna_core::{ClusterStore, CommitError, Memory, NodeId, NodeJournals, Store, Timestamp};
use dna_storage::{Scylla, ScyllaJournals, journaled::JournaledOptions};

use crate::{
    shared::{model, random::Random},
    support::{Keyspace, has_server},
};

fn setting(name: &str, default: u64) -> u64 {
    env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

/// The node that is at work.
struct Owner {
    journals: ScyllaJournals,
    number: u64,
}

impl Owner {
    async fn start(journals: ScyllaJournals) -> Self {
        let number = journals.stores()[0].attach().await.unwrap();
        Owner { journals, number }
    }

    fn store(&self) -> &dyn Store {
        &*self.journals.stores()[0]
    }

    /// The next group to both stores; how many writes it had.
    async fn commit(&mut self, random: &mut Random, memory: &Memory, memory_number: &mut u64) -> usize {
        let (group, writes) = model::group(random, self.number, 60);
        loop {
            match self.store().commit(group.clone()).await {
                Ok(()) => break,
                Err(CommitError::Unknown) => {}
                Err(error) => panic!("group {} was answered {error}", self.number),
            }
        }
        let mut group = (*group).clone();
        group.number = *memory_number;
        memory.commit(group.into()).await.unwrap();
        self.number += 1;
        *memory_number += 1;
        writes
    }
}

#[tokio::test]
async fn random_writes_read_as_they_do_in_the_reference_over_takeovers() {
    if !has_server() {
        return;
    }
    let mut random = Random::new(setting("DNA_MODEL_SEED", 1));
    let wanted = usize::try_from(setting("DNA_MODEL_WRITES", 10_000)).unwrap();
    let keyspace = Keyspace::create().await;
    let options = JournaledOptions { gather_rows: Duration::from_millis(5), ..JournaledOptions::default() };
    let scylla = Scylla::connect(keyspace.config().journaled(options)).await.unwrap();
    let memory = Memory::new();
    let mut memory_number = memory.attach().await.unwrap();
    let mut owner = Owner::start(scylla.journals(NodeId::new(), 1, Timestamp::ZERO).await.unwrap()).await;
    let mut writes = 0;

    while writes < wanted {
        match random.below(60) {
            0 => {
                // The old one is still there, and stores what it has: too late.
                let replayed = scylla.seal_and_replay(owner.journals.node(), 1).await.unwrap();
                let next = scylla.journals(NodeId::new(), 1, replayed.last).await.unwrap();
                let old = std::mem::replace(&mut owner, Owner::start(next).await);
                let (group, _) = model::group(&mut random, old.number, 3);
                assert_eq!(old.store().commit(group).await, Err(CommitError::Fenced));
            }
            1 => {
                let node = owner.journals.node();
                drop(owner);
                owner = Owner::start(scylla.reopen_journals(node, 1).await.unwrap()).await;
            }
            2 => owner.journals.drain().await.unwrap(),
            _ => {}
        }
        writes += owner.commit(&mut random, &memory, &mut memory_number).await;
        if random.one_in(3) {
            model::compare_some(&mut random, owner.store(), &memory).await;
        }
    }

    model::compare_all(owner.store(), &memory).await;
    owner.journals.drain().await.unwrap();
    model::compare_all(owner.store(), &memory).await;
}
