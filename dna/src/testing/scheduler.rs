//! What runs next: the tasks of all simulated processes, in an order that follows from a seed. Knows nothing of nodes.
//!
//! It is one future of a tokio runtime whose clock stands still. While a task can run, none of tokio's does, and no time
//! passes; when none can, the clock goes on to the next timer. Which tasks may run is a set: in which order they were woken
//! makes no difference, so that nothing follows from the randomness that tokio has of its own.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use dna_core::testing::{Spawner, within_process};
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::chance::{Chance, mix};

/// How many turns may follow each other without time passing. More of them lead nowhere.
const TURNS_MAX: u64 = 5_000_000;

/// The process of what belongs to no node: the test, the network, requests on their way.
const OUTSIDE: u64 = 0;

/// A run so far, in short: two that are equal have done the same in the same order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Trace {
    /// Turns of tasks.
    pub turns: u64,
    /// What ran when, condensed.
    pub digest: u64,
    /// Simulated time since the start.
    pub elapsed: Duration,
}

/// Runs tasks. A clone is the same one.
#[derive(Clone)]
pub(super) struct Scheduler(Arc<Inner>);

struct Inner {
    ready: Arc<Mutex<Ready>>,
    state: Mutex<State>,
    started: Instant,
}

/// Which tasks may run.
#[derive(Default)]
struct Ready {
    tasks: BTreeSet<u64>,
    main: Option<Waker>,
}

struct State {
    chance: Chance,
    next_task: u64,
    next_process: u64,
    tasks: BTreeMap<u64, Task>,
    processes: BTreeMap<u64, Group>,
    turns: u64,
    digest: u64,
}

struct Task {
    process: u64,
    /// Not there while it is polled.
    future: Option<BoxFuture<'static, ()>>,
    waker: Waker,
}

/// A task that has its turn.
struct Turn {
    id: u64,
    future: BoxFuture<'static, ()>,
    waker: Waker,
    spawner: Arc<dyn Spawner>,
}

struct Group {
    spawner: Arc<dyn Spawner>,
    is_paused: bool,
    /// What was woken while it was paused.
    parked: BTreeSet<u64>,
}

/// A simulated process: its tasks may be stopped, or ended without asking them.
pub(super) struct Process {
    scheduler: Scheduler,
    id: u64,
}

struct TaskWaker {
    task: u64,
    ready: Arc<Mutex<Ready>>,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.ready.wake(self.task);
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.ready.wake(self.task);
    }
}

trait WakeTask {
    fn wake(&self, task: u64);
}

impl WakeTask for Mutex<Ready> {
    fn wake(&self, task: u64) {
        let main = {
            let mut ready = self.lock();
            ready.tasks.insert(task);
            ready.main.take()
        };
        if let Some(main) = main {
            main.wake();
        }
    }
}

impl Scheduler {
    /// One without tasks, in the runtime that this is called in.
    pub(super) fn new(chance: Chance) -> Self {
        let state = State {
            chance,
            next_task: 0,
            next_process: OUTSIDE,
            tasks: BTreeMap::new(),
            processes: BTreeMap::new(),
            turns: 0,
            digest: 0,
        };
        let scheduler =
            Scheduler(Arc::new(Inner { ready: Arc::default(), state: Mutex::new(state), started: Instant::now() }));
        // The first one is that of what is outside; it is kept as one that is never ended.
        drop(scheduler.process());
        scheduler
    }

    /// A new process.
    pub(super) fn process(&self) -> Arc<Process> {
        let mut state = self.0.state.lock();
        let id = state.next_process;
        state.next_process += 1;
        let process = Arc::new(Process { scheduler: self.clone(), id });
        let group = Group { spawner: process.clone(), is_paused: false, parked: BTreeSet::new() };
        state.processes.insert(id, group);
        process
    }

    /// Runs a task of no process.
    pub(super) fn spawn_outside(&self, task: BoxFuture<'static, ()>) {
        self.spawn(OUTSIDE, task);
    }

    fn spawn(&self, process: u64, task: BoxFuture<'static, ()>) {
        let id = {
            let mut state = self.0.state.lock();
            if !state.processes.contains_key(&process) {
                // Dropped outside of the lock.
                drop(state);
                drop(task);
                return;
            }
            let id = state.next_task;
            state.next_task += 1;
            let waker = Waker::from(Arc::new(TaskWaker { task: id, ready: self.0.ready.clone() }));
            state.tasks.insert(id, Task { process, future: Some(task), waker });
            id
        };
        self.0.ready.wake(id);
    }

    /// Runs until `is_over`.
    pub(super) async fn run(&self, mut is_over: impl FnMut() -> bool) {
        poll_fn(|cx| {
            let now = Instant::now();
            let begin = self.0.state.lock().turns;
            loop {
                self.0.ready.lock().main = Some(cx.waker().clone());
                if is_over() {
                    return Poll::Ready(());
                }
                if !self.turn(now) {
                    return Poll::Pending;
                }
                let turns = self.0.state.lock().turns - begin;
                assert!(turns < TURNS_MAX, "{turns} turns and no time has passed: something goes round in circles");
            }
        })
        .await;
    }

    /// Gives one task its turn. `false`: none can run.
    fn turn(&self, now: Instant) -> bool {
        let Some(Turn { id, mut future, waker, spawner }) = self.pick(now) else { return false };
        let polled = within_process(&spawner, || future.as_mut().poll(&mut Context::from_waker(&waker)));
        let mut state = self.0.state.lock();
        if polled.is_ready() {
            state.tasks.remove(&id);
        } else if let Some(task) = state.tasks.get_mut(&id) {
            task.future = Some(future);
            return true;
        }
        // It has ended, or its process did meanwhile.
        drop(state);
        within_process(&spawner, || drop(future));
        true
    }

    fn pick(&self, now: Instant) -> Option<Turn> {
        let mut state = self.0.state.lock();
        let State { chance, tasks, processes, turns, digest, .. } = &mut *state;
        loop {
            let id = {
                let mut ready = self.0.ready.lock();
                let at = chance.index(ready.tasks.len());
                let id = *ready.tasks.iter().nth(at)?;
                ready.tasks.remove(&id);
                id
            };
            let Some(task) = tasks.get_mut(&id) else { continue };
            let Some(process) = processes.get_mut(&task.process) else { continue };
            if process.is_paused {
                process.parked.insert(id);
                continue;
            }
            let Some(future) = task.future.take() else { continue };
            let millis = u64::try_from((now - self.0.started).as_millis()).unwrap_or(u64::MAX);
            *turns += 1;
            *digest = mix(*digest ^ mix(millis) ^ id.rotate_left(32));
            return Some(Turn { id, future, waker: task.waker.clone(), spawner: process.spawner.clone() });
        }
    }

    /// What has run so far.
    pub(super) fn trace(&self) -> Trace {
        let state = self.0.state.lock();
        Trace { turns: state.turns, digest: state.digest, elapsed: self.0.started.elapsed() }
    }

    /// Drops all tasks.
    pub(super) fn end(&self) {
        let processes = self.0.state.lock().processes.keys().copied().collect::<Vec<_>>();
        processes.into_iter().rev().for_each(|process| self.end_process(process));
    }

    fn end_process(&self, id: u64) {
        let (group, tasks) = {
            let mut state = self.0.state.lock();
            let group = state.processes.remove(&id);
            let ended = state.tasks.iter().filter(|(_, task)| task.process == id).map(|(id, _)| *id);
            let ended = ended.collect::<Vec<_>>();
            let tasks = ended.iter().filter_map(|id| state.tasks.remove(id)).collect::<Vec<_>>();
            (group, tasks)
        };
        if let Some(group) = group {
            within_process(&group.spawner, || drop(tasks));
        }
    }
}

impl Process {
    /// Runs nothing of it until it is resumed.
    pub(super) fn pause(&self) {
        if let Some(group) = self.scheduler.0.state.lock().processes.get_mut(&self.id) {
            group.is_paused = true;
        }
    }

    /// Runs it again.
    pub(super) fn resume(&self) {
        let parked = match self.scheduler.0.state.lock().processes.get_mut(&self.id) {
            Some(group) => {
                group.is_paused = false;
                std::mem::take(&mut group.parked)
            }
            None => BTreeSet::new(),
        };
        parked.into_iter().for_each(|task| self.scheduler.0.ready.wake(task));
    }

    /// Ends it: none of its tasks gets another turn.
    pub(super) fn end(&self) {
        self.scheduler.end_process(self.id);
    }
}

impl Spawner for Process {
    fn spawn(&self, task: BoxFuture<'static, ()>) {
        self.scheduler.spawn(self.id, task);
    }

    fn spawn_outside(&self, task: BoxFuture<'static, ()>) {
        self.scheduler.spawn_outside(task);
    }
}

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Process").field("id", &self.id).finish_non_exhaustive()
    }
}
