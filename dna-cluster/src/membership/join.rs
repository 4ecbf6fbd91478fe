//! Joining: journals and a first heartbeat, then one swap of the view.

use dna_core::{NodeId, Timestamp, fault_point};
use futures_util::future::Either;

use super::{
    ViewSource,
    driver::{Driver, either},
    tenure::Tenure,
};
use crate::{
    beats::{Beats, Probe},
    decide::{self, Lease},
    error::StartError,
    host::{Incarnation, Loss},
    lease::LeaseHandle,
    life::Life,
    meter::JOINS,
    register::{Changed, RegisterError},
    seam,
    view::{Member, MemberState, Seen},
};

/// The highest version of what nodes write for each other that this program can read.
const PROTOCOL: u16 = 1;

impl Driver {
    /// Joins under a fresh id, and takes over what this process had under its former ones, or another one that had its
    /// address.
    pub(super) async fn join(&mut self) -> Result<(), StartError> {
        let me = self.member(self.node.seam.fresh_id());
        let seen = self.node.register.read().await?;
        // Found before anything is made that would have to stay for ever.
        decide::join(seen.as_ref(), &me, &self.node.settings, Timestamp::ZERO)?.encode()?;
        let ts = seen.map_or(Timestamp::ZERO, |seen| seen.view.ts());
        decide::check_clock(seam::wall_time(), ts)?;

        fault_point("join: to beat");
        let life = self.begin(me.id).await?;
        self.beginning = Some(life.clone());
        let joined = match either(life.ended(), self.enter(&life, &me, ts)).await {
            Either::Left(_) => Err(StartError::TooSlow),
            Either::Right(joined) => joined,
        };
        match joined {
            Ok((incarnation, seen)) => {
                self.beginning = None;
                self.became_member(incarnation, seen);
                Ok(())
            }
            Err(error) => {
                self.end(Loss::NotJoined).await;
                Err(error)
            }
        }
    }

    fn member(&self, id: NodeId) -> Member {
        let config = &self.node.config;
        Member {
            id,
            address: self.node.address,
            state: if self.asked.drains() { MemberState::Draining } else { MemberState::Active },
            types: config.types.iter().map(|(kind, (version, _))| (kind.clone(), *version)).collect(),
            lanes: config.lanes,
            protocol: PROTOCOL,
            weight: config.weight,
            machine: self.node.machine.clone(),
        }
    }

    /// Beats for the first time, and goes on with it.
    async fn begin(&self, id: NodeId) -> Result<Life, StartError> {
        let node = &self.node;
        let (sent, lease) = (node.seam.now(), node.config.lease);
        node.store.beat(id, 1).await?;
        let life = Life::new(id, LeaseHandle::new(node.seam.clock(), Lease::first(lease, sent)));
        let probe_age_max = node.config.probe_age_max;
        let probe = Probe::start(&node.seam, &life, probe_age_max);
        let (seam, store) = (node.seam.clone(), node.store.clone());
        let beats = Beats { seam, store, life: life.clone(), lease, probe, probe_age_max };
        match node.seam.start_thread("dna-heartbeat", beats.run()) {
            Ok(()) => Ok(life),
            Err(error) => {
                life.end(Loss::NotJoined);
                Err(StartError::Thread(error))
            }
        }
    }

    /// Opens the journals, has the host claim them, and swaps the view.
    async fn enter(&self, life: &Life, me: &Member, ts: Timestamp) -> Result<(Incarnation, Seen), StartError> {
        let node = &self.node;
        fault_point("join: beats");
        let journals = node.store.open_journals(me.id, me.lanes.get(), ts).await?;
        fault_point("join: has journals");
        let (lease, life) = (life.lease.clone(), life.clone());
        let source = ViewSource::new(self.asked.clone(), self.status.subscribe(), node.address);
        let listener = node.listener.clone();
        let incarnation = Incarnation { node: me.id, journals, lease, life, source, listener };
        node.host.begin(incarnation.clone()).await?;
        let changed = node.register.change(|seen| match seen {
            Some(seen) if seen.view.member(me.id).is_some() => Err(Ok(Box::new(seen.clone()))),
            seen => decide::join(seen, me, &node.settings, incarnation.journals.last_timestamp()).map_err(Err),
        });
        fault_point("join: to be swapped");
        let changed = changed.await?;
        fault_point("join: swapped");
        match changed {
            Changed::To(seen) => Ok((incarnation, seen)),
            Changed::Not(Ok(seen)) => Ok((incarnation, *seen)),
            Changed::Not(Err(error)) => Err(error.into()),
        }
    }

    fn became_member(&mut self, incarnation: Incarnation, seen: Seen) {
        tracing::info!(node = %incarnation.node, version = seen.version, "joined the cluster");
        JOINS.add(&[], 1);
        self.current = Some(Tenure::begin(&self.node, incarnation, seen, self.status.clone()));
    }
}

impl From<RegisterError> for StartError {
    fn from(error: RegisterError) -> Self {
        match error {
            RegisterError::Store(error) => error.into(),
            RegisterError::View(error) => error.into(),
            RegisterError::InDoubt(error) => StartError::InDoubt(error),
        }
    }
}
