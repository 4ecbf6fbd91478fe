//! What a test can do to a simulated cluster does what it says.

use std::{
    panic::{UnwindSafe, catch_unwind},
    time::Duration,
};

use dna::{
    CallError,
    testing::{Cluster, Simulation},
};

use crate::register::Register;

const SECOND: Duration = Duration::from_secs(1);

fn simulation() -> Simulation {
    Simulation::seed(1).actor::<Register>()
}

/// A name that is served by this node.
fn name_on(cluster: &Cluster, node: usize) -> String {
    let is_there =
        |name: &String| cluster.node(node, |node| node.whereis::<Register>(name.as_str()) == Ok(dna::Location::Here));
    (0..1000).map(|n| n.to_string()).find(is_there).unwrap_or_else(|| panic!("node {node} serves no name"))
}

/// Waits until every node serves something.
async fn until_all_serve(cluster: &Cluster) {
    let shares = |cluster: &Cluster| {
        let members = cluster.node(0, dna::Node::members);
        members.len() == cluster.nodes() && members.iter().all(|member| member.shards > 0)
    };
    while !shares(cluster) {
        cluster.sleep(SECOND / 10).await;
    }
    // Everybody hears of it, and nothing moves any more.
    cluster.sleep(30 * SECOND).await;
}

/// The answer of a register, or `None` if there is none within two seconds.
async fn read(cluster: &Cluster, node: usize, name: &str) -> Option<Result<u64, CallError>> {
    let call = cluster.client::<Register>(node, name).read().timeout(2 * SECOND);
    let call = cluster.spawn_outside(call.into_future());
    let (call, time) = (std::pin::pin!(call), std::pin::pin!(cluster.sleep(2 * SECOND)));
    match futures_util::future::select(call, time).await {
        futures_util::future::Either::Left((answer, _)) => answer,
        futures_util::future::Either::Right(_) => None,
    }
}

#[test]
fn a_killed_node_is_replaced_with_what_it_had_answered() {
    simulation().run(|cluster| async move {
        until_all_serve(&cluster).await;
        let name = name_on(&cluster, 2);
        cluster.client::<Register>(0, name.as_str()).write(7).await.unwrap();
        cluster.kill(2);
        assert!(!cluster.runs(2));
        cluster.sleep(5 * SECOND).await;
        assert_eq!(read(&cluster, 1, &name).await.unwrap().unwrap(), 7);
        cluster.start(2).await.unwrap();
        assert_eq!(read(&cluster, 2, &name).await.unwrap().unwrap(), 7);
    });
}

#[test]
fn a_paused_node_does_nothing_until_it_is_resumed() {
    simulation().with(|node| node.lease(30 * SECOND)).run(|cluster| async move {
        let name = name_on(&cluster, 0);
        let beside = cluster.spawn(0, {
            let within = cluster.clone();
            async move { within.sleep(SECOND / 2).await }
        });
        cluster.pause(0);
        assert!(read(&cluster, 1, &name).await.is_none_or(|answer| answer.is_err()));
        cluster.resume(0);
        assert_eq!(read(&cluster, 1, &name).await.unwrap().unwrap(), 0);
        assert_eq!(beside.await, Some(()));
    });
}

#[test]
fn what_a_partition_holds_back_arrives_when_it_is_healed() {
    simulation().run(|cluster| async move {
        until_all_serve(&cluster).await;
        let name = name_on(&cluster, 0);
        assert!(read(&cluster, 1, &name).await.unwrap().is_ok());
        for one_way in [false, true] {
            if one_way {
                cluster.partition_one_way(1, 0);
            } else {
                cluster.isolate(0);
            }
            let held = cluster.client::<Register>(1, name.as_str());
            let held = cluster.spawn_outside(async move { held.add(1).timeout(20 * SECOND).await });
            cluster.sleep(SECOND).await;
            assert!(read(&cluster, 0, &name).await.unwrap().unwrap() < 1 + u64::from(one_way), "it has not arrived");
            cluster.heal();
            assert_eq!(held.await.unwrap().unwrap(), 1 + u64::from(one_way));
        }
    });
}

#[test]
fn a_database_that_fails_or_hangs_holds_back_writes_until_it_recovers() {
    simulation().with(|node| node.lease(30 * SECOND)).run(|cluster| async move {
        let register = cluster.client::<Register>(0, name_on(&cluster, 0));
        register.write(1).await.unwrap();
        cluster.database_of(0).fail();
        assert!(register.write(2).timeout(SECOND).await.is_err());
        cluster.database_of(0).recover();
        while register.write(3).await.is_err() {
            cluster.sleep(SECOND / 10).await;
        }
        cluster.database().hang();
        assert!(matches!(register.write(4).timeout(SECOND).await, Err(CallError::TimedOut { .. })));
        cluster.database().recover();
        assert_eq!(register.read().await.unwrap(), 4);

        cluster.database().slow(SECOND..=2 * SECOND);
        let begin = cluster.trace().elapsed;
        register.write(5).await.unwrap();
        assert!(cluster.trace().elapsed - begin >= SECOND);
    });
}

#[test]
fn a_node_that_shuts_down_or_drains_gives_its_names_away_and_one_that_is_added_gets_some() {
    simulation().nodes(2).run(|cluster| async move {
        until_all_serve(&cluster).await;
        let name = name_on(&cluster, 1);
        cluster.client::<Register>(1, name.as_str()).write(7).await.unwrap();
        assert!(cluster.drain(1).await);
        assert_eq!(read(&cluster, 0, &name).await.unwrap().unwrap(), 7);
        cluster.shutdown(1).await.unwrap().unwrap();
        while cluster.node(0, |node| node.members().len()) > 1 {
            cluster.sleep(SECOND / 10).await;
        }

        let third = cluster.add();
        cluster.start(third).await.unwrap();
        cluster.start(1).await.unwrap();
        until_all_serve(&cluster).await;
        assert_eq!(read(&cluster, third, &name).await.unwrap().unwrap(), 7);
    });
}

/// What a test panics with.
fn panic_of(test: impl FnOnce() + UnwindSafe) -> String {
    *catch_unwind(test).unwrap_err().downcast::<String>().unwrap()
}

#[test]
fn a_test_that_fails_or_takes_too_long_panics_with_what_repeats_it() {
    let failed = panic_of(|| simulation().run(|_| async { panic!("as it should") }));
    assert_eq!(failed, "as it should; the simulation has failed; `Simulation::seed(1)` repeats it");
    let waited = panic_of(|| simulation().within(5 * SECOND).run(|_| std::future::pending::<()>()));
    assert_eq!(waited, "the test takes more than 5s; the simulation has failed; `Simulation::seed(1)` repeats it");

    let seed = std::env::var("DNA_SEED").unwrap_or("7".to_owned());
    let chosen = panic_of(|| Simulation::from_env(7).run(|_| async { panic!("as it should") }));
    assert_eq!(chosen, format!("as it should; the simulation has failed; DNA_SEED={seed} repeats it"));
}
