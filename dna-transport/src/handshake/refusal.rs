//! Why a connection was refused, as both sides see it.

use std::io;

/// Why a connection was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// What came was not the handshake of this protocol.
    #[error("what came was no handshake of this protocol; does the address belong to another service?")]
    NotThisProtocol,
    /// The two sides have no version of the protocol in common.
    #[error(
        "no common version of the protocol: the refusing side speaks {lowest} to {highest}; upgrade the older node"
    )]
    Version {
        /// The lowest one of the refusing side.
        lowest: u8,
        /// The highest one of the refusing side.
        highest: u8,
    },
    /// The two nodes belong to different clusters.
    #[error("the node there belongs to another cluster; compare the names of the clusters and the address")]
    Cluster,
    /// The two sides have different secrets, or only one of them has one.
    #[error("the proof of the shared secret failed; give both nodes the same secret")]
    Authentication,
    /// Another node than the one that was wanted is at the address.
    #[error("another node than the wanted one is at the address; look up the address anew")]
    WrongNode,
    /// A node has connected to itself, or two nodes have the same id.
    #[error("both sides have the same id; give each node its own")]
    SameNode,
    /// The refusing side has as many connections as it takes.
    #[error("the node there has as many connections as it takes; try again later, or raise its limits")]
    Busy,
    /// The refusing side is closing.
    #[error("the node there is closing")]
    Closing,
    /// The handshake took too long.
    #[error("the handshake took too long")]
    TooSlow,
    /// The dialer is connected to this node already, under another address. Two connections would replace each other.
    #[error("there is a connection to this node already, by another address; use one address for each node")]
    Duplicate,
    /// TLS did not come about: the certificates of one side do not convince the other.
    #[error("TLS failed: {0}; compare the certificates, their authority, and the server name")]
    Tls(TlsFailure),
    /// A reason that this version does not know.
    #[error("refused for the unknown reason {0}")]
    Other(u8),
}

/// What rustls said, in short.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum TlsFailure {
    /// The certificate of the other side was refused here.
    #[error("the certificate of the other side is not valid here")]
    CertificateRefusedHere,
    /// The other side sent an alert.
    #[error("the other side sent an alert, as it does when it refuses a certificate")]
    RefusedThere,
    /// The other side does not speak TLS, or not in a way that rustls accepts.
    #[error("the other side did not follow the protocol of TLS")]
    Protocol,
}

impl Refusal {
    /// Whether the same attempt may well succeed later, without a change of settings.
    pub fn is_retryable(self) -> bool {
        matches!(self, Refusal::Busy | Refusal::Closing | Refusal::TooSlow | Refusal::Other(_))
    }

    pub(crate) fn number(self) -> u8 {
        match self {
            // A side that failed at TLS has nothing to say this through.
            Refusal::NotThisProtocol | Refusal::Tls(_) => 1,
            Refusal::Version { .. } => 2,
            Refusal::Cluster => 3,
            Refusal::Authentication => 4,
            Refusal::WrongNode => 5,
            Refusal::SameNode => 6,
            Refusal::Busy => 7,
            Refusal::Closing => 8,
            Refusal::TooSlow => 9,
            Refusal::Duplicate => 10,
            Refusal::Other(number) => number,
        }
    }

    pub(crate) fn from_number(number: u8, lowest: u8, highest: u8) -> Self {
        match number {
            1 => Refusal::NotThisProtocol,
            2 => Refusal::Version { lowest, highest },
            3 => Refusal::Cluster,
            4 => Refusal::Authentication,
            5 => Refusal::WrongNode,
            6 => Refusal::SameNode,
            7 => Refusal::Busy,
            8 => Refusal::Closing,
            9 => Refusal::TooSlow,
            10 => Refusal::Duplicate,
            other => Refusal::Other(other),
        }
    }
}

/// How a handshake can fail.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HandshakeError {
    /// This side refuses.
    #[error("refused here: {0}")]
    Here(Refusal),
    /// The other side refuses.
    #[error("refused there: {0}")]
    There(Refusal),
    /// The socket failed, or ended early.
    #[error(transparent)]
    Io(#[from] io::Error),
}
