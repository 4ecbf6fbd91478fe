//! Who a node is to its peers: sixteen bytes that mean nothing here.

use std::fmt;

use crate::seam;

/// The identity of a node: sixteen bytes that no two nodes of a cluster share at a time. A UUID fits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PeerId(pub [u8; 16]);

impl PeerId {
    /// A random one.
    ///
    /// `None` where the system has no randomness to give.
    pub fn random() -> Option<Self> {
        seam::secret_bytes().map(PeerId)
    }
}

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PeerId({self})")
    }
}
