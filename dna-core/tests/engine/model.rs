//! Random messages, refusals, lost answers, passivations, crashes and restarts, against a map.
//!
//! An actor's messages take effect in the order of their sending, so the model is exact: what was answered `Ok` is
//! applied and has shown exactly what the model shows, what was answered `NotApplied` is not. What a crash left
//! `Unknown` stood in one group: all of it is there afterwards, or nothing.

use std::collections::BTreeMap;

use dna_core::{Call, CallError, Engine, Error, Loss, Memory, Outcome, Refusal, Settings, ShutdownError};

use crate::{
    harness::{Random, Sent, sent},
    support::{Lines, Puppet, Step, look, puppet, put, run, start_with},
};

const OPERATIONS: usize = 100_000;
const ACTORS: usize = 6;
const KEYS: u64 = 12;

/// The rows of an actor's two modules.
#[derive(Debug, Clone, Default, PartialEq)]
struct Model {
    rows: BTreeMap<String, String>,
    more: BTreeMap<String, String>,
}

fn list(rows: &BTreeMap<String, String>) -> Option<String> {
    Some(rows.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(" "))
}

impl Model {
    fn lines(&self) -> Lines {
        vec![list(&self.rows), list(&self.more)]
    }

    /// What a message with these steps answers, or `None` where it fails.
    fn apply(&mut self, steps: &[Step]) -> Option<Lines> {
        let mut lines = Lines::new();
        for step in steps {
            lines.push(match step {
                Step::Put(key, value) => {
                    self.rows.insert(key.clone(), value.clone());
                    None
                }
                Step::PutMore(key, value) => {
                    self.more.insert(key.clone(), value.clone());
                    None
                }
                Step::Delete(key) => {
                    self.rows.remove(key);
                    None
                }
                Step::DeleteRange(start, end) => {
                    self.rows.retain(|key, _| key < start || key >= end);
                    None
                }
                Step::DeleteAll => {
                    self.rows.clear();
                    None
                }
                Step::DeleteAllMore => {
                    self.more.clear();
                    None
                }
                Step::Get(key) => self.rows.get(key).cloned(),
                Step::List => list(&self.rows),
                Step::ListMore => list(&self.more),
                Step::Fail | Step::Panic => return None,
                other => panic!("not in the model: {other:?}"),
            });
        }
        Some(lines)
    }
}

fn key(random: &mut Random) -> String {
    format!("k{:02}", random.below(KEYS))
}

fn write(random: &mut Random, value: usize) -> Step {
    match random.below(12) {
        0 => Step::Delete(key(random)),
        1 => Step::DeleteRange(key(random), key(random)),
        2 if random.chance(4) => Step::DeleteAll,
        3 if random.chance(4) => Step::DeleteAllMore,
        4..=6 => Step::PutMore(key(random), value.to_string()),
        _ => put(&key(random), &value.to_string()),
    }
}

fn read(random: &mut Random) -> Step {
    match random.below(4) {
        0 => Step::List,
        1 => Step::ListMore,
        _ => Step::Get(key(random)),
    }
}

/// The steps of a message, and whether it may write.
fn message(random: &mut Random, number: usize) -> (Vec<Step>, bool) {
    if random.chance(3) {
        return ((0..1 + random.below(2)).map(|_| read(random)).collect(), false);
    }
    let mut steps = Vec::new();
    for _ in 0..1 + random.below(4) {
        steps.push(if random.chance(4) { read(random) } else { write(random, number) });
    }
    match random.below(24) {
        0 => steps.push(Step::Fail),
        1 => steps.push(Step::Panic),
        _ => {}
    }
    (steps, true)
}

enum Open {
    Call(Vec<Step>, Sent<Call<Puppet, Lines, Error>>),
    Cast(Vec<Step>),
}

struct Run {
    random: Random,
    memory: Memory,
    engine: Option<Engine>,
    models: Vec<Model>,
    open: Vec<Vec<Open>>,
    sent: usize,
}

impl Run {
    async fn node(&mut self) -> &Engine {
        if self.engine.is_none() {
            let mut settings = Settings::default();
            settings.max_batch_messages = 1 + usize::try_from(self.random.below(16)).unwrap();
            self.engine = Some(start_with(&self.memory, settings).await);
        }
        self.engine.as_ref().unwrap()
    }

    async fn send(&mut self, count: u64, casts: bool) {
        for _ in 0..count {
            let actor = usize::try_from(self.random.below(ACTORS as u64)).unwrap();
            self.sent += 1;
            let (steps, writes) = message(&mut self.random, self.sent);
            let cast = casts && writes && self.random.chance(4);
            let alone = writes || self.random.chance(2);
            let client = puppet(self.node().await, &actor.to_string());
            let call = if alone { run(&client, steps.clone()) } else { look(&client, steps.clone()) };
            self.open[actor].push(if cast {
                call.cast().await.unwrap();
                Open::Cast(steps)
            } else {
                Open::Call(steps, sent(call))
            });
        }
    }

    /// Takes every answer, and holds it against the model. The models' states if what is unknown is there.
    async fn settle(&mut self) -> Vec<Model> {
        let mut with_unknown = Vec::new();
        for (model, open) in self.models.iter_mut().zip(&mut self.open) {
            let mut unknown = None;
            for open in open.drain(..) {
                let (steps, answer) = match open {
                    Open::Cast(steps) => (steps, None),
                    Open::Call(steps, call) => (steps, Some(call.answer().await)),
                };
                let mut after = unknown.as_ref().unwrap_or(model).clone();
                let expected = after.apply(&steps);
                match (answer, expected) {
                    (None, None) => {}
                    (None, Some(_)) => *model = after,
                    (Some(Ok(lines)), expected) => {
                        assert_eq!(Some(lines), expected, "{steps:?}");
                        assert!(unknown.is_none(), "an `Ok` behind what is in doubt");
                        *model = after;
                    }
                    (Some(Err(error)), _) if error.outcome() == Outcome::Unknown => unknown = Some(after),
                    (Some(Err(CallError::Handler { .. } | CallError::Panicked { .. })), None) => {}
                    (
                        Some(Err(CallError::NotCommitted { .. } | CallError::Stopped { .. } | CallError::Lost { .. })),
                        _,
                    ) => {}
                    (Some(Err(error)), _) => panic!("{error:?} of {steps:?}"),
                }
            }
            with_unknown.push(unknown.unwrap_or_else(|| model.clone()));
        }
        with_unknown
    }

    async fn states(&mut self) -> Vec<Lines> {
        let mut states = Vec::new();
        for actor in 0..ACTORS {
            let client = puppet(self.node().await, &actor.to_string());
            states.push(look(&client, vec![Step::List, Step::ListMore]).await.unwrap());
        }
        states
    }

    async fn check(&mut self) {
        let expected = self.models.iter().map(Model::lines).collect::<Vec<_>>();
        assert_eq!(self.states().await, expected);
    }

    /// Messages, with something in the way of their commits, and a passivation in between.
    async fn round(&mut self) {
        let faults = self.memory.faults();
        let (held, refuses) = (self.random.chance(2), self.random.chance(3));
        match self.random.below(6) {
            0 => faults.lose_next_answers(1),
            1 => faults.lose_next_requests(1),
            _ => {}
        }
        for part in 0..3 {
            if held && part == 1 {
                faults.hold_commits();
            }
            if refuses {
                let count = self.random.below(3);
                faults.refuse_next(usize::try_from(count).unwrap(), Refusal::Full);
            }
            let count = 10 + self.random.below(30);
            self.send(count, !refuses).await;
            if self.random.chance(3) {
                self.node().await.passivate_all().await;
            }
        }
        faults.release_commits();
        self.settle().await;
        if refuses {
            // Refusals that were not used up are, by the first commit that goes through.
            let drain = puppet(self.node().await, "drain");
            while let Err(error) = run(&drain, vec![put("a", "1")]).await {
                assert!(matches!(error, CallError::NotCommitted { .. }), "{error:?}");
            }
        } else {
            // A read behind the casts: they are handled, and durable.
            self.check().await;
        }
    }

    /// Messages, and the end of the node while they are under way: it crashes, or its store does.
    async fn crash(&mut self) {
        let faults = self.memory.faults();
        let count = self.random.below(30);
        self.send(count, false).await;
        let (held, poisoned) = (self.random.chance(2), self.random.chance(3));
        if held {
            faults.hold_commits();
        }
        if poisoned {
            faults.poison_next(self.random.chance(2));
        }
        let count = 10 + self.random.below(30);
        self.send(count, false).await;
        if poisoned {
            // Whatever is left of it meets this one.
            faults.release_commits();
            let last = puppet(self.node().await, "last");
            run(&last, vec![put("a", "1")]).await.unwrap_err();
            let lost = self.engine.take().unwrap().shutdown().await;
            assert_eq!(lost, Err(ShutdownError::Lost(Loss::Poisoned)));
        }
        drop(self.engine.take());
        let with_unknown = self.settle().await;
        if !poisoned && self.random.chance(2) {
            faults.release_commits();
        } else {
            // As a restart of the process: what was not applied never will be.
            faults.reopen();
            faults.release_commits();
        }
        let states = self.states().await;
        let lines = |models: &[Model]| models.iter().map(Model::lines).collect::<Vec<_>>();
        if states != lines(&self.models) {
            assert_eq!(states, lines(&with_unknown), "what was in doubt is there in part");
            self.models = with_unknown;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_thousand_random_messages_with_failures_and_restarts_do_as_the_model_does() {
    let seed = std::env::var("DNA_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed: u64 = seed.unwrap_or_else(|| {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        u64::from(since.unwrap().subsec_nanos())
    });
    println!("DNA_TEST_SEED={seed}");
    let mut test = Run {
        random: Random::new(seed),
        memory: Memory::new(),
        engine: None,
        models: vec![Model::default(); ACTORS],
        open: std::iter::repeat_with(Vec::new).take(ACTORS).collect(),
        sent: 0,
    };
    while test.sent < OPERATIONS {
        test.round().await;
        if test.random.chance(8) {
            test.crash().await;
        } else if test.random.chance(8) {
            test.engine.take().unwrap().shutdown().await.unwrap();
        }
        if test.random.chance(8) {
            test.check().await;
        }
    }
}
