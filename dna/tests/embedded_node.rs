//! A node and the directory of its store: who may have it open, when it is free again, and what a failing disk means to
//! the callers.
#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods, clippy::print_stdout, reason = "tests")]

use std::{
    env,
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use dna::{AttachError, CallError, EmbeddedError, ErrorKind, Loss, ShutdownError, StartError, limits, prelude::*};
use futures_util::future::join_all;

const CHILD_VARIABLE: &str = "DNA_EMBEDDED_CHILD_STORE";

struct Cart {
    lines: Kv<String, u32>,
}

#[dna::actor]
impl Cart {
    async fn init(ctx: Context) -> dna::Result<Self> {
        Ok(Cart { lines: ctx.open("lines")? })
    }

    pub async fn put(&mut self, sku: String, count: u32) {
        self.lines.put(sku, count);
    }

    pub async fn put_all(&mut self, skus: Vec<String>, count: u32) {
        self.lines.put_many(skus.into_iter().map(|sku| (sku, count)));
    }

    pub async fn get(&self, sku: String) -> dna::Result<Option<u32>> {
        self.lines.get(&sku).await
    }

    pub async fn lines(&self) -> dna::Result<Vec<(String, u32)>> {
        self.lines.list().await
    }
}

async fn start(store: Embedded) -> Node {
    Node::builder().store(store).actor::<Cart>().start().await.unwrap()
}

#[tokio::test]
async fn a_second_node_on_the_same_directory_is_refused_and_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cart.dna");
    let store = Embedded::open(&path).unwrap();
    let node = start(store.clone()).await;

    let opened = Embedded::open(&path).unwrap_err();
    assert!(matches!(&opened, EmbeddedError::InUse { path: named } if *named == path), "{opened:?}");
    let text = opened.to_string();
    assert!(text.contains("cart.dna") && text.contains("open already") && text.contains("close it"), "{text}");
    let opened = dna::Error::from(opened);
    assert_eq!((opened.kind(), opened.is_retryable()), (ErrorKind::Node, true));

    let shared = Node::builder().store(store).actor::<Cart>().start().await.unwrap_err();
    assert!(matches!(shared, StartError::Store(AttachError::InUse)), "{shared:?}");
    node.client::<Cart>("alice").put("apple", 1).await.unwrap();
    node.shutdown().await.unwrap();
}

#[test]
fn another_process_finds_the_directory_locked() {
    if let Ok(store) = env::var(CHILD_VARIABLE) {
        match Embedded::open(Path::new(&store)) {
            Ok(_) => println!("\nopened"),
            Err(error) => println!("\nrefused: {error}"),
        }
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cart.dna");
    let ask = || {
        let mut command = Command::new(env::current_exe().unwrap());
        command.args(["another_process_finds_the_directory_locked", "--exact", "--nocapture"]);
        let mut child = command.env(CHILD_VARIABLE, &path).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let said = lines.filter(|line| line.starts_with("opened") || line.starts_with("refused")).collect::<String>();
        assert!(child.wait().unwrap().success());
        said
    };
    let store = Embedded::open(&path).unwrap();
    let refused = ask();
    assert!(refused.starts_with("refused") && refused.contains("another one; close it there first"), "{refused}");
    drop(store);
    assert_eq!(ask(), "opened");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn right_behind_a_shutdown_the_directory_is_free() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cart.dna");
    for count in 0..20_u32 {
        let node = start(Embedded::open(&path).unwrap()).await;
        let cart = node.client::<Cart>("alice");
        assert_eq!(cart.get("apple").await.unwrap(), count.checked_sub(1));
        cart.put("pear", count).cast().await.unwrap();
        cart.put("apple", count).await.unwrap();
        node.shutdown().await.unwrap();
    }
}

/// A dropped node gives its store back when its tasks have ended, which nobody can wait for. What can be waited for is
/// the claim: a node that is started on a clone of the store.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_a_drop_a_clone_of_the_store_takes_the_next_node_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = Embedded::open(folder.path().join("cart.dna")).unwrap();
    for count in 0..20_u32 {
        let node = start(store.clone()).await;
        let cart = node.client::<Cart>("alice");
        assert_eq!(cart.get("apple").await.unwrap(), count.checked_sub(1));
        cart.put("apple", count).await.unwrap();
        // Something is under way when the node ends.
        let under_way = tokio::spawn(join_all((0..50).map(|pear| cart.put(pear.to_string(), pear))));
        drop(node);
        for answer in under_way.await.unwrap() {
            assert!(matches!(answer, Ok(()) | Err(CallError::Stopped { .. })), "{answer:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_a_drop_the_directory_is_free_as_soon_as_the_nodes_tasks_have_ended() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cart.dna");
    for count in 0..20_u32 {
        let node = start(reopen(&path).await).await;
        let cart = node.client::<Cart>("alice");
        assert_eq!(cart.get("apple").await.unwrap(), count.checked_sub(1));
        cart.put("apple", count).await.unwrap();
        drop(node);
    }
}

/// Opens a directory whose node was dropped. The error says itself that it is worth another try.
async fn reopen(path: &Path) -> Embedded {
    for _ in 0..500 {
        match Embedded::open(path).map_err(dna::Error::from) {
            Err(error) if error.is_retryable() => tokio::time::sleep(Duration::from_millis(2)).await,
            opened => return opened.unwrap(),
        }
    }
    panic!("the directory stays locked");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_sync_is_unknown_to_its_group_not_applied_to_the_rest_and_ends_the_node() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cart.dna");
    let store = Embedded::open(&path).unwrap();
    let faults = store.faults().clone();
    let node = start(store).await;
    let (alice, bob) = (node.client::<Cart>("alice"), node.client::<Cart>("bob"));
    alice.put("apple", 1).await.unwrap();
    bob.put("apple", 1).await.unwrap();

    // One group is at the disk, and will fail there. Everything behind it waits.
    faults.hold_syncs();
    faults.fail_next_sync();
    let skus = (0..100).map(|sku| sku.to_string()).collect::<Vec<_>>();
    let group = tokio::spawn(alice.put_all(skus.clone(), 2));
    faults.sync_held().await;
    let at_the_disk = node.stats().uncommitted_bytes;
    let rest = [alice.put("pear", 3), bob.put("pear", 3)].map(tokio::spawn);
    let reads = [alice.get("apple"), alice.get("0")].map(tokio::spawn);
    while node.stats().uncommitted_bytes < at_the_disk + 2 * "pear".len() + 2 * limits::WRITE_OVERHEAD_BYTES {
        tokio::task::yield_now().await;
    }
    faults.release_syncs();

    let error = group.await.unwrap().unwrap_err();
    assert_eq!(error, CallError::Lost { loss: Loss::Poisoned, outcome: Outcome::Unknown });
    assert!(error.to_string().contains("open the store again"), "{error}");
    for put in rest {
        let error = put.await.unwrap().unwrap_err();
        assert_eq!(error, CallError::Lost { loss: Loss::Poisoned, outcome: Outcome::NotApplied });
        assert!(error.is_retryable());
    }
    for read in reads {
        // One that shows the group must not be answered; one that came before its handler may be.
        match read.await.unwrap() {
            Ok(shown) => assert_eq!(shown, Some(1)),
            Err(error) => assert!(matches!(error, CallError::Lost { .. }), "{error:?}"),
        }
    }
    let later = alice.get("apple").await.unwrap_err();
    assert_eq!(later.outcome(), Outcome::NotApplied);
    assert!(matches!(later, CallError::Lost { loss: Loss::Poisoned, .. }), "{later:?}");
    assert_eq!(node.shutdown().await, Err(ShutdownError::Lost(Loss::Poisoned)));

    let node = start(reopen(&path).await).await;
    let lines = node.client::<Cart>("alice").lines().await.unwrap();
    let of_the_group = lines.iter().filter(|(sku, count)| skus.contains(sku) && *count == 2).count();
    assert!([0, 100].contains(&of_the_group), "all of the group or nothing: {of_the_group}");
    assert_eq!(lines.len(), 1 + of_the_group, "nothing of the rest");
    assert_eq!(node.client::<Cart>("bob").lines().await.unwrap(), [("apple".to_owned(), 1)]);
    node.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_node_runs_as_well_on_a_buffered_store() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cart.dna");
    let open = || Embedded::options().durability(Durability::Buffered).open(&path).unwrap();
    let node = start(open()).await;
    node.client::<Cart>("alice").put("apple", 3).await.unwrap();
    node.shutdown().await.unwrap();
    let node = start(open()).await;
    assert_eq!(node.client::<Cart>("alice").get("apple").await.unwrap(), Some(3));
    node.shutdown().await.unwrap();
}
