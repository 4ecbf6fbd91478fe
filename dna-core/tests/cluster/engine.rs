//! The engine on the journals of a node: one owner deposed, the next one serves what the first has acknowledged.

use std::sync::Arc;

use dna_core::{
    Access, Actor, Actors, Call, CallError, Client, ClusterStore, Context, Engine, Error, Handled, Loss, MemoryCluster,
    NodeId, NodeJournals, Partition, Settings, StorageModule, Timestamp,
    testing::{Fate, RequestKind},
};
use serde::{Deserialize, Serialize};

struct Cell(Partition);

impl StorageModule for Cell {
    fn open(partition: Partition) -> Self {
        Cell(partition)
    }
}

struct Counter {
    cell: Cell,
}

#[derive(Serialize, Deserialize)]
struct Add(u64);

impl Actor for Counter {
    const KIND: &'static str = "Counter";
    type Message = Add;
    type Reply = Result<u64, Error>;
    type Client = Client<Self>;

    async fn init(context: Context<Self>) -> Result<Self, Error> {
        Ok(Counter { cell: context.open("total")? })
    }

    fn access(_: &Add) -> Access {
        Access::Exclusive
    }

    async fn handle(&self, _: Add) -> Handled<Self::Reply> {
        unreachable!("every message is exclusive")
    }

    async fn handle_mut(&mut self, Add(amount): Add) -> Handled<Self::Reply> {
        let stored = match self.cell.0.get(b"n").await {
            Ok(stored) => stored,
            Err(error) => return Handled::failed(Err(error.into())),
        };
        let total = amount + stored.map_or(0, |n| u64::from_be_bytes(n.as_ref().try_into().unwrap()));
        self.cell.0.put("n".into(), total.to_be_bytes().to_vec().into());
        Handled::done(Ok(total))
    }
}

async fn start(cluster: &MemoryCluster, floor: Timestamp) -> (Engine, Arc<dyn NodeJournals>) {
    let journals = cluster.open_journals(NodeId::new(), 1, floor).await.unwrap();
    let store = journals.stores()[0].clone();
    let engine = Engine::start(store, Actors::new().with::<Counter>(), Settings::default()).await.unwrap();
    (engine, journals)
}

fn add(engine: &Engine, amount: u64) -> Call<Counter, u64, Error> {
    engine.client::<Counter>("visits").call(Add(amount), Some)
}

#[tokio::test]
async fn a_deposed_engine_is_refused_and_the_next_one_goes_on() {
    let here = MemoryCluster::new();
    let there = here.another();
    let (first, journals) = start(&here, Timestamp::ZERO).await;
    here.faults().hold([RequestKind::StoreRows]);
    for total in 1..=5 {
        assert_eq!(add(&first, 1).await.unwrap(), total);
    }

    let replayed = there.seal_and_replay(journals.node(), 1).await.unwrap();
    let (second, _journals) = start(&there, replayed.last).await;
    assert_eq!(add(&second, 10).await.unwrap(), 15);
    let refused = add(&first, 100).await.unwrap_err();
    here.faults().release([RequestKind::StoreRows]);

    assert!(matches!(refused, CallError::Lost { loss: Loss::Fenced, .. }), "{refused:?}");
    assert_eq!(add(&second, 10).await.unwrap(), 25);
    assert!(first.shutdown().await.is_err(), "it says that it was deposed");
    second.shutdown().await.unwrap();
}

#[tokio::test]
async fn an_engine_answers_ok_although_answers_of_its_commits_are_lost() {
    let cluster = MemoryCluster::new();
    let (engine, journals) = start(&cluster, Timestamp::ZERO).await;
    for (total, fate) in (1..).zip([Fate::LoseAnswer, Fate::LoseRequest, Fate::Strand, Fate::Echo]) {
        cluster.faults().next(1, RequestKind::Append, fate);
        assert_eq!(add(&engine, 1).await.unwrap(), total, "{fate:?}");
    }
    cluster.faults().deliver_stranded();
    assert_eq!(add(&engine, 1).await.unwrap(), 5, "each was applied once");

    engine.shutdown().await.unwrap();
    journals.drain().await.unwrap();
    assert_eq!(cluster.seal_and_replay(journals.node(), 1).await.unwrap().entries, 0);
}
