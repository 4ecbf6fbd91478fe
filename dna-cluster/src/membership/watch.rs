//! Watching: one loop reads the view, at the pace of the heartbeats or when somebody has heard of a newer one; another one
//! reads the heartbeats, and takes over from the dead.

use std::collections::BTreeSet;

use dna_core::{NodeId, SealError, fault_point};

use super::{Node, asked::Asked, driver::either, tenure::Tenure};
use crate::{
    decide::{self, Detector, Reading, TakeoverStep, beat_interval},
    host::Loss,
    register::Changed,
    seam,
    view::{Seen, View},
};

/// Reads the view, for as long as a membership lasts.
pub(super) async fn views(node: &Node, asked: &Asked, tenure: &Tenure) -> Loss {
    loop {
        let number = asked.begin_read();
        match node.register.read().await {
            Ok(Some(seen)) => match tenure.adopt(node, seen).await {
                Ok(()) => {}
                Err(why) => return why,
            },
            // There was one: whoever emptied the table has taken it from all.
            Ok(None) => return Loss::Fenced,
            Err(error) => {
                tracing::warn!("the cluster's view cannot be read: {error}");
                tenure.count_read_error();
            }
        }
        asked.end_read(number);
        either(seam::sleep(beat_interval(node.config.lease)), asked.until_read_is_wanted()).await;
    }
}

/// Watches the heartbeats of the others, and takes over from the dead, for as long as a membership lasts.
pub(super) struct Deaths<'a> {
    node: &'a Node,
    tenure: &'a Tenure,
    /// The ids that this process had before. Nothing runs under them any more.
    former: &'a BTreeSet<NodeId>,
    detector: Detector,
    /// How often the view could not be read when the detector was last looked at.
    read_errors: u64,
    /// The members whose takeover failed for good, which has been reported.
    reported: BTreeSet<NodeId>,
}

impl<'a> Deaths<'a> {
    pub(super) fn new(node: &'a Node, tenure: &'a Tenure, former: &'a BTreeSet<NodeId>) -> Self {
        let detector = Detector::default();
        Deaths { node, tenure, former, detector, read_errors: 0, reported: BTreeSet::new() }
    }

    /// Works until the membership is lost.
    pub(super) async fn run(mut self) -> Loss {
        loop {
            self.look_at_beats().await;
            for dead in self.gone() {
                if let Err(why) = self.take_over(dead).await {
                    return why;
                }
            }
            seam::sleep(beat_interval(self.node.config.lease)).await;
        }
    }

    async fn look_at_beats(&mut self) {
        let me = self.tenure.node();
        let seen = self.tenure.seen();
        let started = self.node.seam.now();
        let beats = self.node.store.beats().await;
        let reading = Reading { started, ended: self.node.seam.now() };
        // A database that is away is no sign that a peer is dead.
        let read_errors = self.tenure.read_errors();
        if std::mem::replace(&mut self.read_errors, read_errors) != read_errors {
            self.detector.start_anew();
        }
        match beats {
            Ok(beats) => {
                let others = seen.view.members().map(|member| member.id).filter(|node| *node != me);
                self.detector.observe(reading, others, &beats);
            }
            Err(error) => {
                tracing::warn!("the heartbeats cannot be read: {error}");
                self.detector.start_anew();
            }
        }
    }

    /// The members to take over from.
    fn gone(&self) -> Vec<NodeId> {
        let view = &self.tenure.seen().view;
        let mut gone = self.detector.dead(self.node.config.lease);
        if let Some(me) = view.member(self.tenure.node()) {
            gone.extend(decide::gone_from_this_address(view, me));
        }
        gone.extend(self.former.iter().copied().filter(|node| view.member(*node).is_some()));
        gone.into_iter().collect()
    }

    async fn take_over(&mut self, dead: NodeId) -> Result<(), Loss> {
        let (me, journals) = (self.tenure.node(), self.tenure.incarnation.journals.clone());
        let decide = |seen: &Seen, replayed| decide::take_over(seen, me, dead, replayed, journals.last_timestamp());

        let TakeoverStep::SealAndReplay(lanes) = decide(&self.tenure.seen(), None) else { return Ok(()) };
        tracing::info!(node = %dead, "taking over");
        let last = match self.node.store.seal_and_replay(dead, lanes.get()).await {
            Ok(replayed) => replayed.last,
            Err(error) => {
                self.report(dead, &error);
                return Ok(());
            }
        };
        fault_point("takeover: to be swapped");
        let changed = self.node.register.change(|seen| swap_of(seen.map(|seen| decide(seen, Some(last)))));
        match changed.await {
            Ok(Changed::To(seen)) => {
                fault_point("takeover: swapped");
                self.tenure.adopt(self.node, seen).await?;
            }
            Ok(Changed::Not(())) => {}
            Err(error) => {
                tracing::warn!(node = %dead, "cannot swap out the dead: {error}");
                self.detector.start_anew();
            }
        }
        Ok(())
    }

    /// Reports once why a member cannot be taken over from; it is tried again and again.
    fn report(&mut self, dead: NodeId, error: &SealError) {
        if error.is_retryable() || self.reported.insert(dead) {
            tracing::error!(node = %dead, "cannot take over: {error}");
        }
    }
}

fn swap_of(step: Option<TakeoverStep>) -> Result<View, ()> {
    match step {
        Some(TakeoverStep::Swap(view)) => Ok(view),
        _ => Err(()),
    }
}
