//! Watching the heartbeats of the others, and taking over from the dead: each by itself, beside the watching, so that one
//! whose journals cannot be replayed now holds up nobody.

use std::{
    collections::{BTreeMap, BTreeSet},
    future::Future,
    time::Duration,
};

use dna_core::{ClusterError, NodeId, SealError, fault_point};
use futures_util::{
    FutureExt, StreamExt,
    future::{BoxFuture, Either},
    stream::FuturesUnordered,
};

use super::{Node, driver::either, tenure::Tenure};
use crate::{
    decide::{self, Detector, Reading, TakeoverStep, beat_interval},
    host::Loss,
    limits::TAKEOVERS_MAX,
    meter::{Gauges, TAKEOVER_DURATION, TAKEOVERS},
    register::{Changed, RegisterError},
    seam,
    view::Seen,
};

/// Watches the heartbeats of the others, and takes over from the dead, for as long as a membership lasts.
pub(super) struct Deaths<'a> {
    node: &'a Node,
    tenure: &'a Tenure,
    /// The ids that this process had before. Nothing runs under them any more.
    former: &'a BTreeSet<NodeId>,
    detector: Detector,
    /// How often the view could not be read when the detector was last looked at.
    read_errors: u64,
    /// How often a takeover was begun, of each member that is to be taken over from.
    begun: BTreeMap<NodeId, u64>,
    gauges: Gauges,
    /// The members whose takeover failed for good, which has been reported.
    reported: BTreeSet<NodeId>,
}

/// The takeovers that are under way.
#[derive(Default)]
struct UnderWay<'a> {
    takeovers: FuturesUnordered<BoxFuture<'a, (NodeId, Result<(), Failed>)>>,
    dead: BTreeSet<NodeId>,
}

/// Why a takeover did not come to its end.
enum Failed {
    /// The membership is lost.
    Lost(Loss),
    /// The journals could not be sealed or replayed.
    Replay(SealError),
    /// The view could not be swapped.
    Swap(RegisterError),
}

impl<'a> Deaths<'a> {
    pub(super) fn new(node: &'a Node, tenure: &'a Tenure, former: &'a BTreeSet<NodeId>) -> Self {
        Deaths {
            node,
            tenure,
            former,
            detector: Detector::default(),
            read_errors: 0,
            begun: BTreeMap::new(),
            gauges: Gauges::new(),
            reported: BTreeSet::new(),
        }
    }

    /// Works until the membership is lost. Takeovers that are under way then are given up: each step may be repeated.
    pub(super) async fn run(mut self) -> Loss {
        let mut under_way = UnderWay::default();
        loop {
            let members = self.tenure.seen();
            let read = read_beats(self.node);
            match self.beside(read, &mut under_way).await {
                Ok((reading, beats)) => self.take_in(&members, reading, beats),
                Err(why) => return why,
            }
            self.begin_takeovers(&mut under_way);
            self.tell();
            let pause = seam::sleep(self.pause());
            if let Err(why) = self.beside(pause, &mut under_way).await {
                return why;
            }
        }
    }

    fn tell(&mut self) {
        let (seen, me) = (self.tenure.seen(), self.tenure.node());
        self.gauges.tell(&seen.view, me, &self.tenure.incarnation.lease, self.node.seam.now());
    }

    /// How long to wait with the next read: no longer than until it would show that somebody is dead.
    fn pause(&self) -> Duration {
        let lease = self.node.config.lease;
        let due = self.detector.next_due(lease).map(|due| due.since(self.node.seam.now()));
        due.unwrap_or(Duration::MAX).min(beat_interval(lease))
    }

    /// Does something while takeovers go on.
    async fn beside<T>(&mut self, step: impl Future<Output = T>, under_way: &mut UnderWay<'a>) -> Result<T, Loss> {
        let mut step = std::pin::pin!(step);
        loop {
            let ended = async {
                match under_way.takeovers.next().await {
                    Some(ended) => ended,
                    None => std::future::pending().await,
                }
            };
            match either(&mut step, ended).await {
                Either::Left(done) => return Ok(done),
                Either::Right((dead, ended)) => {
                    under_way.dead.remove(&dead);
                    self.note(dead, ended)?;
                }
            }
        }
    }

    /// What a read of the heartbeats has shown of those who were members before it.
    fn take_in(&mut self, members: &Seen, reading: Reading, beats: Result<Vec<(NodeId, u64)>, ClusterError>) {
        // A database that is away is no sign that a peer is dead.
        let read_errors = self.tenure.read_errors();
        if std::mem::replace(&mut self.read_errors, read_errors) != read_errors {
            self.detector.start_anew();
        }
        match beats {
            Ok(beats) => {
                let me = self.tenure.node();
                let others = members.view.members().map(|member| member.id).filter(|node| *node != me);
                self.detector.observe(reading, others, &beats);
            }
            Err(error) => {
                tracing::warn!("the heartbeats cannot be read: {error}");
                self.detector.start_anew();
            }
        }
    }

    /// The members to take over from.
    fn gone(&self) -> BTreeSet<NodeId> {
        let view = &self.tenure.seen().view;
        let mut gone = self.detector.dead(self.node.config.lease);
        if let Some(me) = view.member(self.tenure.node()) {
            gone.extend(decide::gone_from_this_address(view, me));
        }
        gone.extend(self.former.iter().copied().filter(|node| view.member(*node).is_some()));
        gone
    }

    /// Begins to take over from those who are gone: first from those for whom that was begun least often, so that one
    /// that fails again and again keeps no other one waiting.
    fn begin_takeovers(&mut self, under_way: &mut UnderWay<'a>) {
        let gone = self.gone();
        self.begun = gone.iter().map(|dead| (*dead, self.begun.get(dead).copied().unwrap_or(0))).collect();
        let mut waiting = gone.into_iter().filter(|dead| !under_way.dead.contains(dead)).collect::<Vec<_>>();
        waiting.sort_by_key(|dead| self.begun.get(dead).copied());
        for dead in waiting.into_iter().take(TAKEOVERS_MAX.saturating_sub(under_way.dead.len())) {
            *self.begun.entry(dead).or_default() += 1;
            let takeover = take_over(self.node, self.tenure, dead);
            under_way.takeovers.push(takeover.map(move |ended| (dead, ended)).boxed());
            under_way.dead.insert(dead);
        }
    }

    fn note(&mut self, dead: NodeId, ended: Result<(), Failed>) -> Result<(), Loss> {
        match ended {
            Ok(()) => {}
            Err(Failed::Lost(why)) => return Err(why),
            Err(Failed::Swap(error)) => {
                tracing::warn!(node = %dead, "cannot swap out the dead: {error}");
                self.detector.start_anew();
            }
            // What fails for good is tried again and again, and reported once.
            Err(Failed::Replay(error)) => {
                if error.is_retryable() || self.reported.insert(dead) {
                    tracing::error!(node = %dead, "cannot take over: {error}");
                }
            }
        }
        Ok(())
    }
}

async fn read_beats(node: &Node) -> (Reading, Result<Vec<(NodeId, u64)>, ClusterError>) {
    let started = node.seam.now();
    let beats = node.store.beats().await;
    (Reading { started, ended: node.seam.now() }, beats)
}

async fn take_over(node: &Node, tenure: &Tenure, dead: NodeId) -> Result<(), Failed> {
    let (me, journals) = (tenure.node(), tenure.incarnation.journals.clone());
    let decide = |seen: &Seen, replayed| decide::take_over(seen, me, dead, replayed, journals.last_timestamp());

    let TakeoverStep::SealAndReplay(lanes) = decide(&tenure.seen(), None) else { return Ok(()) };
    tracing::info!(node = %dead, "taking over");
    let started = node.seam.now();
    let replayed = node.store.seal_and_replay(dead, lanes.get()).await.map_err(Failed::Replay)?;
    fault_point("takeover: to be swapped");
    let changed = node.register.change(|seen| match seen.map(|seen| decide(seen, Some(replayed.last))) {
        Some(TakeoverStep::Swap(view)) => Ok(view),
        _ => Err(seen.cloned().map(Box::new)),
    });
    let seen = match changed.await.map_err(Failed::Swap)? {
        Changed::To(seen) => {
            fault_point("takeover: swapped");
            TAKEOVERS.add(&[], 1);
            TAKEOVER_DURATION.record(&[], node.seam.now().since(started).as_secs_f64(), 1);
            seen
        }
        // Somebody else has taken over, and this view says who.
        Changed::Not(Some(seen)) => *seen,
        Changed::Not(None) => return Ok(()),
    };
    tenure.adopt(node, seen).await.map_err(Failed::Lost)
}
