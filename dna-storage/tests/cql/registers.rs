//! View, heartbeats and names with requests and answers that are lost, late or forged: every error says what is known.

use std::{sync::mpsc, thread, time::Duration};

use bytes::Bytes;
use dna_core::{ClusterError, ClusterStore, NodeId, Shard, Swap, ViewRegister, testing::actor};
use scylla_proxy::{Reaction, RequestReaction, example_db_errors};

use crate::{
    proxy::{Fault, Proxied},
    support::{Keyspace, has_server, run},
};

const ALWAYS: usize = usize::MAX;

fn forged(error: scylla::errors::DbError) -> RequestReaction {
    RequestReaction::forge_with_error(error)
}

fn unavailable() -> RequestReaction {
    let consistency = scylla::statement::Consistency::LocalSerial;
    forged(scylla::errors::DbError::Unavailable { consistency, required: 2, alive: 1 })
}

/// What a request that is hit once comes to, and whether it reaches the server.
fn faults() -> Vec<(&'static str, RequestReaction, ClusterError)> {
    vec![
        ("lost", RequestReaction::drop_frame(), ClusterError::Unknown),
        ("cut", RequestReaction::drop_connection(), ClusterError::Unknown),
        ("timed out", forged(example_db_errors::write_timeout()), ClusterError::Unknown),
        ("overloaded", forged(example_db_errors::overloaded()), ClusterError::Unknown),
        ("without replicas", unavailable(), ClusterError::Unavailable),
        ("bootstrapping", forged(example_db_errors::is_bootstrapping()), ClusterError::Unavailable),
        ("invalid", forged(example_db_errors::invalid()), ClusterError::Rejected),
        ("not authorised", forged(example_db_errors::unauthorized()), ClusterError::Rejected),
    ]
}

/// As a node does it: reads, and sends the very same swap again where the version still is the one expected.
async fn swap_until_definite(store: &impl ClusterStore, expected: u64, new: &Bytes) -> Swap {
    loop {
        match store.swap_view(expected, new.clone()).await {
            Ok(swap) => return swap,
            Err(error) => assert!(error.is_retryable(), "{error}"),
        }
        // An error may come without a wait, and the connection is mended on this runtime.
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_swap_without_an_answer_is_unknown_and_sent_again_is_in_once() {
    if !has_server() {
        return;
    }
    let keyspace = Keyspace::create().await;
    let mut proxied = Proxied::connect(&keyspace).await;
    let mut version = 0;
    for (name, reaction, expected) in faults() {
        let new = Bytes::from(format!("the view that was {name}"));
        proxied.set(&Fault::requests_with(&new, 1, reaction));

        assert_eq!(proxied.scylla.swap_view(version, new.clone()).await, Err(expected), "{name}");
        assert!(proxied.heal() > 0, "{name}");
        let swapped = swap_until_definite(&proxied.scylla, version, &new).await;

        version += 1;
        assert!(matches!(swapped, Swap::Done | Swap::Lost { .. }), "{name}: {swapped:?}");
        let view = keyspace.connect().await.read_view().await;
        assert_eq!(view, Ok(ViewRegister { version, bytes: new }), "{name}");
    }
    // Applied, but the answer was lost: the same swap again is lost, and the view shows that it is in.
    let new = Bytes::from_static(b"in, unheard");
    proxied.set(&Fault::lost_answers(1));
    assert_eq!(proxied.scylla.swap_view(version, new.clone()).await, Err(ClusterError::Unknown));
    proxied.heal();
    assert_eq!(swap_until_definite(&proxied.scylla, version, &new).await, Swap::Lost { current: version + 1 });
    let view = keyspace.connect().await.read_view().await;
    assert_eq!(view, Ok(ViewRegister { version: version + 1, bytes: new }));
}

#[tokio::test]
async fn a_registration_without_an_answer_is_unknown_and_asked_again_is_final() {
    if !has_server() {
        return;
    }
    let keyspace = Keyspace::create().await;
    let mut proxied = Proxied::connect(&keyspace).await;
    for (shard, (name, reaction, expected)) in (0..).map(Shard).zip(faults()) {
        let name = actor(name);
        proxied.set(&Fault::requests_with(name.name().as_bytes(), 1, reaction));

        assert_eq!(proxied.scylla.register_name(&name, shard).await, Err(expected), "{name}");
        assert!(proxied.heal() > 0, "{name}");

        let other = keyspace.connect().await;
        assert_eq!(other.register_name(&name, Shard(77)).await, Ok(Shard(77)), "{name}");
        let again = loop {
            match proxied.scylla.register_name(&name, shard).await {
                Err(error) => assert!(error.is_retryable(), "{error}"),
                found => break found,
            }
            tokio::task::yield_now().await;
        };
        assert_eq!(again, Ok(Shard(77)), "{name}");
    }
}

#[tokio::test]
async fn a_read_without_an_answer_is_unavailable_and_never_no_view_or_no_beats() {
    if !has_server() {
        return;
    }
    let keyspace = Keyspace::create().await;
    let mut proxied = Proxied::connect(&keyspace).await;
    proxied.scylla.beat(NodeId::new(), 1).await.unwrap();
    proxied.set(&Fault::lost_answers(ALWAYS));

    assert_eq!(proxied.scylla.read_view().await, Err(ClusterError::Unavailable));
    assert_eq!(proxied.scylla.beats().await, Err(ClusterError::Unavailable));
    assert_eq!(proxied.scylla.beat(NodeId::new(), 1).await, Err(ClusterError::Unknown));
    assert!(proxied.heal() > 0);

    run(&format!("DROP TABLE {}.\"view\"", keyspace.name)).await;
    assert_eq!(proxied.scylla.read_view().await, Err(ClusterError::Rejected));
    assert_eq!(proxied.scylla.swap_view(0, Bytes::new()).await, Err(ClusterError::Rejected));
}

#[test]
#[allow(clippy::disallowed_methods, reason = "the runtime is to be busy")]
fn a_runtime_that_is_busy_does_not_hold_up_the_heartbeats() {
    if !has_server() {
        return;
    }
    let busy = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (keyspace, scylla) = busy.block_on(async {
        let keyspace = Keyspace::create().await;
        let scylla = keyspace.connect().await;
        (keyspace, scylla)
    });
    let (ready, is_ready) = mpsc::channel();
    let (done, is_done) = mpsc::channel();
    let beating = thread::spawn(move || {
        is_ready.recv().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let node = NodeId::new();
        let beats = runtime.block_on(async {
            for beat in 1..=10 {
                scylla.beat(node, beat).await.unwrap();
            }
            scylla.beats().await.unwrap()
        });
        done.send((node, beats)).unwrap();
        scylla
    });

    // Nothing that was connected on this runtime gets its turn until the beats are in.
    let (node, beats) = busy.block_on(async {
        ready.send(()).unwrap();
        is_done.recv_timeout(Duration::from_secs(60)).unwrap()
    });

    assert_eq!(beats, [(node, 10)]);
    drop(beating.join());
    drop(keyspace);
}
