//! Callers at every node: reads and writes of registers, lines into books.

use std::{
    future::poll_fn,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::Poll,
    time::Duration,
};

use dna::testing::{
    Chance, Cluster, Running,
    history::{Action, Recorder},
};
use futures_util::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};

use crate::{
    book::{Book, Notes},
    climate::Climate,
    register::{Register, apply, ended},
};

pub(crate) const REGISTERS: [&str; 3] = ["ash", "beech", "cedar"];
pub(crate) const BOOKS: [&str; 2] = ["almanac", "bestiary"];

/// Callers of registers, and writers of books, on each node.
const CALLERS: usize = 2;
const WRITERS: usize = 2;

/// How many lines of one writer are under way at the most.
const UNDER_WAY_MAX: usize = 8;

/// The load of a run. A clone is the same.
#[derive(Clone)]
pub(crate) struct Load {
    pub(crate) recorder: Recorder,
    pub(crate) notes: Notes,
    climate: Climate,
    ends: Arc<AtomicBool>,
    handles: Arc<AtomicU64>,
}

impl Load {
    pub(crate) fn new(climate: Climate) -> Self {
        Load {
            recorder: Recorder::new(),
            notes: Notes::default(),
            climate,
            ends: Arc::default(),
            handles: Arc::default(),
        }
    }

    /// Lets callers run in the process of a node, until it ends or the load does.
    pub(crate) fn on(&self, cluster: &Cluster, node: usize) -> Vec<Running<()>> {
        let mut running = Vec::new();
        for _ in 0..CALLERS {
            let (load, within, chance) = (self.clone(), cluster.clone(), cluster.chance());
            running.push(cluster.spawn(node, async move { load.call_registers(&within, node, chance).await }));
        }
        for _ in 0..WRITERS {
            let (load, within, chance) = (self.clone(), cluster.clone(), cluster.chance());
            running.push(cluster.spawn(node, async move { load.write_books(&within, node, chance).await }));
        }
        running
    }

    /// Ends it: each caller waits for its last answer.
    pub(crate) fn end(&self) {
        self.ends.store(true, Ordering::SeqCst);
    }

    fn has_ended(&self) -> bool {
        self.ends.load(Ordering::SeqCst)
    }

    fn handle(&self) -> u64 {
        self.handles.fetch_add(1, Ordering::SeqCst)
    }

    async fn call_registers(&self, cluster: &Cluster, node: usize, mut chance: Chance) {
        let caller = format!("node-{node}-caller-{}", self.handle());
        let clients = REGISTERS.map(|name| cluster.client::<Register>(node, name));
        while !self.has_ended() {
            let at = chance.index(REGISTERS.len());
            let action = self.climate.action(&mut chance);
            let pending = self.recorder.invoke(&caller, REGISTERS[at], action);
            let answer = apply(&clients[at], action).await;
            pending.end(ended(&answer));
            cluster.sleep(Duration::from_millis(1 + chance.below(100))).await;
        }
    }

    /// Sends lines one after the other, and waits for no answer before the next one.
    async fn write_books(&self, cluster: &Cluster, node: usize, mut chance: Chance) {
        let handle = self.handle();
        let book = BOOKS[chance.index(BOOKS.len())];
        let client = cluster.client::<Book>(node, book);
        let mut under_way = FuturesUnordered::<BoxFuture<'static, ()>>::new();
        let mut number = 0;
        while !self.has_ended() {
            number += 1;
            let (notes, is_cast) = (self.notes.clone(), chance.once_in(3));
            notes.send(book, handle, number);
            let pause = if chance.once_in(12) { 1 + chance.below(400) } else { 0 };
            let call = client.append(handle, number, pause);
            let mut line: BoxFuture<'static, ()> = if is_cast {
                let cast = call.cast();
                Box::pin(async move { notes.cast(book, handle, number, &cast.await) })
            } else {
                Box::pin(async move { notes.called(book, handle, number, &call.await) })
            };
            // It is sent now.
            let is_over = poll_fn(|cx| Poll::Ready(line.poll_unpin(cx).is_ready())).await;
            if !is_over {
                under_way.push(line);
            }
            let mut pause = std::pin::pin!(cluster.sleep(Duration::from_millis(1 + chance.below(90))));
            poll_fn(|cx| {
                while let Poll::Ready(Some(())) = under_way.poll_next_unpin(cx) {}
                if under_way.len() < UNDER_WAY_MAX { pause.poll_unpin(cx) } else { Poll::Pending }
            })
            .await;
        }
        while under_way.next().await.is_some() {}
    }
}

impl Climate {
    fn action(self, chance: &mut Chance) -> Action {
        let write = Action::Write(chance.below(1000));
        match (self, chance.below(10)) {
            // What is only read may be old where clocks stand still.
            (Climate::Standstills, 0..4) => Action::Add(1),
            (Climate::Standstills, _) => write,
            (_, 0..4) => Action::Read,
            (_, 4..7) => Action::Add(1),
            (_, 7) => Action::Swap(chance.below(20), 100 + chance.below(20)),
            _ => write,
        }
    }
}
