//! Calls and casts to one name, from everywhere, while its shard moves to and fro.

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

use dna::{CallError, MemoryCluster, NodeBuilder, Owner, prelude::*};
use tokio::{sync::watch, task::JoinHandle};

use crate::{
    nodes::{id, node, shard_of, until_balanced},
    pipeline::sent,
};

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

/// How long all moves may take together.
const MOVES_DEADLINE: Duration = Duration::from_secs(120);

/// How many messages a handle sends with each move: a list of all lines is to fit into memory at each activation.
const MESSAGES_A_MOVE: u64 = 64;

/// How many calls of one handle are under way at once.
const AT_ONCE: usize = 24;

const DEADLINE: Duration = Duration::from_secs(30);

async fn answered(call: JoinHandle<Result<(), CallError>>) {
    call.await.unwrap().unwrap();
}

/// Sends through one handle while the shard moves, with each move as soon as it begins: calls that do not wait for each
/// other, and a cast behind each second one. How many messages it has sent when the moves have ended.
async fn send(log: LogClient, handle: u64, mut moves: watch::Receiver<usize>) -> u64 {
    let (mut number, mut calls) = (0, VecDeque::new());
    while moves.changed().await.is_ok() {
        for _ in 0..MESSAGES_A_MOVE {
            let message = log.append(handle, number).timeout(DEADLINE);
            number += 1;
            if number % 3 == 0 {
                message.cast().await.unwrap();
                continue;
            }
            calls.push_back(sent(message).await);
            if calls.len() > AT_ONCE {
                answered(calls.pop_front().unwrap()).await;
            }
            if number % 8 == 0 {
                // So that some leave before the move, some during it and some behind it.
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
    }
    for call in calls {
        answered(call).await;
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
    let (moving, moved) = watch::channel(0);
    let senders: Vec<_> = (0..6)
        .map(|handle: usize| {
            let log = nodes[handle % 3].client::<Log>(NAME);
            tokio::spawn(send(log, handle as u64, moved.clone()))
        })
        .collect();

    let ids = [id(first), id(second), id(third)];
    let mut views = nodes.each_ref().map(|node| node.membership().unwrap());
    let mut owners = Vec::new();
    let mut asked = Instant::now();
    let all_moves = async {
        while owners.len() <= moves {
            let own = views.iter_mut().position(|views| matches!(views.latest().owner(shard), Owner::Own { .. }));
            if let Some(owner) = own.filter(|owner| owners.last() != Some(owner) || asked.elapsed() > AGAIN) {
                if owners.last() != Some(&owner) {
                    owners.push(owner);
                    moving.send_replace(owners.len());
                }
                // Where it is not at home it moves back by itself, unless this is faster.
                nodes[owner].give_away(shard, ids[(owner + 1) % 3]);
                asked = Instant::now();
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let ended = tokio::time::timeout(MOVES_DEADLINE, all_moves).await;
    assert!(ended.is_ok(), "{} of {moves} moves in {MOVES_DEADLINE:?}", owners.len());
    drop(moving);
    let mut counts = BTreeMap::new();
    for (handle, sender) in senders.into_iter().enumerate() {
        counts.insert(handle as u64, sender.await.unwrap());
    }

    let mut handled: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    for (handle, number) in first.client::<Log>(NAME).all().timeout(DEADLINE).await.unwrap() {
        handled.entry(handle).or_default().push(number);
    }
    for (handle, count) in counts {
        assert!(count >= MESSAGES_A_MOVE, "handle {handle} has sent something");
        assert_eq!(handled[&handle], (0..count).collect::<Vec<_>>(), "each once, in the order of handle {handle}");
    }
    for node in nodes {
        node.shutdown().await.unwrap();
    }
}
