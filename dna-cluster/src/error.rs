//! What may fail at the two ends of a membership.

use std::{io, net::SocketAddr};

use dna_core::{AttachError, ClusterError, OpenJournalsError, Outcome};

use crate::{
    decide::{ClockError, JoinError},
    view::ViewError,
};

/// Why a node did not join. It runs nothing, and holds nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// There is no tokio runtime here.
    #[error("a membership starts within a tokio runtime; call it from an async function that one runs")]
    NoRuntime,
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {error}; stop who does, or choose another address")]
    Address {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        error: io::Error,
    },
    /// The address is none that others could reach it at.
    #[error(
        "the other nodes cannot reach this one at {address}; listen on one address of this machine, or say which one is to be \
         used: `.advertise(address)`"
    )]
    Unreachable {
        /// The address.
        address: SocketAddr,
    },
    /// No thread could be started for the heartbeats.
    #[error("no thread for the heartbeats: {0}")]
    Thread(io::Error),
    /// It does not fit the cluster.
    #[error(transparent)]
    Join(#[from] JoinError),
    /// The view of the cluster cannot be read, or written with this node in it.
    #[error(transparent)]
    View(#[from] ViewError),
    /// The swap that makes it a member was not answered, and the view that tells whether it is in cannot be read by this
    /// release. If it is in, the others take over from this node like from a dead one.
    #[error("whether this node has joined cannot be told: {0}")]
    InDoubt(ViewError),
    /// Its wall clock is far behind the timestamps of the cluster.
    #[error(transparent)]
    Clock(#[from] ClockError),
    /// Its journals could not be opened.
    #[error(transparent)]
    Journals(#[from] OpenJournalsError),
    /// Its journals could not be claimed by the host.
    #[error(transparent)]
    Host(#[from] AttachError),
    /// The database did not do what was asked.
    #[error(transparent)]
    Store(#[from] ClusterError),
    /// Joining took longer than the lease, which lapsed.
    #[error("joining took longer than the lease; is the database overloaded? try again, or use a longer lease")]
    TooSlow,
}

impl StartError {
    /// `Unknown` where the node may become a member, now or later, without anybody behind it: the others take over from
    /// it like from a dead one.
    pub fn outcome(&self) -> Outcome {
        match self {
            StartError::Store(error) => error.outcome(),
            StartError::TooSlow | StartError::InDoubt(_) => Outcome::Unknown,
            _ => Outcome::NotApplied,
        }
    }

    /// Whether the same start may well succeed later.
    pub fn is_retryable(&self) -> bool {
        match self {
            StartError::Address { .. } | StartError::Thread(_) | StartError::TooSlow | StartError::Clock(_) => true,
            StartError::NoRuntime | StartError::Unreachable { .. } | StartError::View(_) | StartError::InDoubt(_) => {
                false
            }
            StartError::Join(error) => error.is_retryable(),
            StartError::Journals(error) => error.is_retryable(),
            StartError::Host(error) => error.is_retryable(),
            StartError::Store(error) => error.is_retryable(),
        }
    }
}

/// Why a node could not leave in good order. What it ran has ended, and it does not beat any more: the others take over
/// once its lease has run out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LeaveError {
    /// The database did not do what was asked in the time there was.
    #[error("the database was not available, so that this node could not leave; the others take over from it")]
    Unavailable,
    /// What it had committed could not be stored as rows.
    #[error("this node's journal could not be replayed, so that it could not leave; see the log")]
    Replay,
    /// It was not a member at the time: it had lost its membership and was about to join again.
    #[error("this node was not a member when it was to leave")]
    NotAMember,
}

impl LeaveError {
    /// Always `Unknown`: it may be out or not; nothing that was committed is lost.
    pub fn outcome(&self) -> Outcome {
        Outcome::Unknown
    }

    /// Always false: it does not run any more.
    pub fn is_retryable(&self) -> bool {
        false
    }
}
