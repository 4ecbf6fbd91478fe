//! Watching: reads the view and the heartbeats at the pace of the heartbeats, takes in what has changed, and takes over
//! from the dead.

use std::sync::Arc;

use dna_core::{NodeId, SealError, fault_point};

use super::{
    Status,
    driver::{Current, Driver},
};
use crate::{
    decide::{self, Reading, TakeoverStep, beat_interval},
    host::Loss,
    register::{Changed, RegisterError},
    seam,
    view::{Seen, View},
};

/// Why a round of watching came to an early end.
enum Interrupted {
    /// The membership is lost.
    Lost(Loss),
    /// The view cannot be read or changed.
    Register(RegisterError),
    /// The heartbeats cannot be read.
    Beats(dna_core::ClusterError),
}

impl Driver {
    /// Watches until the membership is lost.
    pub(super) async fn watch(&mut self) -> Loss {
        loop {
            match self.round().await {
                Ok(()) => {}
                Err(Interrupted::Lost(why)) => return why,
                Err(Interrupted::Register(error)) => self.nothing_is_known(&error),
                Err(Interrupted::Beats(error)) => self.nothing_is_known(&error),
            }
            seam::sleep(beat_interval(self.node.config.lease)).await;
        }
    }

    /// A database that is away is no sign that a peer is dead.
    fn nothing_is_known(&mut self, error: &dyn std::error::Error) {
        tracing::warn!("the cluster's tables cannot be read: {error}");
        if let Some(current) = &mut self.current {
            current.detector.start_anew();
        }
    }

    async fn round(&mut self) -> Result<(), Interrupted> {
        self.look_at_view().await?;
        self.look_at_beats().await?;
        for dead in self.gone()? {
            self.take_over(dead).await?;
        }
        Ok(())
    }

    fn current(&mut self) -> Result<&mut Current, Interrupted> {
        self.current.as_mut().ok_or(Interrupted::Lost(Loss::NotJoined))
    }

    async fn look_at_view(&mut self) -> Result<(), Interrupted> {
        match self.node.register.read().await? {
            Some(seen) => self.adopt(seen).await,
            // There was one: whoever emptied the table has taken it from all.
            None => Err(Interrupted::Lost(Loss::Fenced)),
        }
    }

    /// Takes in a view, if it is a newer one.
    async fn adopt(&mut self, seen: Seen) -> Result<(), Interrupted> {
        let host = self.node.host.clone();
        let current = self.current()?;
        if seen.version <= current.seen.version {
            return Ok(());
        }
        let node = current.incarnation.node;
        if seen.view.member(node).is_none() {
            return Err(Interrupted::Lost(Loss::Fenced));
        }
        // Before anything is committed for a shard, above all that its former owners have written.
        current.incarnation.journals.raise_timestamp(seen.view.ts());
        let changes = decide::shard_changes(Some(&current.seen.view), &seen.view, node);
        current.seen = Arc::new(seen);
        if !changes.lost.is_empty() {
            host.release(&changes.lost).await;
        }
        if !changes.gained.is_empty() {
            host.own(&changes.gained);
        }
        self.publish();
        Ok(())
    }

    /// Tells the holders of the handle what the view is.
    pub(super) fn publish(&self) {
        if let Some(current) = &self.current {
            let (node, seen) = (current.incarnation.node, current.seen.clone());
            self.status.send_replace(Status::Member { node, seen });
        }
    }

    async fn look_at_beats(&mut self) -> Result<(), Interrupted> {
        let started = self.node.seam.now();
        let beats = self.node.store.beats().await.map_err(Interrupted::Beats)?;
        let reading = Reading { started, ended: self.node.seam.now() };
        let current = self.current()?;
        let me = current.incarnation.node;
        let others = current.seen.view.members().map(|member| member.id).filter(|node| *node != me);
        current.detector.observe(reading, others, &beats);
        Ok(())
    }

    /// The members to take over from.
    fn gone(&mut self) -> Result<Vec<NodeId>, Interrupted> {
        let lease = self.node.config.lease;
        let former = self.former.clone();
        let current = self.current()?;
        let view = &current.seen.view;
        let mut gone = current.detector.dead(lease);
        if let Some(me) = view.member(current.incarnation.node) {
            gone.extend(decide::gone_from_this_address(view, me));
        }
        gone.extend(former.into_iter().filter(|node| view.member(*node).is_some()));
        Ok(gone.into_iter().collect())
    }

    async fn take_over(&mut self, dead: NodeId) -> Result<(), Interrupted> {
        let (register, store) = (self.node.register.clone(), self.node.store.clone());
        let current = self.current()?;
        let (me, journals) = (current.incarnation.node, current.incarnation.journals.clone());
        let decide = |seen: &Seen, replayed| decide::take_over(seen, me, dead, replayed, journals.last_timestamp());

        let TakeoverStep::SealAndReplay(lanes) = decide(&current.seen, None) else { return Ok(()) };
        tracing::info!(node = %dead, "taking over");
        let last = match store.seal_and_replay(dead, lanes.get()).await {
            Ok(replayed) => replayed.last,
            Err(error) => {
                self.report(dead, &error);
                return Ok(());
            }
        };
        fault_point("takeover: to be swapped");
        let changed = register.change(|seen| swap_of(seen.map(|seen| decide(seen, Some(last)))));
        if let Changed::To(seen) = changed.await? {
            fault_point("takeover: swapped");
            self.adopt(seen).await?;
        }
        Ok(())
    }

    /// Reports once why a member cannot be taken over from; it is tried again and again.
    fn report(&mut self, dead: NodeId, error: &SealError) {
        if let Some(current) = &mut self.current
            && (error.is_retryable() || current.reported.insert(dead))
        {
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

impl From<RegisterError> for Interrupted {
    fn from(error: RegisterError) -> Self {
        Interrupted::Register(error)
    }
}
