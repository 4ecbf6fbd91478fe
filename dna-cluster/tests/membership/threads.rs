//! Heartbeats on a thread of their own, in real time.

use std::time::Duration;

use dna_core::{ClusterStore, MemoryCluster};

use super::support::{LEASE, TestNode, real_config};

/// How often the table is looked at, at the most: no test waits for ever.
const LOOKS_MAX: usize = 200;

/// The highest heartbeat in the table, after a while, read on a thread of its own: that of the caller is blocked.
fn highest_beat(database: &MemoryCluster) -> u64 {
    let database = database.another();
    let read = move || {
        std::thread::sleep(Duration::from_millis(200));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(database.beats()).unwrap().iter().map(|(_, beat)| *beat).max().unwrap()
    };
    std::thread::spawn(read).join().unwrap()
}

#[tokio::test]
async fn heartbeats_go_on_while_the_runtime_is_busy() {
    let database = MemoryCluster::new();
    let node = TestNode::start_with(database.another(), real_config()).await.unwrap();
    let id = node.id();
    let before = highest_beat(&database);
    let reached = (0..LOOKS_MAX).any(|_| highest_beat(&database) >= before + 8);
    assert!(reached, "still at {}", highest_beat(&database));
    tokio::task::yield_now().await;
    assert_eq!(node.id(), id, "the lease held all the time");
    assert_eq!(node.leave().await, Ok(()));
}

#[tokio::test]
async fn a_runtime_that_stands_still_ends_the_heartbeats_and_the_node_joins_again() {
    let database = MemoryCluster::new();
    let config = real_config().probe_age_max(LEASE / 3);
    let node = TestNode::start_with(database.another(), config).await.unwrap();
    let former = node.id();
    let mut looks = vec![highest_beat(&database)];
    // It beats every 500 ms; the lease has run out when it has not for seven times as long.
    while looks.len() < LOOKS_MAX && looks.iter().rev().take_while(|beat| Some(*beat) == looks.last()).count() < 18 {
        looks.push(highest_beat(&database));
    }
    assert!(looks.len() < LOOKS_MAX, "it goes on: {looks:?}");
    node.has_new_id(former).await;
}
