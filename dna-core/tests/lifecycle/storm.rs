//! Everything at once, from a seed: calls, casts, failures, panics, cancellations, refusals, lost answers, passivations,
//! small mailboxes. The sums must be right, and nothing may be left behind.

use std::{collections::HashMap, sync::Arc, time::Duration};

use dna_core::{CallError, Client, Engine, Error, Memory, Outcome, Refusal};

use crate::{
    support::{Batched, Doll, Flavour, Lines, Notified, Plain, Step, Tight, bump, cast, get, look, run},
    world::{Hook, World, doll_of, until},
};

const SENDERS: u64 = 8;
const MESSAGES: usize = 600;
const NAMES: u64 = 6;

/// Numbers from a seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % sides
    }
}

/// How many of a name's bumps certainly, and how many possibly, are in.
#[derive(Debug, Default, Clone, Copy)]
struct Count {
    certain: u64,
    possible: u64,
}

type Counts = HashMap<String, Count>;

fn count<E>(counts: &mut Counts, name: &str, result: &Result<(), CallError<E>>) {
    let count = counts.entry(name.to_owned()).or_default();
    match result.as_ref().map_err(CallError::outcome) {
        Ok(()) => count.certain += 1,
        Err(Outcome::Unknown) => count.possible += 1,
        Err(Outcome::NotApplied) => {}
    }
}

/// What one sender does to actors of one flavour.
async fn send<F: Flavour>(engine: Arc<Engine>, seed: u64) -> Counts {
    let mut dice = Dice(seed);
    let mut counts = Counts::new();
    let mut kept: HashMap<String, Client<Doll<F>>> = HashMap::new();
    for _ in 0..MESSAGES {
        let name = dice.roll(NAMES).to_string();
        let fresh = doll_of::<F>(&engine, &name);
        let client = if dice.roll(2) == 0 { fresh } else { kept.entry(name.clone()).or_insert(fresh).clone() };
        match dice.roll(12) {
            0..=3 => {
                let answer = run(&client, vec![bump("n")]).await;
                count(&mut counts, &name, &answer.map(drop));
            }
            4 => {
                let answer = run(&client, vec![bump("n"), Step::Yield, bump("m"), Step::Yield]).await;
                count(&mut counts, &name, &answer.map(drop));
            }
            5 => {
                // Lost with its group, nobody is told.
                let possible = run(&client, vec![bump("n")]).cast().await.is_ok();
                counts.entry(name).or_default().possible += u64::from(possible);
            }
            6 => drop(run(&client, vec![bump("n"), Step::Fail]).await.unwrap_err()),
            7 => drop(run(&client, vec![bump("n"), Step::Yield, Step::Panic]).await.unwrap_err()),
            8 => {
                let mut call = run(&client, vec![Step::Yield, bump("n")]);
                for _ in 0..dice.roll(4) {
                    if futures_util::poll!(&mut call).is_ready() {
                        break;
                    }
                    tokio::task::yield_now().await;
                }
                counts.entry(name).or_default().possible += 1;
            }
            9 => {
                let leaf = format!("leaf-{}", dice.roll(3));
                let steps = vec![bump("n"), cast(&leaf, vec![bump("n")])];
                let answer = run(&client, steps).await;
                counts.entry(leaf).or_default().possible += u64::from(answer.is_ok() || !is_not_applied(&answer));
                count(&mut counts, &name, &answer.map(drop));
            }
            10 => {
                let leaf = format!("leaf-{}", dice.roll(3));
                let answer = run(&client, vec![bump("n"), Step::Call(leaf.clone(), vec![bump("n")])]).await;
                let leaf = counts.entry(leaf).or_default();
                match &answer {
                    Ok(_) => leaf.certain += 1,
                    Err(_) => leaf.possible += 1,
                }
                // The handler's own call makes what it did doubtful to its caller, but it is rolled back all the same.
                count(&mut counts, &name, &answer.map(drop));
            }
            _ => drop(look(&client, vec![get("n"), Step::Yield, get("m")]).await),
        }
    }
    counts
}

fn is_not_applied(answer: &Result<Lines, CallError<Error>>) -> bool {
    answer.as_ref().is_err_and(|error| error.outcome() == Outcome::NotApplied)
}

/// The storm over one flavour, with the sums checked in the end.
async fn storm<F: Flavour>(seed: u64) {
    let world = World::new();
    let mut inits = 0_u64;
    world.on(Hook::Init, move |_| {
        inits += 1;
        if inits.is_multiple_of(13) { vec![bump("n"), Step::Fail] } else { vec![bump("inits")] }
    });
    world.on(Hook::Stop, |_| vec![bump("stops")]);
    world.on(Hook::Persisted, |_| vec![get("n")]);
    let memory = Memory::new();
    let engine = world.start_with(&memory, |settings| {
        settings.max_active = 4;
        settings.cache_bytes_max = 1500;
        settings.max_batch_messages = 7;
    });
    let engine = Arc::new(engine.await);
    let weather = tokio::spawn({
        let (engine, faults, mut dice) = (engine.clone(), memory.faults(), Dice(seed ^ 0x9e37_79b9));
        async move {
            loop {
                match dice.roll(4) {
                    0 => faults.refuse_next(1, Refusal::Busy),
                    1 => faults.lose_next_answers(1),
                    2 => faults.lose_next_requests(1),
                    _ => drop(tokio::time::timeout(Duration::from_millis(2), engine.passivate_all()).await),
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
    });
    let mut senders = Vec::new();
    for sender in 1..=SENDERS {
        senders.push(tokio::spawn(send::<F>(engine.clone(), seed.wrapping_mul(sender) | 1)));
    }
    let mut counts = Counts::new();
    for sender in senders {
        for (name, more) in sender.await.unwrap() {
            let count = counts.entry(name).or_default();
            count.certain += more.certain;
            count.possible += more.possible;
        }
    }
    weather.abort();
    drop(weather.await);
    world.on(Hook::Init, |_| Vec::new());
    world.on(Hook::Stop, |_| Vec::new());
    until("all is at rest", || {
        let stats = engine.stats();
        (stats.queued, stats.uncommitted_bytes, world.running()) == (0, 0, 0)
    })
    .await;
    engine.passivate_all().await;
    until("nothing is left", || {
        (engine.names_held(), engine.stats().active, world.alive(), engine.stats().cached_bytes) == (0, 0, 0, 0)
    })
    .await;
    let mut certain = 0;
    for (name, count) in &counts {
        let client = doll_of::<F>(&engine, name);
        // A refusal may have been planned and not come yet.
        let lines = loop {
            match look(&client, vec![get("n")]).await {
                Ok(lines) => break lines,
                Err(error) => assert_eq!(error.outcome(), Outcome::NotApplied, "{error:?}"),
            }
        };
        let stored = lines[0].clone().map_or(0, |n| n.parse::<u64>().unwrap());
        let bounds = count.certain..=count.certain + count.possible;
        assert!(bounds.contains(&stored), "seed {seed}, {} {name}: {stored} stored, {count:?}", F::KIND);
        certain += count.certain;
    }
    assert!(certain > 300, "hardly anything was answered Ok: {counts:?}");
    assert!(engine.stats().activations > 50, "{:?}", engine.stats());
    world.check_overlaps();
    Arc::into_inner(engine).unwrap().shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_sums_are_right_and_nothing_is_left_behind_a_storm() {
    for seed in [1, 7, 2026] {
        storm::<Plain>(seed).await;
        storm::<Tight>(seed).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_sums_are_right_behind_a_storm_over_actors_with_hooks() {
    for seed in [1, 7, 2026] {
        storm::<Notified>(seed).await;
        storm::<Batched>(seed).await;
    }
}
