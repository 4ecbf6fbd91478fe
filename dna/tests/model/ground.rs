//! The stores: how a node is started on them again and again, and what can go wrong with them.

use std::time::Duration;

use dna::{Memory, Node, Refusal, prelude::*};
use tempfile::TempDir;

use crate::{rng::Rng, shelf::Shelf};

pub(crate) enum Ground {
    Memory(Memory),
    Embedded { folder: TempDir, durability: Durability, open: Option<Embedded> },
}

impl Ground {
    pub(crate) fn embedded(durability: Durability) -> Self {
        Ground::Embedded { folder: tempfile::tempdir().unwrap(), durability, open: None }
    }

    /// A new node on the same state, in one of several settings.
    pub(crate) async fn start(&mut self, rng: &mut Rng) -> Node {
        let builder = Node::builder().actor::<Shelf>().encode_messages(rng.once_in(2));
        let builder = if rng.once_in(3) { builder.max_active(2) } else { builder };
        let builder = if rng.once_in(3) { builder.max_batch_messages(3) } else { builder };
        let builder = if rng.once_in(3) { builder.cache_bytes_max(0) } else { builder };
        match self {
            Ground::Memory(memory) => {
                memory.faults().reopen();
                builder.store(memory.clone()).start().await.unwrap()
            }
            Ground::Embedded { folder, durability, open } => {
                *open = None;
                let store = reopen(folder, *durability).await;
                *open = Some(store.clone());
                builder.store(store).start().await.unwrap()
            }
        }
    }

    /// Something goes wrong now and then. Reads fail only where the node ends well: what fails by itself and is not
    /// answered could not be told from what was in doubt.
    pub(crate) fn trouble(&self, rng: &mut Rng, ends_well: bool) {
        let Ground::Memory(memory) = self else { return };
        let (faults, count) = (memory.faults(), 1 + rng.below(2) as usize);
        match rng.below(60) {
            0 => faults.refuse_next(count, Refusal::Full),
            1 => faults.refuse_next(count, Refusal::Busy),
            2 => faults.lose_next_answers(count),
            3 => faults.lose_next_requests(count),
            4 if ends_well => faults.fail_next_reads(count, dna::ReadError::Unavailable),
            5 => faults.delay_commits(Duration::from_millis(rng.below(3))),
            _ => {}
        }
    }

    /// The next commit ends the node.
    pub(crate) fn poison(&self, rng: &mut Rng) {
        match self {
            Ground::Memory(memory) => memory.faults().poison_next(rng.once_in(2)),
            Ground::Embedded { open, .. } => open.as_ref().unwrap().faults().fail_next_sync(),
        }
    }

    /// Nothing goes wrong any more.
    pub(crate) fn calm(&self) {
        if let Ground::Memory(memory) = self {
            memory.faults().delay_commits(Duration::ZERO);
        }
    }
}

/// Opens the directory as soon as the last handle of the dropped node's store is gone.
async fn reopen(folder: &TempDir, durability: Durability) -> Embedded {
    for _ in 0..1000 {
        match Embedded::options().durability(durability).open(folder.path().join("shelves.dna")) {
            Err(dna::EmbeddedError::InUse { .. }) => tokio::time::sleep(Duration::from_millis(5)).await,
            opened => return opened.unwrap(),
        }
    }
    panic!("the directory stays locked");
}
