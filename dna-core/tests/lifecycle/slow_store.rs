//! A store that works where it should only begin: it holds up nobody but its own commits.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
    mpsc,
};

use bytes::Bytes;
use dna_core::{
    ActorName, Actors, AttachError, CallError, CommitError, Engine, Group, KeyRange, Memory, Outcome, ReadError,
    Settings, Store,
};
use futures_util::future::BoxFuture;

use crate::{
    support::{Doll, Plain, get, line, put, run},
    world::{World, begin, doll, until},
};

/// Blocks its thread in the call of every commit, once it is told to, until `go` says something or is dropped.
struct Blocking {
    memory: Memory,
    block: Arc<AtomicBool>,
    blocked: Arc<AtomicBool>,
    go: Mutex<mpsc::Receiver<()>>,
}

impl Store for Blocking {
    fn attach(&self) -> BoxFuture<'_, Result<u64, AttachError>> {
        self.memory.attach()
    }

    fn detach(&self) {
        self.memory.detach();
    }

    fn commit(&self, group: Arc<Group>) -> BoxFuture<'_, Result<(), CommitError>> {
        if self.block.load(Ordering::Relaxed) {
            self.blocked.store(true, Ordering::Relaxed);
            self.go.lock().unwrap().recv().ok();
        }
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

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn reads_and_the_end_of_a_node_do_not_wait_for_a_store_that_blocks_in_commit() {
    let world = World::new();
    let memory = Memory::new();
    let before = world.start(&memory).await;
    run(&doll(&before, "bob"), vec![put("b", "1")]).await.unwrap();
    before.shutdown().await.unwrap();
    let (block, blocked) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicBool::new(false)));
    let (go, gone) = mpsc::channel();
    let store = Blocking { memory: memory.clone(), block, blocked: blocked.clone(), go: Mutex::new(gone) };
    let mut settings = Settings::default();
    settings.namespace = world.namespace.as_str().into();
    let engine = Engine::start(Arc::new(store), Actors::new().with::<Doll<Plain>>(), settings).await.unwrap();
    let writer = begin(run(&doll(&engine, "alice"), vec![put("a", "1")])).await;
    until("the store blocks", || blocked.load(Ordering::Relaxed)).await;
    assert_eq!(run(&doll(&engine, "bob"), vec![get("b")]).await.unwrap(), [line("1")]);
    let ended = std::thread::spawn(move || drop(engine));
    let error = writer.await.unwrap().unwrap_err();
    assert_eq!(error, CallError::Stopped { outcome: Outcome::Unknown });
    until("every actor is dropped", || world.alive() == 0).await;
    assert!(!ended.is_finished(), "the claim ended while a commit began");
    drop(go);
    ended.join().unwrap();
    world.start(&memory).await.shutdown().await.unwrap();
}
