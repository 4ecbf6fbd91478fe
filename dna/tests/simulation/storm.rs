//! What goes wrong in a run, as a seed says.

use std::time::Duration;

use dna::testing::{Chance, Cluster};

use crate::{
    climate::{Climate, Trouble},
    load::Load,
};

/// How many nodes there are at the most, running or not.
const NODES_MAX: usize = 5;

fn millis(chance: &mut Chance, from: u64, to: u64) -> Duration {
    Duration::from_millis(from + chance.below(to - from))
}

/// Lets a node run until it does, with callers.
pub(crate) async fn start(cluster: &Cluster, load: &Load, node: usize) {
    for _ in 0..100 {
        match cluster.start(node).await {
            Ok(()) => {
                // Those who wait for what they do are the callers themselves.
                drop(load.on(cluster, node));
                return;
            }
            Err(_) => cluster.sleep(Duration::from_millis(200)).await,
        }
    }
    panic!("node {node} does not start");
}

/// Makes things go wrong for a while. Each trouble ends by itself.
pub(crate) async fn rage(cluster: &Cluster, load: &Load, climate: Climate, mut chance: Chance) {
    let mut troubles = Vec::new();
    for _ in 0..5 + chance.below(6) {
        cluster.sleep(millis(&mut chance, 50, 1200)).await;
        let trouble = climate.trouble(&mut chance);
        let (within, load, chance) = (cluster.clone(), load.clone(), chance.another());
        troubles.push(cluster.spawn_outside(async move { strike(&within, &load, trouble, chance).await }));
    }
    for trouble in troubles {
        trouble.await.unwrap();
    }
}

async fn strike(cluster: &Cluster, load: &Load, trouble: Trouble, mut chance: Chance) {
    let (node, other) = (chance.index(cluster.nodes()), chance.index(cluster.nodes()));
    let one_way = [(node, other), (other, node)];
    let database = cluster.database_of(node);
    match trouble {
        Trouble::Kill if cluster.runs(node) => {
            cluster.kill(node);
            let offset = i64::try_from(chance.below(80_000_000)).unwrap() - 40_000_000;
            database.set_clock_offset(offset);
            cluster.sleep(millis(&mut chance, 1, 4000)).await;
            start(cluster, load, node).await;
        }
        Trouble::Pause => {
            cluster.pause(node);
            cluster.sleep(millis(&mut chance, 50, 4500)).await;
            cluster.resume(node);
        }
        Trouble::Suspend => {
            cluster.suspend(node);
            cluster.sleep(millis(&mut chance, 1000, 5000)).await;
            cluster.resume(node);
        }
        Trouble::Partition | Trouble::OneWay | Trouble::Isolate if node != other => {
            match trouble {
                Trouble::Partition => cluster.partition(node, other),
                Trouble::OneWay => cluster.partition_one_way(one_way[0].0, one_way[0].1),
                _ => cluster.isolate(node),
            }
            cluster.sleep(millis(&mut chance, 50, 3000)).await;
            cluster.heal();
        }
        Trouble::SlowNetwork => {
            cluster.slow(Duration::from_millis(1)..=Duration::from_millis(150));
            cluster.sleep(millis(&mut chance, 50, 2000)).await;
            cluster.slow(Duration::from_millis(1)..=Duration::from_millis(4));
        }
        Trouble::SlowDatabase => {
            database.slow(Duration::from_millis(1)..=Duration::from_millis(250));
            cluster.sleep(millis(&mut chance, 50, 2000)).await;
            database.slow(Duration::from_millis(2)..=Duration::from_millis(6));
        }
        Trouble::DatabaseFails => until_recovered(cluster, &mut chance, node, |database, _| database.fail()).await,
        Trouble::DatabaseHangs => until_recovered(cluster, &mut chance, node, |database, _| database.hang()).await,
        Trouble::LostRequests => {
            until_recovered(cluster, &mut chance, node, |database, share| database.lose_requests(share)).await;
        }
        Trouble::LostAnswers => {
            until_recovered(cluster, &mut chance, node, |database, share| database.lose_answers(share)).await;
        }
        Trouble::LateRequests => {
            until_recovered(cluster, &mut chance, node, |database, share| {
                database.delay(share, Duration::from_millis(5)..=Duration::from_millis(2500));
            })
            .await;
        }
        Trouble::DoubledRequests => {
            until_recovered(cluster, &mut chance, node, |database, share| database.double(share)).await;
        }
        Trouble::Drain if cluster.runs(node) => {
            cluster.drain(node).await;
            if cluster.runs(node) {
                cluster.kill(node);
                start(cluster, load, node).await;
            }
        }
        Trouble::Leave if cluster.runs(node) => {
            cluster.shutdown(node).await;
            cluster.sleep(millis(&mut chance, 1, 1500)).await;
            start(cluster, load, node).await;
        }
        Trouble::Join if cluster.nodes() < NODES_MAX => {
            let node = cluster.add();
            start(cluster, load, node).await;
        }
        _ => {}
    }
}

async fn until_recovered(
    cluster: &Cluster,
    chance: &mut Chance,
    node: usize,
    trouble: impl Fn(&dna::testing::Database, u32),
) {
    let database = cluster.database_of(node);
    trouble(&database, 20 + u32::try_from(chance.below(200)).unwrap());
    cluster.sleep(millis(chance, 50, 3000)).await;
    database.recover();
}
