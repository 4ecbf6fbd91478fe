//! A member under load from several threads: what shards are released in the middle of.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use dna_core::{ActorName, CallError, MemoryCluster, NodeJournals, Outcome, Shard};

use crate::member::{Counter, Message, SHARDS, begin, call, shard_of, start};

const LANES: u16 = 2;
const ACTORS: usize = 24;
const CALLERS: usize = 6;
const ROUNDS: u64 = 150;

fn name(actor: usize) -> String {
    format!("actor {actor}")
}

/// What stands in the store of each actor of these shards.
async fn stored(journals: &Arc<dyn NodeJournals>, shards: &[Shard]) -> BTreeMap<String, u64> {
    let mut totals = BTreeMap::new();
    for name in (0..ACTORS).map(name).filter(|name| shards.contains(&shard_of(name))) {
        let lane = shard_of(&name).0 as usize % usize::from(LANES);
        let actor = ActorName::new("default", "Counter", name.as_str()).unwrap();
        let total = journals.stores()[lane].get(&actor, "total", b"n").await.unwrap();
        totals.insert(name, total.map_or(0, |total| u64::from_be_bytes(total.as_ref().try_into().unwrap())));
    }
    totals
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_was_answered_ok_is_stored_once_while_shards_are_released_and_owned_again_under_load() {
    let cluster = MemoryCluster::new();
    let (engine, member) = start();
    let engine = Arc::new(engine);
    let (_lease, journals) = begin(&member, &cluster, LANES, 1).await;
    let (ends, oks) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let callers = (0..CALLERS).map(|caller| {
        let (engine, ends, oks) = (engine.clone(), ends.clone(), oks.clone());
        tokio::spawn(async move {
            let mut added = vec![0_u64; ACTORS];
            for n in (0_usize..).take_while(|_| !ends.load(Ordering::SeqCst)) {
                let actor = (n * 7 + caller) % ACTORS;
                let client = engine.client::<Counter>(name(actor));
                let refused = if n % 3 == 0 {
                    let cast = call(&client, Message::Add(1)).cast().await;
                    cast.err().map(|error| (error.outcome(), error.is_retryable()))
                } else {
                    let answer = call(&client, Message::Add(1)).await;
                    answer.err().map(|error| (error.outcome(), error.is_retryable()))
                };
                match refused {
                    None => {
                        added[actor] += 1;
                        oks.fetch_add(1, Ordering::SeqCst);
                    }
                    Some(known) => {
                        assert_eq!(known, (Outcome::NotApplied, true));
                        tokio::task::yield_now().await;
                    }
                }
            }
            added
        })
    });
    let callers = callers.collect::<Vec<_>>();

    for round in 0..ROUNDS {
        // So that there is load in each round.
        let before = oks.load(Ordering::SeqCst);
        while oks.load(Ordering::SeqCst) < before + 50 {
            tokio::task::yield_now().await;
        }
        let released = (0..SHARDS.get()).filter(|shard| (u64::from(*shard) + round) % 3 != 0).map(Shard);
        let released = released.collect::<Vec<_>>();
        member.release(&released).await;
        let at_rest = stored(&journals, &released).await;
        let here = name((0..ACTORS).find(|actor| released.contains(&shard_of(&name(*actor)))).unwrap());
        let error = call(&engine.client::<Counter>(here), Message::Count).await.unwrap_err();
        assert_eq!(error, CallError::NotOwner { owner: None });
        assert_eq!(stored(&journals, &released).await, at_rest, "something was still written behind a release");
        member.own(&released.iter().map(|shard| (*shard, round + 2)).collect::<Vec<_>>());
    }

    ends.store(true, Ordering::SeqCst);
    let mut added = [0; ACTORS];
    for caller in callers {
        added.iter_mut().zip(caller.await.unwrap()).for_each(|(sum, added)| *sum += added);
    }
    for (actor, expected) in added.iter().enumerate() {
        let total = call(&engine.client::<Counter>(name(actor)), Message::Add(0)).await.unwrap();
        assert_eq!(total, *expected, "{actor}");
    }
    let all = (0..SHARDS.get()).map(Shard).collect::<Vec<_>>();
    member.release(&all).await;
    let expected = (0..ACTORS).map(|actor| (name(actor), added[actor])).collect();
    assert_eq!(stored(&journals, &all).await, expected);
}
