//! What others see of a membership: members, owners, changes, the socket.

use std::net::TcpListener;

use dna_cluster::{MemberState, Owner};
use dna_core::{MemoryCluster, Shard, testing::RequestKind};

use super::support::{LEASE, SHARDS, TestNode, agree, config};

#[tokio::test(start_paused = true)]
async fn every_node_sees_the_members_what_they_are_and_how_much_they_own() {
    let database = MemoryCluster::new();
    let first = TestNode::start(&database).await;
    let second =
        TestNode::start_with(database.another(), config().weight(7).lanes(2.try_into().unwrap())).await.unwrap();
    agree(&[&first, &second]).await;

    let members = second.membership.members();
    assert_eq!(members, second.membership.watch().current());
    assert_eq!((members.version(), members.me()), (2, Some(second.id())));
    let all = members.all();
    let of = |node: &TestNode| all.iter().find(|member| member.id == node.id()).unwrap();
    let (one, two) = (of(&first), of(&second));
    assert_eq!((one.weight, one.lanes.get(), one.shards), (100, 1, SHARDS as usize));
    assert_eq!((two.weight, two.lanes.get(), two.shards), (7, 2, 0));
    assert_eq!((one.address, two.address), (first.membership.address(), second.membership.address()));
    assert_eq!((one.state, two.state), (MemberState::Active, MemberState::Active));
    assert_eq!(one.types, [("Counter".to_owned(), 1)].into());
    assert_eq!(members.owner(Shard(3)), Owner::Node(first.id()));
    assert_eq!(members.owners(), vec![Some(first.id()); SHARDS as usize]);
    assert_eq!(members.address(first.id()), Some(first.membership.address()));
    assert_eq!(members.knowing("Counter").len(), 2);
    assert_eq!(members.knowing("Other"), []);
}

#[tokio::test(start_paused = true)]
async fn whoever_follows_the_members_hears_of_every_change_and_of_the_end() {
    let database = MemoryCluster::new();
    let first = TestNode::start(&database).await;
    let mut watch = first.membership.watch();
    let second = TestNode::start(&database).await;
    assert_eq!(watch.changed().await.unwrap().all().len(), 2);
    second.leave().await.unwrap();
    while watch.latest().all().len() == 2 {
        watch.changed().await.unwrap();
    }
    assert_eq!(watch.latest(), &first.membership.members());
    first.leave().await.unwrap();
    while let Some(members) = watch.changed().await {
        assert!(members.version() == 0 || members.version() > 2, "{members:?}");
    }
    assert_eq!(watch.current().me(), None);
}

#[tokio::test(start_paused = true)]
async fn who_has_heard_of_a_newer_view_has_it_read_at_once_and_once_for_all() {
    let database = MemoryCluster::new();
    let first = TestNode::start(&database).await;
    // Behind its first round.
    tokio::time::sleep(LEASE / 10).await;
    let second = TestNode::start(&database).await;
    assert_eq!(first.membership.members().version(), 1);
    let began = tokio::time::Instant::now();
    let asked = (0..100).map(|_| first.membership.refresh(2)).collect::<Vec<_>>();
    first.faults().hold([RequestKind::ReadView]);
    let answers = tokio::spawn(futures_util::future::join_all(asked));
    first.faults().held(1).await;
    first.faults().release([RequestKind::ReadView]);
    assert!(answers.await.unwrap().iter().all(|members| members.version() == 2));
    assert!(began.elapsed() < LEASE / 12, "{:?}", began.elapsed());

    assert_eq!(first.membership.refresh(1).await.version(), 2, "what is known is not read");
    assert_eq!(first.membership.refresh(99).await.version(), 2, "what does not exist is not waited for");
    drop(second);
}

#[tokio::test(start_paused = true)]
async fn a_refresh_without_a_database_says_what_is_known() {
    let database = MemoryCluster::new();
    let first = TestNode::start(&database).await;
    first.faults().cut();
    assert_eq!(first.membership.refresh(5).await.version(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_socket_of_a_node_is_bound_until_the_last_clone_of_it_is_dropped() {
    let database = MemoryCluster::new();
    let node = TestNode::start(&database).await;
    let address = node.membership.address();
    let clone = node.membership.listener().unwrap();
    assert_eq!(clone.local_addr().unwrap(), address);
    node.leave().await.unwrap();
    assert!(TcpListener::bind(address).is_err());
    drop(clone);
    TcpListener::bind(address).unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_run_with_the_same_seeds_has_the_same_ids_and_so_the_same_owners() {
    let run = || async {
        let database = MemoryCluster::new();
        let first = TestNode::start_with(database.another(), config().seed(11)).await.unwrap();
        let second = TestNode::start_with(database.another(), config().seed(12)).await.unwrap();
        tokio::time::sleep(LEASE * 4).await;
        (first.id(), second.id(), second.membership.members().owners())
    };
    let (once, again) = (run().await, run().await);
    assert_eq!(once, again);
    assert_ne!(once.0, once.1);
}
