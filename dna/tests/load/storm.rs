//! Calls and casts to one name, from everywhere, while its shard moves to and fro.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use dna::{MemoryCluster, NodeBuilder, Owner, prelude::*};

use crate::nodes::{id, node, shard_of, until_balanced};

/// What has come, in the order of its handling.
struct Log {
    lines: Kv<u64, (u64, u64)>,
    count: u64,
}

#[dna::actor]
impl Log {
    async fn init(ctx: Context) -> dna::Result<Self> {
        let lines: Kv<u64, (u64, u64)> = ctx.open("lines")?;
        let count = lines.list().await?.len() as u64;
        Ok(Log { lines, count })
    }

    pub async fn append(&mut self, handle: u64, number: u64) {
        self.lines.put(self.count, (handle, number));
        self.count += 1;
    }

    pub async fn all(&self) -> dna::Result<Vec<(u64, u64)>> {
        Ok(self.lines.list().await?.into_iter().map(|(_, line)| line).collect())
    }
}

const MOVES: usize = 100;
const NAME: &str = "alice";

/// When a move that did not come about is asked for again.
const AGAIN: Duration = Duration::from_secs(1);

/// Sends through one handle, a cast and a call in turns, until it is told to end: how many messages it has sent.
async fn send(log: LogClient, handle: u64, ends: Arc<AtomicBool>) -> u64 {
    let mut number = 0;
    while !ends.load(Ordering::SeqCst) {
        log.append(handle, number).timeout(Duration::from_secs(30)).cast().await.unwrap();
        log.append(handle, number + 1).timeout(Duration::from_secs(30)).await.unwrap();
        number += 2;
        // A list of all lines is to fit into memory at each activation.
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    number
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_calls_to_a_name_whose_shard_moves_to_and_fro_is_handled_once_each_and_in_order() {
    storm(MOVES, |builder| builder).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn casts_that_wait_for_room_in_a_mailbox_go_with_the_shard_in_their_order() {
    storm(MOVES / 2, |builder| builder.mailbox_messages_max(1)).await;
}

async fn storm(moves: usize, settings: impl Fn(NodeBuilder) -> NodeBuilder) {
    let cluster = MemoryCluster::new();
    let start = || settings(node(&cluster).actor::<Log>()).start();
    let nodes = [start().await.unwrap(), start().await.unwrap(), start().await.unwrap()];
    let [first, second, third] = &nodes;
    until_balanced(&[first, second, third]).await;
    let shard = shard_of::<Log>(NAME);
    let ends = Arc::new(AtomicBool::new(false));
    let senders: Vec<_> = (0..6)
        .map(|handle: usize| {
            let log = nodes[handle % 3].client::<Log>(NAME);
            tokio::spawn(send(log, handle as u64, ends.clone()))
        })
        .collect();

    let ids = [id(first), id(second), id(third)];
    let mut views = nodes.each_ref().map(|node| node.membership().unwrap());
    let mut owners = Vec::new();
    let mut asked = Instant::now();
    while owners.len() <= moves {
        let own = views.iter_mut().position(|views| matches!(views.latest().owner(shard), Owner::Own { .. }));
        if let Some(owner) = own.filter(|owner| owners.last() != Some(owner) || asked.elapsed() > AGAIN) {
            if owners.last() != Some(&owner) {
                owners.push(owner);
            }
            // Where it is not at home it moves back by itself, unless this is faster.
            nodes[owner].give_away(shard, ids[(owner + 1) % 3]);
            asked = Instant::now();
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    ends.store(true, Ordering::SeqCst);
    let mut sent = BTreeMap::new();
    for (handle, sender) in senders.into_iter().enumerate() {
        sent.insert(handle as u64, sender.await.unwrap());
    }

    let mut handled: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    for (handle, number) in first.client::<Log>(NAME).all().timeout(Duration::from_secs(30)).await.unwrap() {
        handled.entry(handle).or_default().push(number);
    }
    for (handle, count) in sent {
        assert!(count > 0, "handle {handle} has sent something");
        assert_eq!(handled[&handle], (0..count).collect::<Vec<_>>(), "each once, in the order of handle {handle}");
    }
    for node in nodes {
        node.shutdown().await.unwrap();
    }
}
