//! What a test can do to a [`Scylla`](super::Scylla) store: lead its connections elsewhere, hold
//! its rows, and take a rule out.

use std::{collections::HashMap, net::SocketAddr, sync::Arc};

use scylla::policies::address_translator::AddressTranslator;

use crate::journaled::testing::Gate;

/// What is to go wrong with a [`Scylla`](super::Scylla) store.
#[derive(Debug, Clone, Default)]
pub struct ScyllaFaults {
    translation: Option<HashMap<SocketAddr, SocketAddr>>,
    ignore_seals: bool,
    rows: Gate,
}

impl ScyllaFaults {
    /// Nodes are connected to at other addresses than they say: by a proxy that stands in between.
    #[must_use]
    pub fn translate(mut self, addresses: HashMap<SocketAddr, SocketAddr>) -> Self {
        self.translation = Some(addresses);
        self
    }

    /// Commits go on in a sealed journal. This is the bug that a test of deposed owners has to find.
    #[must_use]
    pub fn ignore_seals(mut self) -> Self {
        self.ignore_seals = true;
        self
    }

    /// Where every batch of rows waits before any of it is stored. A clone of this shares it.
    pub fn rows(&self) -> &Gate {
        &self.rows
    }

    pub(super) fn translator(&self) -> Option<Arc<dyn AddressTranslator>> {
        self.translation.clone().map(|addresses| Arc::new(addresses) as Arc<dyn AddressTranslator>)
    }

    pub(super) fn seals_refuse(&self) -> bool {
        !self.ignore_seals
    }
}
