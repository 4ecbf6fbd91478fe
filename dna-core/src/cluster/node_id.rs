//! The identity of a node: one start of one process.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::runtime;

/// One start of one process, as the others of its cluster know it. Never used again: a process that joins once more,
/// also without having been stopped, does so under a fresh one.
///
/// A UUID of version 7 where [`new`](NodeId::new) makes it; any other is as good, as long as it is used once.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NodeId(Uuid);

impl NodeId {
    /// A fresh id.
    #[allow(clippy::new_without_default, reason = "two defaults would differ")]
    pub fn new() -> Self {
        NodeId(runtime::fresh_uuid())
    }

    /// The id with these bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        NodeId(Uuid::from_bytes(bytes))
    }

    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// It as a UUID.
    pub const fn as_uuid(&self) -> Uuid {
        self.0
    }
}

impl From<Uuid> for NodeId {
    fn from(uuid: Uuid) -> Self {
        NodeId(uuid)
    }
}

impl From<NodeId> for Uuid {
    fn from(node: NodeId) -> Self {
        node.0
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fresh_ids_differ_and_are_of_version_seven() {
        let (a, b) = (NodeId::new(), NodeId::new());
        assert_ne!(a, b);
        assert_eq!((a.as_uuid().get_version_num(), b.as_uuid().get_version_num()), (7, 7));
    }

    #[test]
    fn an_id_is_its_bytes_and_reads_as_a_uuid() {
        let node = NodeId::from_bytes([0x11; 16]);
        assert_eq!(node.as_bytes(), &[0x11; 16]);
        assert_eq!(node.to_string(), "11111111-1111-1111-1111-111111111111");
    }

    #[test]
    fn an_id_takes_its_sixteen_bytes_and_their_length_in_messagepack() {
        let node = NodeId::from_bytes([7; 16]);
        let bytes = rmp_serde::to_vec_named(&node).unwrap();
        assert_eq!(bytes, [&[0xc4, 16][..], &[7; 16]].concat());
        assert_eq!(rmp_serde::from_slice::<NodeId>(&bytes).unwrap(), node);
    }
}
