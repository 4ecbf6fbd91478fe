//! Why a node does not start, or does not end well.

use std::net::SocketAddr;

use crate::{
    call_error::Loss,
    error::{Error, ErrorKind},
    name::NameError,
    outcome::Outcome,
    store::AttachError,
};

/// Why a node did not start. Nothing was started.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// There is no tokio runtime here.
    #[error("a node needs a tokio runtime; start it within `#[tokio::main]` or `Runtime::block_on`")]
    NoRuntime,
    /// The node was given no store.
    #[error("the node has no store; give it one: `.store(Memory::new())`, or `.store(Embedded::open(path)?)`")]
    NoStore,
    /// The store is that of a cluster, and the node has no address in it.
    #[error("a node of a cluster needs an address; give it one that the other nodes reach: `.listen(address)`")]
    NoAddress,
    /// The node would speak with anybody who reaches its address.
    #[error(
        "refusing to listen on {address}, which is not loopback, with neither a shared secret nor TLS: whoever reaches it \
         could call and write everything; give the nodes one: `.security(Secret::new(bytes)?)`, or `.security(tls)`"
    )]
    Insecure {
        /// The address.
        address: SocketAddr,
    },
    /// The node was given an address or settings of a cluster, and its store serves one node alone.
    #[error(
        "the store serves one node alone, which has no address and no settings of a cluster; leave `{setting}` out, or give \
         the node the store of a cluster"
    )]
    NoCluster {
        /// What is to be left out.
        setting: &'static str,
    },
    /// The node could not join its cluster. Its kind is [`ErrorKind::Node`].
    #[error(transparent)]
    Join(Error),
    /// Two actor types have the same name.
    #[error(
        "two actor types are called `{kind}`; give one another name with `#[dna::actor(name = \"…\")]`, or register it once"
    )]
    SameType {
        /// The name.
        kind: String,
    },
    /// The namespace, or the name of an actor type, cannot be one.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The store could not be claimed.
    #[error(transparent)]
    Store(#[from] AttachError),
}

impl StartError {
    /// `NotApplied`: nothing was started. `Unknown` where the node may become a member of its cluster without anybody
    /// behind it; the others take over from it like from a dead one.
    pub fn outcome(&self) -> Outcome {
        match self {
            StartError::Join(error) => error.outcome(),
            _ => Outcome::NotApplied,
        }
    }

    /// Whether the same start may well succeed later.
    pub fn is_retryable(&self) -> bool {
        match self {
            StartError::Store(AttachError::InUse) => true,
            StartError::Store(AttachError::Read(error)) => error.is_retryable(),
            StartError::Join(error) => error.is_retryable(),
            _ => false,
        }
    }
}

impl From<StartError> for Error {
    fn from(error: StartError) -> Self {
        Error::with_kind(ErrorKind::Node, &error).with_outcome(error.outcome()).with_retryable(error.is_retryable())
    }
}

/// What a shutdown could not do. The node has ended all the same, and everything that was answered `Ok` is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ShutdownError {
    /// The actors did not come to rest in time; what they had not finished was answered an error.
    #[error(
        "{busy} actors were still at work and {queued} messages queued when the shutdown's time was over; raise `shutdown_timeout`"
    )]
    TimedOut {
        /// Actors that were at work.
        busy: usize,
        /// Messages that were queued.
        queued: usize,
    },
    /// The node had lost its store before.
    #[error("the node had already stopped, since it lost its store: {0:?}")]
    Lost(Loss),
    /// The node could not leave its cluster in good order. The others take over once its lease has run out.
    #[error("the node could not leave its cluster, see its log; the others take over once its lease has run out")]
    NotLeft,
}

impl ShutdownError {
    /// What is known of the work that was not done: each message's caller was told about its own.
    pub fn outcome(&self) -> Outcome {
        Outcome::Unknown
    }

    /// Always `false`: the node has ended.
    pub fn is_retryable(&self) -> bool {
        false
    }
}

impl From<ShutdownError> for Error {
    fn from(error: ShutdownError) -> Self {
        Error::with_kind(ErrorKind::Node, error).with_outcome(Outcome::Unknown)
    }
}
