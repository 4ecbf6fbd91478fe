//! One node's connection to the database: every request goes over it, and may be delayed, lost or doubled on its way,
//! and so may its answer.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use parking_lot::Mutex;
use tokio::sync::{oneshot, watch};

use super::{
    database::{Database, micros},
    plan::{Fate, FaultPlan, RequestKind},
    rule::Rule,
};
use crate::{
    cluster::{ClusterError, Timestamp},
    runtime::{self, Stopwatch},
    store::ReadError,
};

/// Applies a request to the database.
type Delivery = Box<dyn FnOnce(&mut Database) + Send>;

/// A connection. A clone is the same one.
#[derive(Clone)]
pub(super) struct Link(Arc<Inner>);

struct Inner {
    database: Arc<Mutex<Database>>,
    state: Mutex<State>,
    held: watch::Sender<usize>,
    without: Option<Rule>,
}

#[derive(Default)]
struct State {
    plan: FaultPlan,
    held_kinds: Vec<RequestKind>,
    held: VecDeque<(RequestKind, Delivery)>,
    stranded: Vec<Delivery>,
    /// How far the wall clock here is ahead of the database's, in microseconds.
    clock_offset: i64,
    asked: HashMap<RequestKind, u64>,
}

/// Why a request has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoAnswer {
    /// It was never sent.
    Refused,
    /// It may be applied, now or later.
    Lost,
}

impl NoAnswer {
    /// What it says of a request that only reads.
    pub(super) fn of_read(self) -> ClusterError {
        ClusterError::Unavailable
    }
}

impl From<NoAnswer> for ClusterError {
    fn from(no: NoAnswer) -> Self {
        match no {
            NoAnswer::Refused => ClusterError::Unavailable,
            NoAnswer::Lost => ClusterError::Unknown,
        }
    }
}

impl From<NoAnswer> for ReadError {
    fn from(_: NoAnswer) -> Self {
        ReadError::Unavailable
    }
}

impl Link {
    pub(super) fn to_new_database(without: Option<Rule>) -> Self {
        Link::to(Arc::new(Mutex::new(Database::new(without))), without)
    }

    /// One more connection to the same database, on which nothing goes wrong.
    pub(super) fn another(&self) -> Self {
        Link::to(self.0.database.clone(), self.0.without)
    }

    fn to(database: Arc<Mutex<Database>>, without: Option<Rule>) -> Self {
        Link(Arc::new(Inner { database, state: Mutex::default(), held: watch::Sender::default(), without }))
    }

    /// Whether this rule is kept.
    pub(super) fn keeps(&self, rule: Rule) -> bool {
        self.0.without != Some(rule)
    }

    /// What the wall clock of this machine says, which goes as fast as that of the database.
    pub(super) fn wall_clock(&self) -> WallClock {
        let offset = self.0.state.lock().clock_offset;
        let now = self.0.database.lock().now().as_micros();
        WallClock { started: Stopwatch::start(), wall_at_start: now.saturating_add_signed(offset) }
    }

    /// Asks the database. Nothing is sent before the first poll; from then on the request is on its way, whether or not
    /// anyone waits for the answer.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        kind: RequestKind,
        effect: impl Fn(&mut Database) -> T + Send + Sync + 'static,
    ) -> Result<T, NoAnswer> {
        let effect = Arc::new(effect);
        let (answer, answered) = oneshot::channel();
        let once_more = || {
            let effect = effect.clone();
            Box::new(move |database: &mut Database| drop(effect(database)))
        };
        let first: Delivery = {
            let effect = effect.clone();
            // Whoever asked may be gone; what it asked for is done all the same.
            Box::new(move |database| drop(answer.send(effect(database))))
        };
        let fate = {
            let mut state = self.0.state.lock();
            *state.asked.entry(kind).or_default() += 1;
            state.plan.fate(kind)
        };
        match fate {
            Fate::Pass => self.send(kind, first),
            Fate::Delay { request, .. } => self.send_after(request, kind, first),
            Fate::Refuse => return Err(NoAnswer::Refused),
            Fate::LoseRequest => return Err(NoAnswer::Lost),
            Fate::LoseAnswer => {
                self.send(kind, first);
                return Err(NoAnswer::Lost);
            }
            Fate::Late(after) => {
                self.send_after(after, kind, first);
                return Err(NoAnswer::Lost);
            }
            Fate::Strand => {
                self.0.state.lock().stranded.push(first);
                return Err(NoAnswer::Lost);
            }
            Fate::Double(after) => {
                self.send(kind, first);
                self.send_after(after, kind, once_more());
            }
            Fate::Echo => {
                self.send(kind, first);
                self.0.state.lock().stranded.push(once_more());
            }
        }
        let answer = answered.await.map_err(|_| NoAnswer::Lost)?;
        match fate {
            Fate::Delay { answer: after, .. } => runtime::sleep(after).await,
            // Others get their turn between two requests, as they do where an answer takes time.
            _ => runtime::yield_now().await,
        }
        Ok(answer)
    }

    fn send(&self, kind: RequestKind, delivery: Delivery) {
        let mut state = self.0.state.lock();
        if state.held_kinds.contains(&kind) {
            state.held.push_back((kind, delivery));
            let held = state.held.len();
            drop(state);
            self.0.held.send_replace(held);
        } else {
            drop(state);
            delivery(&mut self.0.database.lock());
        }
    }

    fn send_after(&self, after: Duration, kind: RequestKind, delivery: Delivery) {
        let link = self.clone();
        runtime::spawn_outside(async move {
            runtime::sleep(after).await;
            link.send(kind, delivery);
        });
    }
}

/// What tests do to a connection.
#[cfg(feature = "testing")]
impl Link {
    pub(super) fn with_plan<T>(&self, change: impl FnOnce(&mut FaultPlan) -> T) -> T {
        change(&mut self.0.state.lock().plan)
    }

    pub(super) fn with_database<T>(&self, change: impl FnOnce(&mut Database) -> T) -> T {
        change(&mut self.0.database.lock())
    }

    pub(super) fn set_clock_offset(&self, micros: i64) {
        self.0.state.lock().clock_offset = micros;
    }

    pub(super) fn hold(&self, kinds: impl IntoIterator<Item = RequestKind>) {
        self.0.state.lock().held_kinds.extend(kinds);
    }

    /// Delivers what is held of these kinds, in order, and holds them no longer.
    pub(super) fn release(&self, kinds: &[RequestKind]) {
        let deliveries: Vec<Delivery> = {
            let mut state = self.0.state.lock();
            state.held_kinds.retain(|kind| !kinds.contains(kind));
            let (free, held): (VecDeque<_>, VecDeque<_>) =
                state.held.drain(..).partition(|(kind, _)| kinds.contains(kind));
            state.held = held;
            self.0.held.send_replace(state.held.len());
            free.into_iter().map(|(_, delivery)| delivery).collect()
        };
        self.deliver(deliveries);
    }

    pub(super) fn asked(&self, kind: RequestKind) -> u64 {
        self.0.state.lock().asked.get(&kind).copied().unwrap_or_default()
    }

    pub(super) fn deliver_stranded(&self) -> usize {
        let deliveries = std::mem::take(&mut self.0.state.lock().stranded);
        let count = deliveries.len();
        self.deliver(deliveries);
        count
    }

    fn deliver(&self, deliveries: Vec<Delivery>) {
        for delivery in deliveries {
            delivery(&mut self.0.database.lock());
        }
    }

    pub(super) async fn held(&self, count: usize) {
        // The sender lives as long as this connection.
        let _ = self.0.held.subscribe().wait_for(|held| *held >= count).await;
    }
}

/// A machine's wall clock: what it said at the start, and the time since.
#[derive(Debug, Clone, Copy)]
pub(super) struct WallClock {
    started: Stopwatch,
    wall_at_start: u64,
}

impl WallClock {
    pub(super) fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.wall_at_start.saturating_add(micros(self.started.elapsed())))
    }
}
