//! A member on several lanes, each a store of its own: what one of them refuses is no concern of the others.

use std::{num::NonZeroU32, sync::Arc};

use dna_core::{
    ActorName, Actors, Authority, CallError, Engine, Error, KeyRange, Loss, Member, Memory, NodeAddress, Outcome,
    Refusal, Settings, Shard, Store,
};

use crate::{
    harness::{sent, until},
    support::{Puppet, Step, get, heard, line, look, puppet, put, run},
};

const SHARDS: NonZeroU32 = NonZeroU32::new(16).unwrap();

/// A lease that holds for ever.
struct Alone;

impl Authority for Alone {
    fn holds(&self) -> bool {
        true
    }

    fn owner(&self, _: Shard) -> Option<NodeAddress> {
        None
    }

    fn lost(&self, _: Loss) {}
}

/// A member that owns all shards, with these stores as its lanes.
async fn start_on<const LANES: usize>(lanes: &[Memory; LANES], settings: Settings) -> (Engine, Member) {
    let (engine, member) = Engine::member(Actors::new().with::<Puppet>(), settings, SHARDS).unwrap();
    let stores = lanes.iter().map(|memory| Arc::new(memory.clone()) as Arc<dyn Store>).collect();
    member.begin(stores, Arc::new(Alone)).await.unwrap();
    member.own(&(0..SHARDS.get()).map(|shard| (Shard(shard), 1)).collect::<Vec<_>>());
    (engine, member)
}

fn actor(name: &str) -> ActorName {
    ActorName::new("default", "Puppet", name).unwrap()
}

fn lane_of(name: &str, lanes: usize) -> usize {
    Shard::of(&actor(name), SHARDS).0 as usize % lanes
}

/// A name whose lane this is.
fn name_on(lane: usize, lanes: usize, number: usize) -> String {
    let mut names = (0..).map(|n| format!("puppet {n}")).filter(|name| lane_of(name, lanes) == lane);
    names.nth(number).unwrap()
}

fn refused(refusal: Refusal) -> CallError<Error> {
    CallError::NotCommitted { refusal, outcome: Outcome::NotApplied }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_that_one_lane_refuses_takes_back_its_actors_and_none_of_another_lane() {
    let lanes = [Memory::new(), Memory::new()];
    let (engine, _member) = start_on(&lanes, Settings::default()).await;
    let [alice, bob] = [0, 1].map(|lane| puppet(&engine, &name_on(lane, 2, 0)));
    for client in [&alice, &bob] {
        run(client, vec![put("a", "0")]).await.unwrap();
    }

    for lane in &lanes {
        lane.faults().hold_commits();
    }
    let mut calls = [&alice, &bob].map(|client| vec![sent(run(client, vec![put("a", "1"), Step::Count]))]);
    for lane in &lanes {
        lane.faults().commits_waiting(1).await;
    }
    for (client, calls) in [&alice, &bob].into_iter().zip(&mut calls) {
        calls.push(sent(run(client, vec![get("a"), put("b", "2"), Step::Count])));
        calls.push(sent(run(client, vec![put("c", "3"), Step::Fail])));
        calls.push(sent(look(client, vec![Step::List, Step::Ring("lanes: last".into())])));
        heard("lanes: last").await;
    }
    lanes[0].faults().refuse_next(1, Refusal::Full);
    lanes[0].faults().release_commits();
    let [of_alice, mut of_bob] = calls;
    for call in of_alice {
        assert_eq!(call.answer().await.unwrap_err(), refused(Refusal::Full));
    }
    assert_eq!(run(&alice, vec![Step::List, Step::Seen]).await.unwrap(), [line("a=0"), line("0")]);
    run(&alice, vec![put("d", "4")]).await.unwrap();
    assert!(of_bob.iter_mut().all(|call| call.is_open()), "the other lane's commit is still under way");

    lanes[1].faults().release_commits();
    let mut answers = Vec::new();
    for call in of_bob {
        answers.push(call.answer().await);
    }
    let [first, second, failed, last] = &answers[..] else { panic!("{answers:?}") };
    assert_eq!(first.as_ref().unwrap()[..], [None, line("1")]);
    assert_eq!(second.as_ref().unwrap()[..], [line("1"), None, line("2")]);
    assert!(matches!(failed, Err(CallError::Handler { .. })), "{failed:?}");
    assert_eq!(last.as_ref().unwrap()[..], [line("a=1 b=2"), None]);
    for (lane, (name, rows)) in
        [(name_on(0, 2, 0), ["a=0", "d=4"]), (name_on(1, 2, 0), ["a=1", "b=2"])].into_iter().enumerate()
    {
        assert_eq!(rows_of(&lanes[lane], &name).await, rows, "{name}");
        assert!(rows_of(&lanes[1 - lane], &name).await.is_empty(), "{name} has one lane");
    }
}

async fn rows_of(memory: &Memory, name: &str) -> Vec<String> {
    let rows = memory.scan(&actor(name), "rows", &KeyRange::all(), usize::MAX, false).await.unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    rows.iter().map(|(key, value)| format!("{}={}", text(key), text(value))).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_ok_is_on_its_lane_and_no_refused_write_is_on_any() {
    const LANES: usize = 3;
    const PER_LANE: usize = 3;
    const CHUNKS: u64 = 200;
    let lanes = [Memory::new(), Memory::new(), Memory::new()];
    let mut settings = Settings::default();
    settings.max_batch_messages = 4;
    let (engine, member) = start_on(&lanes, settings).await;
    let names = (0..LANES).flat_map(|lane| (0..PER_LANE).map(move |n| (lane, name_on(lane, LANES, n))));
    let senders = names.map(|(lane, name)| {
        let (client, faults) = (puppet(&engine, &name), lanes[lane].faults());
        tokio::spawn(async move {
            let (mut kept, mut taken_back) = (Vec::new(), 0_u64);
            for chunk in 0..CHUNKS {
                let keys = (0..8).map(|at| format!("{:04}", chunk * 8 + at));
                let calls = keys.map(|key| (key.clone(), sent(run(&client, vec![put(&key, "x")]))));
                let calls = calls.collect::<Vec<_>>();
                // One of the lanes refuses nothing.
                if lane > 0 && chunk % 3 == 0 {
                    faults.refuse_next(1, Refusal::Busy);
                }
                for (key, call) in calls {
                    match call.answer().await {
                        Ok(_) => kept.push(format!("{key}=x")),
                        Err(error) => {
                            assert_eq!(error, refused(Refusal::Busy));
                            taken_back += 1;
                        }
                    }
                }
            }
            (lane, name, kept, taken_back)
        })
    });
    let mut refused_on = [0; LANES];
    for sender in senders.collect::<Vec<_>>() {
        let (lane, name, kept, taken_back) = sender.await.unwrap();
        until("all is committed", || engine.stats().uncommitted_bytes == 0).await;
        assert_eq!(rows_of(&lanes[lane], &name).await, kept, "{name}");
        refused_on[lane] += taken_back;
    }
    assert!(refused_on[0] == 0 && refused_on[1] > 0 && refused_on[2] > 0, "{refused_on:?}");
    member.drop_all(None).await;
}
