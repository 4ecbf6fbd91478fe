//! The program that README begins with, on disk, and what `Cart::client` finds in a process with no node, one, or two.
//!
//! A process has its nodes in common, so these tests run one after the other.
#![allow(clippy::unwrap_used, clippy::panic_in_result_fn, reason = "tests")]

use std::time::Duration;

use dna::{Call, CallError, MemoryCluster, prelude::*, testing::RequestKind};
use tokio::sync::{Mutex, MutexGuard};

struct Cart {
    lines: Kv<String, u32>, // durable
}

#[dna::actor]
impl Cart {
    async fn init(ctx: Context) -> dna::Result<Self> {
        Ok(Cart { lines: ctx.open("lines")? })
    }

    pub async fn put(&mut self, sku: String, count: u32) {
        self.lines.put(sku, count);
    }

    pub async fn get(&self, sku: String) -> dna::Result<Option<u32>> {
        self.lines.get(&sku).await
    }

    /// Moves everything into another cart.
    pub async fn pour_into(&mut self, other: String) -> dna::Result<usize> {
        let lines = self.lines.list().await?;
        let cart = Cart::client(other);
        for (sku, count) in &lines {
            cart.put(sku, *count).await?;
        }
        self.lines.delete_all();
        Ok(lines.len())
    }
}

/// Keeps the other tests from starting nodes meanwhile.
async fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::const_new(());
    ALONE.lock().await
}

async fn node() -> Node {
    Node::builder().store(Memory::new()).actor::<Cart>().start().await.unwrap()
}

#[tokio::test]
async fn the_first_program_runs_as_it_is_shown() -> dna::Result<()> {
    let _alone = alone().await;
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("cart.dna");

    let node = Node::builder().store(Embedded::open(&path)?).actor::<Cart>().start().await?;
    let cart = Cart::client("alice");
    cart.put("apple", 3).await?;
    cart.put("pear", 1).cast().await?;
    assert_eq!(cart.get("apple").await?, Some(3));
    node.shutdown().await?;

    let node = Node::builder().store(Embedded::open(&path)?).actor::<Cart>().start().await?;
    let cart = Cart::client("alice");
    assert_eq!((cart.get("apple").await?, cart.get("pear").await?), (Some(3), Some(1)));
    assert_eq!(Cart::client("bob").get("apple").await?, None);
    node.shutdown().await?;
    Ok(())
}

#[tokio::test]
async fn what_was_answered_ok_is_there_when_the_node_was_dropped_right_behind_it() -> dna::Result<()> {
    let _alone = alone().await;
    let folder = tempfile::tempdir()?;
    let store = Embedded::open(folder.path().join("cart.dna"))?;
    for count in 0..20_u32 {
        let node = Node::builder().store(store.clone()).actor::<Cart>().start().await?;
        let cart = Cart::client("alice");
        assert_eq!(cart.get("apple").await?, count.checked_sub(1));
        cart.put("apple", count).await?;
        drop(node);
    }
    Ok(())
}

#[tokio::test]
async fn every_call_is_awaited_cast_or_given_a_time_out() {
    let _alone = alone().await;
    let node = node().await;
    let cart = Cart::client("alice");
    let owned = "apple".to_owned();
    cart.put(&owned, 1).await.unwrap();
    cart.put(owned, 2).timeout(Duration::from_secs(5)).await.unwrap();
    cart.put('é', 3).cast().await.unwrap();
    cart.get("apple").cast().await.unwrap();
    let call: Call<Cart, Option<u32>, dna::Error> = cart.get("é");
    assert_eq!(call.timeout(Duration::from_millis(900)).await.unwrap(), Some(3));
    assert_eq!(cart.get("apple").no_wait().await.unwrap(), Some(2));
    assert_eq!(cart.name(), "alice");
    node.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_call_that_is_not_awaited_is_not_sent() {
    let _alone = alone().await;
    let node = node().await;
    let cart = Cart::client("alice");
    drop(cart.put("apple", 1));
    drop(cart.put("apple", 2).cast());
    assert_eq!(cart.get("apple").await.unwrap(), None);
    node.shutdown().await.unwrap();
}

#[tokio::test]
async fn without_a_node_a_client_says_how_to_start_one() {
    let _alone = alone().await;
    let error = Cart::client("alice").put("apple", 3).await.unwrap_err();
    assert_eq!(error, CallError::NoNode);
    assert!(error.to_string().contains("Node::builder()"), "{error}");
    assert!(error.to_string().contains(".start().await"), "{error}");
    assert_eq!((error.outcome(), error.is_retryable()), (Outcome::NotApplied, false));
    assert_eq!(Cart::client("alice").put("apple", 3).cast().await, Err(CallError::NoNode));
}

#[tokio::test]
async fn with_two_nodes_a_client_of_the_process_says_how_to_name_one() {
    let _alone = alone().await;
    let (first, second) = (node().await, node().await);
    let error = Cart::client("alice").put("apple", 3).await.unwrap_err();
    assert_eq!(error, CallError::SeveralNodes);
    assert!(error.to_string().contains("node.client::<"), "{error}");
    assert_eq!((error.outcome(), error.is_retryable()), (Outcome::NotApplied, false));

    first.client::<Cart>("alice").put("apple", 1).await.unwrap();
    second.client::<Cart>("alice").put("apple", 2).await.unwrap();
    assert_eq!(first.client::<Cart>("alice").get("apple").await.unwrap(), Some(1));

    // With one of them gone it is clear again which is meant.
    first.shutdown().await.unwrap();
    assert_eq!(Cart::client("alice").get("apple").await.unwrap(), Some(2));
    drop(second);
    assert_eq!(Cart::client("alice").put("apple", 3).await, Err(CallError::NoNode));
}

#[tokio::test]
async fn within_a_handler_a_client_is_one_of_the_handlers_own_node() {
    let _alone = alone().await;
    let (first, second) = (node().await, node().await);
    let alice = first.client::<Cart>("alice");
    alice.put("apple", 3).await.unwrap();
    alice.put("pear", 1).await.unwrap();
    assert_eq!(alice.pour_into("bob").await.unwrap(), 2);
    assert_eq!(first.client::<Cart>("bob").get("pear").await.unwrap(), Some(1));
    assert_eq!(second.client::<Cart>("bob").get("pear").await.unwrap(), None);
    assert_eq!(alice.get("pear").await.unwrap(), None);
    first.shutdown().await.unwrap();
    second.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_client_of_a_node_that_is_gone_says_so() {
    let _alone = alone().await;
    let node = node().await;
    let cart = Cart::client("alice");
    cart.put("apple", 3).await.unwrap();
    node.shutdown().await.unwrap();
    let error = cart.put("apple", 4).await.unwrap_err();
    assert_eq!(error, CallError::Stopped { outcome: Outcome::NotApplied });
    assert!(error.to_string().contains("shut down"), "{error}");
}

#[tokio::test]
async fn namespaces_keep_the_carts_of_one_store_apart() {
    let _alone = alone().await;
    let store = Memory::new();
    for namespace in ["tests", "production"] {
        let builder = Node::builder().store(store.clone()).namespace(namespace).actor::<Cart>();
        let node = builder.start().await.unwrap();
        assert_eq!(Cart::client("alice").get("apple").await.unwrap(), None);
        Cart::client("alice").put("apple", 3).await.unwrap();
        node.shutdown().await.unwrap();
    }
}

#[tokio::test]
async fn the_client_of_the_process_goes_on_when_its_node_is_a_member_anew() -> dna::Result<()> {
    let _alone = alone().await;
    let cluster = MemoryCluster::new();
    let node = Node::builder().store(cluster.clone()).listen("127.0.0.1:0".parse().unwrap()).actor::<Cart>();
    let node = node.lease(Duration::from_secs(1)).start().await?;
    let before = Cart::client("alice");
    before.put("apple", 3).await?;

    // Its heartbeats do not arrive, so that its lease lapses.
    cluster.faults().hold([RequestKind::Beat]);
    let error = loop {
        match before.put("pear", 1).await {
            Ok(()) => tokio::task::yield_now().await,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, CallError::Lost { .. } | CallError::Joining), "{error:?}");
    // A call waits for the node to be a member again, until its deadline.
    let meanwhile = Cart::client("alice");
    let waited = meanwhile.get("apple").timeout(Duration::from_millis(300)).await;
    assert_eq!(waited, Err(CallError::TimedOut { outcome: Outcome::NotApplied }));
    cluster.faults().release([RequestKind::Beat]);

    for cart in [before, meanwhile, Cart::client("alice")] {
        let apples = loop {
            match cart.get("apple").await {
                Ok(apples) => break apples,
                Err(error) => assert!(error.is_retryable() && error.outcome() == Outcome::NotApplied, "{error:?}"),
            }
            tokio::task::yield_now().await;
        };
        assert_eq!(apples, Some(3));
    }
    node.shutdown().await?;
    assert!(matches!(Cart::client("alice").put("apple", 4).await, Err(CallError::NoNode)));
    Ok(())
}
