//! The clients of a node, which call registers and append to trails, wherever these are served, and write down what came
//! of it.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use dna::{CallError, Outcome};
use dna_core::testing::history::{Action, Ended, Recorder};
use futures_util::future::{BoxFuture, join_all};
use tokio::task::JoinHandle;

use crate::{
    actors::{Trail, TrailClient},
    clock,
    outages::Call,
    recorded::Lines,
    register::{Register, apply, ended},
    rng::Rng,
    trail::{Message, Sent},
};

/// What the registers are called: others with every while, so that the history of one does not grow without end.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct Names {
    /// When the run began.
    #[arg(long)]
    pub(crate) since: u64,
    /// How long the same registers are called.
    #[arg(long)]
    pub(crate) while_ms: u64,
}

/// How many registers are called at a time.
const REGISTERS: u64 = 12;
/// How many trails there are.
const TRAILS: u64 = 6;
/// How many clients of registers a node has.
const CALLERS: u64 = 4;
/// How many handles to trails a node has.
const HANDLES: u64 = 2;
/// How many messages of a handle are on their way at once.
const BATCH: u64 = 6;

/// How many names there are that are only read, over and over, to see whether they are answered.
const PROBES: u64 = 12;
/// How long it is from one such call to the next.
const PROBE_PAUSE: Duration = Duration::from_millis(200);

/// How long a client waits from one call to the next, on average.
const PACE_MS: u64 = 30;
/// How long it waits when one failed.
const PAUSE: Duration = Duration::from_millis(50);
/// How long what is read in the end may take.
const PATIENCE: Duration = Duration::from_secs(60);

impl Names {
    fn current(self) -> u64 {
        clock::micros().saturating_sub(self.since) / 1_000 / self.while_ms
    }

    fn registers_of(number: u64) -> impl Iterator<Item = String> {
        (0..REGISTERS).map(move |register| format!("{number}-{register}"))
    }

    fn any(self, rng: &mut Rng) -> String {
        format!("{}-{}", self.current(), rng.below(REGISTERS))
    }
}

/// The names of all trails.
fn trails() -> impl Iterator<Item = String> {
    (0..TRAILS).map(|number| format!("trail-{number}"))
}

/// Where clients write down what came of their calls, beside the history of the registers.
pub(crate) struct Files {
    pub(crate) trails: Lines,
    pub(crate) probes: Lines,
    pub(crate) errors: Lines,
}

/// The clients. A clone is the same.
#[derive(Clone)]
pub(crate) struct Load(Arc<Inner>);

struct Inner {
    process: String,
    names: Names,
    recorder: Recorder,
    files: Files,
    ends: AtomicBool,
    clients: Mutex<Vec<JoinHandle<()>>>,
}

impl Load {
    pub(crate) fn new(process: &str, names: Names, recorder: Recorder, files: Files) -> Self {
        let (process, ends, clients) = (process.to_owned(), AtomicBool::new(false), Mutex::default());
        Load(Arc::new(Inner { process, names, recorder, files, ends, clients }))
    }

    pub(crate) fn start(&self, seed: u64) {
        let mut rng = Rng::new(seed);
        let mut clients = self.0.clients.lock().unwrap();
        for _ in 0..CALLERS {
            let (inner, rng) = (self.0.clone(), Rng::new(rng.number()));
            clients.push(tokio::spawn(async move { inner.call_registers(rng).await }));
        }
        for handle in 0..HANDLES {
            let (inner, rng) = (self.0.clone(), Rng::new(rng.number()));
            clients.push(tokio::spawn(async move { inner.append(handle, rng).await }));
        }
        for probe in 0..PROBES {
            let inner = self.0.clone();
            clients.push(tokio::spawn(async move { inner.probe(&format!("probe-{probe}")).await }));
        }
    }

    /// Ends all clients, when what they have called is answered.
    pub(crate) async fn end(&self) {
        self.0.ends.store(true, Ordering::SeqCst);
        let clients = std::mem::take(&mut *self.0.clients.lock().unwrap());
        for client in clients {
            client.await.unwrap();
        }
    }

    pub(crate) fn note_error(&self, what: &str) {
        self.0.files.errors.write(&format!("{} {}", clock::micros(), what.replace('\n', " ")));
    }

    /// Reads all registers that there were.
    pub(crate) async fn read_registers(&self) {
        for register in (0..=self.0.names.current()).flat_map(Names::registers_of) {
            let until = clock::micros() + micros(PATIENCE);
            while self.0.call_register(&register, Action::Read).await.is_none() {
                assert!(clock::micros() < until, "register `{register}` does not answer");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    /// Writes down all trails.
    pub(crate) async fn dump_trails(&self, lines: &Lines) {
        for trail in trails() {
            let mut from = 0;
            loop {
                let page = page(&trail, from).await;
                if page.is_empty() {
                    break;
                }
                from += page.len() as u64;
                for (handle, number) in page {
                    lines.write(&format!("{} {handle} {trail} {number} ok", clock::micros()));
                }
            }
        }
    }
}

async fn page(trail: &str, from: u64) -> Vec<(String, u64)> {
    let until = clock::micros() + micros(PATIENCE);
    loop {
        match Trail::client(trail).page(from).await {
            Ok(page) => return page,
            Err(error) => assert!(clock::micros() < until, "trail `{trail}` cannot be read: {error}"),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap()
}

impl Inner {
    fn goes_on(&self) -> bool {
        !self.ends.load(Ordering::SeqCst)
    }

    fn note(&self, error: &CallError) {
        self.files.errors.write(&format!("{} {}", clock::micros(), kind(error)));
    }

    async fn call_register(&self, register: &str, action: Action) -> Option<u64> {
        let pending = self.recorder.invoke(&self.process, register, action);
        let answer = apply(&Register::client(register), action).await;
        pending.end(ended(&answer));
        answer.inspect_err(|error| self.note(error)).ok()
    }

    async fn call_registers(&self, mut rng: Rng) {
        let mut last = 0;
        while self.goes_on() {
            // Values that nobody else writes, and to which may be added.
            let new = rng.number() >> 16;
            let action = match rng.below(32) {
                0 => Action::Write(new),
                1 => Action::Swap(last, new),
                2..=15 => Action::Add(1),
                _ => Action::Read,
            };
            match self.call_register(&self.names.any(&mut rng), action).await {
                Some(value) => last = value,
                None => tokio::time::sleep(PAUSE).await,
            }
            tokio::time::sleep(Duration::from_millis(rng.below(2 * PACE_MS))).await;
        }
    }

    async fn probe(&self, name: &str) {
        while self.goes_on() {
            let (process, name, invoked) = (self.process.clone(), name.to_owned(), clock::micros());
            let answer = Register::client(name.as_str()).read().await;
            let (returned, answered) = (clock::micros(), answer.is_ok());
            self.files.probes.write(&Call { process, name, invoked, returned, answered }.to_string());
            if let Err(error) = answer {
                self.note(&error);
            }
            tokio::time::sleep(PROBE_PAUSE).await;
        }
    }

    /// One handle sends some messages at once, of which some are one-way, again and again.
    async fn append(&self, handle: u64, mut rng: Rng) {
        let trail = trails().nth(usize::try_from(rng.below(TRAILS)).unwrap()).unwrap();
        let client = Trail::client(trail.as_str());
        let handle = format!("{}-{handle}", self.process);
        let mut number = 0;
        while self.goes_on() {
            let mut sent = Vec::<BoxFuture<'_, bool>>::new();
            for _ in 0..BATCH {
                number += 1;
                let message = Message { handle: handle.clone(), trail: trail.clone(), number };
                sent.push(Box::pin(self.send(&client, message, rng.once_in(8))));
            }
            // They are sent in the order in which they are polled first.
            if join_all(sent).await.contains(&false) {
                tokio::time::sleep(PAUSE).await;
            }
            tokio::time::sleep(Duration::from_millis(rng.below(2 * BATCH * PACE_MS))).await;
        }
    }

    /// Sends one message. Whether all went well.
    async fn send(&self, client: &TrailClient, message: Message, one_way: bool) -> bool {
        let begun = Sent { stamp: clock::micros(), message, ended: None };
        self.files.trails.write(&begun.to_string());
        let call = client.append(begun.message.handle.clone(), begun.message.number);
        let (ended, error) = if one_way {
            match call.cast().await {
                // It is under way, and may yet be lost with its node.
                Ok(()) => (Ended::Unknown, None),
                Err(error) => (outcome(&error), Some(error)),
            }
        } else {
            match call.await {
                Ok(_) => (Ended::Ok(0), None),
                Err(error) => (outcome(&error), Some(error)),
            }
        };
        self.files.trails.write(&Sent { stamp: clock::micros(), ended: Some(ended), ..begun }.to_string());
        if let Some(error) = &error {
            self.note(error);
        }
        error.is_none()
    }
}

fn outcome(error: &CallError) -> Ended {
    if error.outcome() == Outcome::NotApplied { Ended::NotApplied } else { Ended::Unknown }
}

/// What an error is called in the report.
fn kind(error: &CallError) -> String {
    let shown = format!("{error:?}");
    let name = shown.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
    format!("{name} {:?}", error.outcome())
}
