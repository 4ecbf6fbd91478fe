//! Nodes of one process on one cluster's store, with real sockets between them, that know different actor types, or
//! different versions of one.
#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods, clippy::indexing_slicing, reason = "tests")]

#[path = "support/nodes.rs"]
mod nodes;

use dna::{CallError, Location, MemoryCluster, NodeAddress, TypeMismatch, prelude::*};
use nodes::{PATIENCE, id, names_on, node, until, until_balanced};

macro_rules! echo {
    ($name:ident, $options:meta) => {
        mod $name {
            use dna::prelude::*;

            pub(crate) struct Echo;

            #[$options]
            impl Echo {
                async fn init(_: Context) -> dna::Result<Self> {
                    Ok(Echo)
                }

                pub async fn echo(&self, number: u64) -> u64 {
                    number
                }
            }
        }
    };
}

echo!(cart, dna::actor(vis = pub(crate), name = "Cart"));
echo!(newer_cart, dna::actor(vis = pub(crate), name = "Cart", version = 2));
echo!(order, dna::actor(vis = pub(crate), name = "Order"));
echo!(local, dna::actor(vis = pub(crate), name = "Local", placement = "local"));

fn address(node: &Node) -> NodeAddress {
    NodeAddress::new(id(node), node.address().unwrap())
}

/// Waits until each node owns something, in the eyes of each.
async fn until_each_owns(nodes: [&Node; 2]) {
    for node in nodes {
        let mut membership = node.membership().unwrap();
        let owning = async {
            while membership.latest().all().iter().filter(|member| member.shards > 0).count() < 2 {
                membership.changed().await.unwrap();
            }
        };
        tokio::time::timeout(PATIENCE, owning).await.unwrap();
    }
}

/// What the error says that is one of either kind, with the outcome that it always has.
fn mismatch(error: &CallError) -> &TypeMismatch {
    assert_eq!(error.outcome(), Outcome::NotApplied);
    match error {
        CallError::UnknownType(mismatch) | CallError::VersionMismatch(mismatch) => mismatch,
        other => panic!("{other:?}"),
    }
}

fn names() -> impl Iterator<Item = String> {
    (0..64).map(|n| format!("{n}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_type_that_the_owner_of_a_name_does_not_know_is_an_error_that_says_who_knows_it() {
    let cluster = MemoryCluster::new();
    let first = node(&cluster).actor::<cart::Echo>().start().await.unwrap();
    let second = node(&cluster).actor::<cart::Echo>().actor::<order::Echo>();
    let second = second.actor::<local::Echo>().start().await.unwrap();
    until_each_owns([&first, &second]).await;
    let knows = address(&second);

    let mut served = [0, 0];
    for name in names() {
        // Where it is may change in between, to the better alone.
        let owner = second.whereis::<order::Echo>(name.as_str()).unwrap();
        for caller in [&first, &second] {
            match caller.client::<order::Echo>(name.as_str()).echo(7).await {
                Ok(number) => {
                    assert_eq!(number, 7);
                    served[0] += 1;
                }
                Err(error) => {
                    assert!(matches!(error, CallError::UnknownType(_)) && error.is_retryable(), "{error:?}");
                    assert_eq!(owner, Location::There(address(&first)));
                    let mismatch = mismatch(&error);
                    assert_eq!((mismatch.kind.as_str(), mismatch.version), ("Order", 1));
                    assert_eq!((mismatch.owner, mismatch.owners_version), (Some(address(&first)), None));
                    assert_eq!(mismatch.known_by.iter().map(|known| known.node).collect::<Vec<_>>(), [knows]);
                    assert!(error.to_string().contains(&knows.to_string()), "{error}");
                    served[1] += 1;
                }
            }
        }
    }
    assert!(served.iter().all(|calls| *calls > 0), "{served:?}");
    // One that is placed where it is first called is placed where its type is known.
    for name in names() {
        assert_eq!(first.client::<local::Echo>(name.as_str()).echo(7).await.unwrap(), 7);
        assert_eq!(second.whereis::<local::Echo>(name), Ok(Location::Here));
    }
    second.shutdown().await.unwrap();
    first.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_type_that_no_member_knows_is_an_error_also_on_the_node_that_calls_it() {
    let cluster = MemoryCluster::new();
    let first = node(&cluster).actor::<cart::Echo>().start().await.unwrap();
    let second = node(&cluster).actor::<cart::Echo>().start().await.unwrap();
    for caller in [&first, &second] {
        for error in [
            caller.client::<order::Echo>("alice").echo(7).await.unwrap_err(),
            caller.client::<local::Echo>("alice").echo(7).await.unwrap_err(),
        ] {
            assert!(matches!(error, CallError::UnknownType(_)) && !error.is_retryable(), "{error:?}");
            assert!(error.to_string().contains("no member of the cluster knows it"), "{error}");
            assert!(mismatch(&error).known_by.is_empty());
        }
    }
    // A type that was there once: its owner says what it knows.
    let third = node(&cluster).actor::<cart::Echo>().actor::<order::Echo>().start().await.unwrap();
    third.shutdown().await.unwrap();
    let error = second.client::<order::Echo>("alice").echo(7).await.unwrap_err();
    assert!(mismatch(&error).owner.is_some() && mismatch(&error).known_by.is_empty(), "{error}");
    second.shutdown().await.unwrap();
    first.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_of_another_version_are_refused_with_both_versions_and_who_knows_which() {
    let cluster = MemoryCluster::new();
    let old = node(&cluster).actor::<cart::Echo>().start().await.unwrap();
    let new = node(&cluster).actor::<newer_cart::Echo>().start().await.unwrap();
    until_each_owns([&old, &new]).await;

    let mut outcomes = [0, 0];
    for name in names() {
        let answers = [
            (1, &new, old.client::<cart::Echo>(name.as_str()).echo(7).await),
            (2, &old, new.client::<newer_cart::Echo>(name.as_str()).echo(7).await),
        ];
        for (version, owner, answer) in answers {
            let Err(error) = answer else {
                outcomes[0] += 1;
                continue;
            };
            outcomes[1] += 1;
            assert!(matches!(error, CallError::VersionMismatch(_)), "{error:?}");
            let mismatch = mismatch(&error);
            assert_eq!((mismatch.kind.as_str(), mismatch.version), ("Cart", version));
            assert_eq!((mismatch.owner, mismatch.owners_version), (Some(address(owner)), Some(3 - version)));
            let message = error.to_string();
            for (node, version) in [(&old, 1), (&new, 2)] {
                assert!(message.contains(&format!("{} (version {version})", address(node))), "{message}");
            }
        }
    }
    assert!(outcomes.iter().all(|calls| *calls > 0), "{outcomes:?}");
    until_balanced(&[&old, &new]).await;
    let of_old = names_on::<cart::Echo>(&old).next().unwrap();
    assert_eq!(new.client::<newer_cart::Echo>(of_old).echo(7).cast().await, Ok(()), "its sender is not told");
    until("the cast is counted", || new.stats().dropped_casts == 1).await;
    new.shutdown().await.unwrap();
    old.shutdown().await.unwrap();
}
