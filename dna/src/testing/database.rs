//! What a test does to the nodes' connections to the database.

use std::{ops::RangeInclusive, sync::Arc, time::Duration};

use dna_core::{
    MemoryCluster,
    testing::{Fate, FaultPlan, RequestKind},
};
use parking_lot::Mutex;

use super::chance::Chance;

/// How many fates a plan chooses among.
const FATES: usize = 500;

/// How the database is for one node, over all its processes.
pub(super) struct Access {
    chance: Chance,
    weather: Weather,
    /// What each of the node's processes has had, the last one at the end.
    links: Vec<MemoryCluster>,
}

/// What becomes of requests.
#[derive(Debug, Clone)]
struct Weather {
    latency: RangeInclusive<Duration>,
    is_away: bool,
    is_silent: bool,
    /// Of a thousand requests.
    lost_requests: u32,
    lost_answers: u32,
    late: u32,
    doubled: u32,
    late_by: RangeInclusive<Duration>,
    clock_offset: i64,
}

impl Access {
    pub(super) fn new(chance: Chance, latency: RangeInclusive<Duration>) -> Self {
        let weather = Weather {
            latency,
            is_away: false,
            is_silent: false,
            lost_requests: 0,
            lost_answers: 0,
            late: 0,
            doubled: 0,
            late_by: Duration::ZERO..=Duration::from_secs(2),
            clock_offset: 0,
        };
        Access { chance, weather, links: Vec::new() }
    }

    /// The connection of a process that is about to start.
    pub(super) fn connect(&mut self, database: &MemoryCluster) -> MemoryCluster {
        let link = database.another();
        if self.weather.is_silent {
            link.faults().hold(RequestKind::ALL);
        }
        self.links.push(link.clone());
        self.apply();
        link
    }

    fn apply(&mut self) {
        let Weather { latency, is_away, lost_requests, lost_answers, late, doubled, late_by, clock_offset, .. } =
            self.weather.clone();
        for link in &self.links {
            let faults = link.faults();
            faults.set_clock_offset(clock_offset);
            if is_away {
                faults.cut();
                continue;
            }
            let chance = &mut self.chance;
            let fates = (0..FATES).map(|_| {
                let mut hit = u32::try_from(chance.below(1000)).unwrap_or_default();
                for (share, fate) in [
                    (lost_requests, Fate::LoseRequest),
                    (lost_answers, Fate::LoseAnswer),
                    (late, Fate::Late(chance.time(&late_by))),
                    (doubled, Fate::Double(chance.time(&late_by))),
                ] {
                    if hit < share {
                        return fate;
                    }
                    hit -= share;
                }
                let half = *latency.start() / 2..=*latency.end() / 2;
                Fate::Delay { request: chance.time(&half), answer: chance.time(&half) }
            });
            let fates = fates.collect::<Vec<_>>();
            faults.follow(FaultPlan::random(self.chance.number(), 1000, RequestKind::ALL, fates));
        }
    }
}

/// The connections of one node, or of all, to the database: how they are from now on, also for the processes that are
/// started later. What is set stays until it is set anew or all [recovers](Database::recover).
#[derive(Clone)]
pub struct Database(pub(super) Vec<Arc<Mutex<Access>>>);

impl Database {
    fn change(&self, change: impl Fn(&mut Weather)) {
        for access in &self.0 {
            let mut access = access.lock();
            change(&mut access.weather);
            access.apply();
        }
    }

    /// How long a request and its answer take together.
    pub fn slow(&self, latency: RangeInclusive<Duration>) {
        self.change(|weather| weather.latency = latency.clone());
    }

    /// Every request is refused: nothing is sent, and the node knows.
    pub fn fail(&self) {
        self.change(|weather| weather.is_away = true);
    }

    /// Requests are under way, neither applied nor answered, until all recovers; then they are applied, however old they
    /// are, also those of processes that have ended meanwhile.
    pub fn hang(&self) {
        for access in &self.0 {
            let mut access = access.lock();
            if !std::mem::replace(&mut access.weather.is_silent, true) {
                access.links.iter().for_each(|link| link.faults().hold(RequestKind::ALL));
            }
        }
    }

    /// Of a thousand requests so many are lost on their way.
    pub fn lose_requests(&self, per_mille: u32) {
        self.change(|weather| weather.lost_requests = per_mille);
    }

    /// Of a thousand requests so many are applied and not answered.
    pub fn lose_answers(&self, per_mille: u32) {
        self.change(|weather| weather.lost_answers = per_mille);
    }

    /// Of a thousand requests so many get no answer, and are applied after a time within these bounds.
    pub fn delay(&self, per_mille: u32, by: RangeInclusive<Duration>) {
        self.change(|weather| (weather.late, weather.late_by) = (per_mille, by.clone()));
    }

    /// Of a thousand requests so many are applied and answered, and applied once more up to two seconds later.
    pub fn double(&self, per_mille: u32) {
        self.change(|weather| weather.doubled = per_mille);
    }

    /// Sets the wall clocks so far ahead of the database's, or behind it, in microseconds. Processes that have started
    /// already do not notice.
    pub fn set_clock_offset(&self, micros: i64) {
        self.change(|weather| weather.clock_offset = micros);
    }

    /// Nothing goes wrong any more; the latency and the clocks stay as they are. What hangs is applied.
    pub fn recover(&self) {
        self.change(|weather| {
            *weather =
                Weather { is_away: false, lost_requests: 0, lost_answers: 0, late: 0, doubled: 0, ..weather.clone() };
        });
        for access in &self.0 {
            let links = {
                let mut access = access.lock();
                let was_silent = std::mem::take(&mut access.weather.is_silent);
                if was_silent { access.links.clone() } else { Vec::new() }
            };
            links.iter().for_each(|link| link.faults().release(RequestKind::ALL));
        }
    }
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Database").field("nodes", &self.0.len()).finish()
    }
}
