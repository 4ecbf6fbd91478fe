//! Nodes of one process on one cluster's store, with real sockets between them: any node calls any name.
#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods, clippy::indexing_slicing, reason = "tests")]

#[path = "support/pipeline.rs"]
mod pipeline;

use std::{collections::VecDeque, net::SocketAddr, sync::Arc, time::Duration};

use dna::{CallError, MemoryCluster, prelude::*};
use pipeline::sent;
use tokio::task::JoinHandle;

/// Keeps what it was sent, in the order of its handling.
struct Journal {
    lines: Kv<u64, u64>,
    count: u64,
}

#[dna::actor]
impl Journal {
    async fn init(ctx: Context) -> dna::Result<Self> {
        let lines: Kv<u64, u64> = ctx.open("lines")?;
        let count = lines.list().await?.len() as u64;
        Ok(Journal { lines, count })
    }

    pub async fn append(&mut self, number: u64) -> u64 {
        self.lines.put(self.count, number);
        self.count += 1;
        self.count
    }

    pub async fn all(&self) -> dna::Result<Vec<u64>> {
        Ok(self.lines.list().await?.into_iter().map(|(_, number)| number).collect())
    }

    pub async fn fail(&mut self, number: u64) -> Result<u64, String> {
        self.lines.put(self.count, number);
        Err(format!("not {number}"))
    }

    /// Answers after a while.
    pub async fn slow(&mut self, millis: u64) -> u64 {
        tokio::time::sleep(Duration::from_millis(millis)).await;
        millis
    }

    /// Calls that one, which calls this one.
    pub async fn call(&mut self, other: String) -> Result<u64, String> {
        let me = "alice".to_owned();
        Journal::client(other).call_back(me).await.map_err(|error| error.to_string())
    }

    pub async fn call_back(&mut self, other: String) -> Result<u64, String> {
        Journal::client(other).append(1).await.map_err(|error| format!("{error:?}"))
    }

    pub async fn echo(&self, bytes: Vec<u8>) -> Vec<u8> {
        bytes
    }
}

const LEASE: Duration = Duration::from_millis(1500);

async fn start(cluster: &MemoryCluster) -> Node {
    let listen: SocketAddr = "127.0.0.1:0".parse().unwrap();
    let node = Node::builder().store(cluster.clone()).listen(listen).lease(LEASE).actor::<Journal>();
    node.start().await.unwrap()
}

async fn two() -> (Node, Node) {
    let cluster = MemoryCluster::new();
    (start(&cluster).await, start(&cluster.another()).await)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_node_calls_any_name() {
    let (first, second) = two().await;
    for number in 0..50 {
        let name = format!("name {number}");
        assert_eq!(first.client::<Journal>(name.as_str()).append(1).await.unwrap(), 1);
        assert_eq!(second.client::<Journal>(name.as_str()).append(2).await.unwrap(), 2);
        assert_eq!(second.client::<Journal>(name).all().await.unwrap(), [1, 2]);
    }
    second.shutdown().await.unwrap();
    first.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_error_of_a_handler_crosses_nodes_with_its_outcome() {
    let (first, second) = two().await;
    let error = second.client::<Journal>("alice").fail(7).await.unwrap_err();
    let CallError::Handler { error, outcome } = &error else { panic!("{error:?}") };
    assert_eq!((error.as_str(), *outcome), ("not 7", Outcome::NotApplied));
    assert!(first.client::<Journal>("alice").all().await.unwrap().is_empty());
    second.shutdown().await.unwrap();
    first.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_of_one_handle_are_handled_in_order_casts_and_calls_alike() {
    const MESSAGES: u64 = 5_000;
    let (first, second) = two().await;
    let journal = second.client::<Journal>("alice");
    let mut calls = Vec::new();
    for number in 0..MESSAGES {
        if number % 7 == 0 {
            calls.push((number, sent(journal.append(number)).await));
        } else {
            journal.append(number).cast().await.unwrap();
        }
    }
    for (number, call) in calls {
        assert_eq!(call.await.unwrap().unwrap(), number + 1, "as many were handled before it as were sent before it");
    }
    assert_eq!(journal.all().await.unwrap(), (0..MESSAGES).collect::<Vec<_>>());
    second.shutdown().await.unwrap();
    first.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deadline_crosses_nodes_and_tells_what_was_never_started() {
    let (first, second) = two().await;
    let journal = second.client::<Journal>("alice");
    let busy = tokio::spawn(journal.slow(1_500).timeout(Duration::from_secs(5)).into_future());
    tokio::time::sleep(Duration::from_millis(100)).await;
    let error = journal.append(1).timeout(Duration::from_millis(1_000)).await.unwrap_err();
    assert!(matches!(error, CallError::TimedOut { outcome: Outcome::NotApplied }), "{error:?}");
    assert_eq!(busy.await.unwrap().unwrap(), 1_500);
    assert!(journal.all().await.unwrap().is_empty(), "it was never started");
    second.shutdown().await.unwrap();
    first.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_messages_and_replies_cross_nodes() {
    let (first, second) = two().await;
    let journal = second.client::<Journal>("alice");
    for bytes in [0, 1, 65_535, 65_536, 4 << 20] {
        let sent: Vec<u8> = (0..=250).cycle().take(bytes).collect();
        assert_eq!(journal.echo(sent.clone()).await.unwrap(), sent);
    }
    second.shutdown().await.unwrap();
    first.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_are_called_while_their_node_leaves_and_nothing_is_lost_doubled_or_out_of_order() {
    const MESSAGES: u64 = 2_000;
    /// How many calls of one handle are under way at once.
    const AT_ONCE: u64 = 8;
    let (first, second) = two().await;
    let (first, second) = (Arc::new(first), second);
    let mut callers = Vec::new();
    for name in 0..8 {
        let journal = second.client::<Journal>(format!("{name}"));
        callers.push(tokio::spawn(async move {
            let mut calls = VecDeque::new();
            for number in 0..MESSAGES + AT_ONCE {
                if number >= AT_ONCE {
                    let call: JoinHandle<Result<u64, _>> = calls.pop_front().unwrap();
                    let count = call.await.unwrap().unwrap();
                    assert_eq!(count, number - AT_ONCE + 1, "each is handled once and in its order");
                }
                if number < MESSAGES {
                    calls.push_back(sent(journal.append(number).timeout(Duration::from_secs(10))).await);
                }
                if number % 16 == 0 {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            }
        }));
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    Arc::into_inner(first).unwrap().shutdown().await.unwrap();
    for caller in callers {
        caller.await.unwrap();
    }
    for name in 0..8 {
        let all = second.client::<Journal>(format!("{name}")).all().await.unwrap();
        assert_eq!(all, (0..MESSAGES).collect::<Vec<_>>());
    }
    second.shutdown().await.unwrap();
}
