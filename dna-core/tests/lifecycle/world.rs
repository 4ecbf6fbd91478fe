//! What a test shares with its actors: doors, scripts for the hooks, a log, and a watch over what runs beside what.
//!
//! Actors find the world of their test by their node's namespace, so that tests run in parallel.

use std::{
    collections::HashMap,
    sync::{
        Arc, LazyLock, Mutex, Weak,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use dna_core::{Actors, Client, Engine, Memory, Scheduled, Settings};
use tokio::{sync::Semaphore, task::JoinHandle};

use crate::support::{Batched, Doll, Flavour, Notified, Plain, Step, Tight};

static WORLDS: LazyLock<Mutex<HashMap<String, Weak<World>>>> = LazyLock::new(Mutex::default);
static NEXT: AtomicUsize = AtomicUsize::new(0);

/// A hook for which a test can write a script.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Hook {
    Init,
    Stop,
    Persisted,
}

type Script = Box<dyn FnMut(&str) -> Vec<Step> + Send>;

/// The surroundings of one test.
pub(crate) struct World {
    pub(crate) namespace: String,
    log: Mutex<Vec<String>>,
    doors: Mutex<HashMap<String, Arc<Semaphore>>>,
    scripts: Mutex<HashMap<Hook, Script>>,
    pub(crate) schedules: Mutex<HashMap<String, Scheduled>>,
    /// Handlers that run now, by actor: alone, and beside others.
    running: Mutex<HashMap<String, (usize, usize)>>,
    most_beside: AtomicUsize,
    overlaps: Mutex<Vec<String>>,
    alive: AtomicUsize,
    /// How many actors were dropped while schedules were running.
    outlived: AtomicUsize,
    /// How many actors are still to panic when they are dropped.
    panics_on_drop: AtomicUsize,
}

impl World {
    pub(crate) fn new() -> Arc<Self> {
        let namespace = format!("world-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let world = Arc::new(World {
            namespace: namespace.clone(),
            log: Mutex::default(),
            doors: Mutex::default(),
            scripts: Mutex::default(),
            schedules: Mutex::default(),
            running: Mutex::default(),
            most_beside: AtomicUsize::new(0),
            overlaps: Mutex::default(),
            alive: AtomicUsize::new(0),
            outlived: AtomicUsize::new(0),
            panics_on_drop: AtomicUsize::new(0),
        });
        WORLDS.lock().unwrap().insert(namespace, Arc::downgrade(&world));
        world
    }

    pub(crate) fn of(namespace: &str) -> Arc<Self> {
        WORLDS.lock().unwrap().get(namespace).and_then(Weak::upgrade).expect("the test has ended")
    }

    pub(crate) async fn start(&self, memory: &Memory) -> Engine {
        self.start_with(memory, |_| {}).await
    }

    pub(crate) async fn start_with(&self, memory: &Memory, set: impl FnOnce(&mut Settings)) -> Engine {
        let mut settings = Settings::default();
        settings.namespace = self.namespace.as_str().into();
        set(&mut settings);
        let actors =
            Actors::new().with::<Doll<Plain>>().with::<Doll<Notified>>().with::<Doll<Batched>>().with::<Doll<Tight>>();
        Engine::start(Arc::new(memory.clone()), actors, settings).await.unwrap()
    }

    // --- scripts, doors and the log --------------------------------------------------------------------------

    /// From now on `hook` does what `script` makes of the actor's name.
    pub(crate) fn on(&self, hook: Hook, script: impl FnMut(&str) -> Vec<Step> + Send + 'static) {
        self.scripts.lock().unwrap().insert(hook, Box::new(script));
    }

    pub(crate) fn script(&self, hook: Hook, name: &str) -> Vec<Step> {
        self.scripts.lock().unwrap().get_mut(&hook).map(|script| script(name)).unwrap_or_default()
    }

    pub(crate) fn door(&self, name: &str) -> Arc<Semaphore> {
        self.doors.lock().unwrap().entry(name.to_owned()).or_insert_with(|| Arc::new(Semaphore::new(0))).clone()
    }

    /// Lets everybody through that waits, or will wait, at the door of that name.
    pub(crate) fn open(&self, name: &str) {
        self.door(name).add_permits(Semaphore::MAX_PERMITS / 4);
    }

    pub(crate) fn say(&self, text: impl Into<String>) {
        self.log.lock().unwrap().push(text.into());
    }

    pub(crate) fn said(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }

    /// How often `text` was said.
    pub(crate) fn times(&self, text: &str) -> usize {
        self.log.lock().unwrap().iter().filter(|line| *line == text).count()
    }

    // --- what runs -------------------------------------------------------------------------------------------

    /// Notes that a handler of `name` runs from now on.
    pub(crate) fn enter(self: &Arc<Self>, name: &str, alone: bool) -> Inside {
        let mut running = self.running.lock().unwrap();
        let (lone, beside) = running.entry(name.to_owned()).or_default();
        if *lone > 0 || (alone && *beside > 0) {
            self.overlaps.lock().unwrap().push(format!("{name}: {lone} alone, {beside} beside, alone: {alone}"));
        }
        if alone {
            *lone += 1;
        } else {
            *beside += 1;
            self.most_beside.fetch_max(*beside, Ordering::Relaxed);
        }
        Inside { world: self.clone(), name: name.to_owned(), alone }
    }

    /// How many handlers run now.
    pub(crate) fn running(&self) -> usize {
        self.running.lock().unwrap().values().map(|(lone, beside)| lone + beside).sum()
    }

    /// How many `&self` handlers of one actor ran at once, at the most.
    pub(crate) fn most_beside(&self) -> usize {
        self.most_beside.load(Ordering::Relaxed)
    }

    /// Fails where a handler ran beside one that has the actor for itself.
    pub(crate) fn check_overlaps(&self) {
        assert_eq!(*self.overlaps.lock().unwrap(), Vec::<String>::new());
    }

    /// How many actors are in memory.
    pub(crate) fn alive(&self) -> usize {
        self.alive.load(Ordering::Relaxed)
    }

    /// How many actors were dropped while schedules of their world were running.
    pub(crate) fn outlived(&self) -> usize {
        self.outlived.load(Ordering::Relaxed)
    }

    /// Has the next actor that is dropped panic.
    pub(crate) fn panic_on_drop(&self) {
        self.panics_on_drop.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn live(self: &Arc<Self>) -> Alive {
        self.alive.fetch_add(1, Ordering::Relaxed);
        Alive(self.clone())
    }
}

/// A handler that runs.
pub(crate) struct Inside {
    world: Arc<World>,
    name: String,
    alone: bool,
}

impl Drop for Inside {
    fn drop(&mut self) {
        let mut running = self.world.running.lock().unwrap();
        if let Some((lone, beside)) = running.get_mut(&self.name) {
            *(if self.alone { lone } else { beside }) -= 1;
        }
    }
}

/// An actor in memory.
pub(crate) struct Alive(Arc<World>);

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.alive.fetch_sub(1, Ordering::Relaxed);
        if self.0.schedules.lock().unwrap().values().any(|schedule| !schedule.is_over()) {
            self.0.outlived.fetch_add(1, Ordering::Relaxed);
        }
        let mine = |left: usize| left.checked_sub(1);
        if self.0.panics_on_drop.fetch_update(Ordering::Relaxed, Ordering::Relaxed, mine).is_ok() {
            panic!("told to panic when dropped");
        }
    }
}

/// Waits for a condition; fails if it never holds.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..10_000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    panic!("never: {what}");
}

/// Sends a call now, so that calls are in the order of these calls, and awaits its answer in the background.
pub(crate) async fn begin<F>(call: F) -> JoinHandle<F::Output>
where
    F: Future + Unpin + Send + 'static,
    F::Output: Send + 'static,
{
    let mut call = call;
    match futures_util::poll!(&mut call) {
        std::task::Poll::Ready(answer) => tokio::spawn(async move { answer }),
        std::task::Poll::Pending => tokio::spawn(call),
    }
}

/// What a call was answered; fails if it never is.
pub(crate) async fn answered<T>(call: JoinHandle<T>) -> T {
    until("the call is answered", || call.is_finished()).await;
    call.await.unwrap()
}

/// An actor that does what its messages say.
pub(crate) fn doll(engine: &Engine, name: &str) -> Client<Doll<Plain>> {
    engine.client::<Doll<Plain>>(name)
}

/// The same of another flavour.
pub(crate) fn doll_of<F: Flavour>(engine: &Engine, name: &str) -> Client<Doll<F>> {
    engine.client::<Doll<F>>(name)
}
