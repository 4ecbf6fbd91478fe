//! The heartbeats of one incarnation: a loop on a thread of its own, so that a busy runtime cannot starve it; but a
//! runtime that stands still ends it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use dna_core::{ClusterError, ClusterStore};
use futures_util::{StreamExt, future::Either, stream::FuturesUnordered};

use crate::{
    decide::{Renewal, beat_interval, may_beat},
    host::Loss,
    life::Life,
    limits::BEATS_IN_FLIGHT_MAX,
    meter::HEARTBEATS_FAILED,
    moment::Moment,
    seam::{self, Seam},
};

/// When the main runtime last ran the probe task.
#[derive(Debug, Clone)]
pub(crate) struct Probe(Arc<AtomicU64>);

impl Probe {
    /// Starts the probe task of an incarnation.
    pub(crate) fn start(seam: &Seam, life: &Life, age_max: Duration) -> Self {
        let probe = Probe(Arc::new(AtomicU64::new(millis(seam.now()))));
        let (last_run, seam_of_task, life) = (probe.0.clone(), seam.clone(), life.clone());
        seam.spawn(async move {
            let run = async {
                loop {
                    seam::sleep(age_max / 10).await;
                    last_run.store(millis(seam_of_task.now()), Ordering::Relaxed);
                }
            };
            futures_util::future::select(std::pin::pin!(run), std::pin::pin!(life.ended())).await;
        });
        probe
    }

    fn last_run(&self) -> Moment {
        Moment::since_boot(Duration::from_millis(self.0.load(Ordering::Relaxed)))
    }
}

fn millis(moment: Moment) -> u64 {
    u64::try_from(moment.as_duration().as_millis()).unwrap_or(u64::MAX)
}

/// What the heartbeats of an incarnation need.
pub(crate) struct Beats {
    pub(crate) seam: Seam,
    pub(crate) store: Arc<dyn ClusterStore>,
    pub(crate) life: Life,
    pub(crate) lease: Duration,
    pub(crate) probe: Probe,
    pub(crate) probe_age_max: Duration,
}

impl Drop for Beats {
    /// Nobody would notice that the lease lapses: whatever ended this, a panic too, ends the incarnation.
    fn drop(&mut self) {
        self.life.end(Loss::LeaseLapsed);
    }
}

impl Beats {
    /// Beats until the incarnation ends; ends it when its lease lapses. The first heartbeat was number 1.
    pub(crate) async fn run(self) {
        let mut under_way = FuturesUnordered::new();
        let mut number = 1_u64;
        let mut ended = std::pin::pin!(self.life.ended());
        loop {
            let mut tick = std::pin::pin!(seam::sleep(beat_interval(self.lease)));
            loop {
                let answer = async {
                    match under_way.next().await {
                        Some(answer) => answer,
                        None => std::future::pending().await,
                    }
                };
                let answer = std::pin::pin!(answer);
                let event =
                    futures_util::future::select(ended.as_mut(), futures_util::future::select(answer, &mut tick));
                match event.await {
                    Either::Left(_) => return,
                    Either::Right((Either::Left((answer, _)), _)) => self.take_in(answer),
                    Either::Right((Either::Right(_), _)) => break,
                }
            }
            if !self.life.lease.holds() {
                self.life.end(Loss::LeaseLapsed);
            } else if !may_beat(self.seam.now(), self.probe.last_run(), self.probe_age_max) {
                tracing::error!("the runtime has not run a task for {:?}: no heartbeat", self.probe_age_max);
            } else if under_way.len() < BEATS_IN_FLIGHT_MAX {
                number += 1;
                under_way.push(self.beat(number));
            }
        }
    }

    /// When the heartbeat was sent, and what came of it.
    async fn beat(&self, number: u64) -> (Moment, Result<(), ClusterError>) {
        let sent = self.seam.now();
        // An answer that comes later than this renews nothing.
        let answer = seam::within(self.lease, self.store.beat(self.life.node, number)).await;
        (sent, answer.unwrap_or(Err(ClusterError::Unknown)))
    }

    fn take_in(&self, (sent, answer): (Moment, Result<(), ClusterError>)) {
        match answer {
            Ok(()) => {
                if self.life.lease.renew(sent) == Renewal::Lapsed {
                    self.life.end(Loss::LeaseLapsed);
                }
            }
            Err(error) => {
                tracing::warn!(node = %self.life.node, "a heartbeat failed: {error}");
                HEARTBEATS_FAILED.add(&[], 1);
            }
        }
    }
}
