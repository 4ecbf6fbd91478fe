//! What routing has of one incarnation: its id, its transport, and the view as it was seen last.

use std::sync::Arc;

use dna_core::NodeId;
use dna_transport::{Peer, PeerId, Transport};
use parking_lot::RwLock;

use crate::{membership::ViewSource, view::Seen};

/// One incarnation of this process, to routing.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) transport: Transport,
    pub(crate) source: ViewSource,
    /// Who this process is.
    pub(crate) me: NodeId,
    seen: RwLock<Option<Arc<Seen>>>,
}

impl Session {
    pub(crate) fn new(transport: Transport, source: ViewSource, me: NodeId) -> Arc<Self> {
        Arc::new(Session { transport, source, me, seen: RwLock::new(None) })
    }

    /// The view as it was seen last; none before it was joined.
    pub(crate) fn seen(&self) -> Option<Arc<Seen>> {
        self.seen.read().clone()
    }

    /// The version of the view that was seen last.
    pub(crate) fn version(&self) -> u64 {
        self.seen.read().as_ref().map_or(0, |seen| seen.version)
    }

    /// Takes in a view. The members that it lacks are gone: what was sent to them and not answered is unknown.
    pub(crate) fn take_in(&self, seen: Arc<Seen>) {
        let before = self.seen.write().replace(seen.clone());
        let Some(before) = before else { return };
        let gone = before.view.members().filter(|member| seen.view.member(member.id).is_none());
        for member in gone {
            if let Ok(peer) = self.transport.node(peer_id(member.id), &member.address.to_string()) {
                peer.close();
            }
        }
    }

    /// The way to a member.
    pub(crate) fn peer(&self, node: NodeId) -> Option<Peer> {
        let seen = self.seen()?;
        let address = seen.view.member(node)?.address.to_string();
        self.transport.node(peer_id(node), &address).ok()
    }
}

/// A node as the transport knows it.
pub(crate) fn peer_id(node: NodeId) -> PeerId {
    PeerId(*node.as_bytes())
}

/// A node as the cluster knows it.
pub(crate) fn node_id(peer: PeerId) -> NodeId {
    NodeId::from_bytes(peer.0)
}
