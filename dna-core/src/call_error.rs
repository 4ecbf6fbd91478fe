//! What can become of a call.

use std::{convert::Infallible, fmt};

use serde::{Deserialize, Serialize};

use crate::{
    engine::NodeAddress, error::Error, name::NameError, outcome::Outcome, store::Refusal, type_mismatch::TypeMismatch,
    write_error::WriteError,
};

/// Why a call, or a cast, did not end in `Ok`.
///
/// `E` is the error type of the handler itself; a handler that cannot fail has `E = Infallible`.
/// [`outcome`](CallError::outcome) says whether the message may have had an effect,
/// [`is_retryable`](CallError::is_retryable) whether sending it again may succeed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum CallError<E = Infallible> {
    /// The handler itself answered an error. All of its writes were rolled back.
    Handler {
        /// What the handler answered.
        error: E,
        /// `Unknown` where the handler had made a call of its own before it failed.
        outcome: Outcome,
    },
    /// The handler panicked. All of its writes were rolled back, and the activation was dropped.
    Panicked {
        /// `Unknown` where the handler had made a call of its own before it panicked.
        outcome: Outcome,
    },
    /// `init` failed, or panicked, so that the message found no activation.
    Init {
        /// What `init` answered.
        error: Error,
        /// `Unknown` where `init` had made a call of its own before it failed.
        outcome: Outcome,
    },
    /// `handle_events` answered an error for the batch that the message was in.
    Batch {
        /// What `handle_events` answered.
        error: Error,
        /// `Unknown` where the hook had made a call of its own before it failed.
        outcome: Outcome,
    },
    /// `handle_events` ended without an answer to this message. What it wrote for it is committed.
    Unanswered,
    /// `handle_events` gave this message the reply of another message.
    WrongReply,
    /// The handler wrote something that can never be committed. All of its writes were rolled back.
    Write {
        /// What could not be committed.
        error: WriteError,
        /// `Unknown` where the handler had made a call of its own before.
        outcome: Outcome,
    },
    /// The store took nothing of the group that the message, or an earlier one of its actor, stood in.
    NotCommitted {
        /// Why the store refused.
        refusal: Refusal,
        /// `Unknown` where the handler had made a call of its own before.
        outcome: Outcome,
    },
    /// The deadline passed.
    TimedOut {
        /// `NotApplied` where the message was never started and never will be.
        outcome: Outcome,
    },
    /// The bound on waiting messages was reached. The message was not started.
    Overloaded(Overload),
    /// The call comes back to an actor that waits for it. It was not started.
    CallCycle,
    /// More than [`CALL_CHAIN_MAX`](crate::limits::CALL_CHAIN_MAX) actors wait for each other. It was not started.
    CallChainTooLong,
    /// The process has no node.
    NoNode,
    /// The process has several nodes, so it must be said which one is meant.
    SeveralNodes,
    /// The actor type is not registered with the node.
    UnknownActor {
        /// The type's name.
        kind: String,
    },
    /// The node that owns the actor's shard does not know its type. It was not started. The error says which members of
    /// the cluster know it.
    UnknownType(Box<TypeMismatch>),
    /// The node that owns the actor's shard knows its type in another version. It was not started. The error says which
    /// members of the cluster know which.
    VersionMismatch(Box<TypeMismatch>),
    /// The shard of the actor is looked up in the database, since its type is placed `local`, and could not be found out.
    /// It was not started.
    NotPlaced {
        /// The actor: namespace, type and name.
        actor: String,
        /// Why not.
        problem: PlacingProblem,
    },
    /// The actor's name cannot be one.
    Name(InvalidName),
    /// The node is shutting down, or has shut down.
    Stopped {
        /// `Unknown` where the message had been started and its commit was not known to have failed.
        outcome: Outcome,
    },
    /// The node's store failed, or another node has taken over, and the node stopped.
    Lost {
        /// What became of the node.
        loss: Loss,
        /// `Unknown` where the message's writes had been handed to the store.
        outcome: Outcome,
    },
    /// The actor belongs to another node of the cluster, or to none. It was not started here. Call it there, or try again
    /// later.
    NotOwner {
        /// The node that it belongs to, as far as is known.
        owner: Option<NodeAddress>,
    },
    /// The node is about to become a member of its cluster, for the first time or again. It was not started. Try again
    /// later.
    Joining,
    /// The connection to the node that serves the actor broke while the message was there, or that node died. It may have
    /// had its effect.
    Disconnected,
    /// A message or reply could not be encoded, or decoded.
    Codec {
        /// Which, and why.
        reason: String,
        /// `Unknown` where it was the reply.
        outcome: Outcome,
    },
}

/// Which bound was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Overload {
    /// The actor's mailbox was full until the deadline (at once, with [`no_wait`](crate::Call::no_wait)).
    Mailbox,
    /// The node's cap on queued messages was reached.
    Node,
    /// The handler has as many casts and schedules in its outbox as one message may have:
    /// [`OUTBOX_MESSAGES_MAX`](crate::limits::OUTBOX_MESSAGES_MAX).
    Outbox,
    /// The node that serves the actor has as many messages queued as it may have.
    Peer,
    /// As many messages wait on this node to be sent to others as may.
    Routes,
}

/// Why the shard of a name could not be found out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, thiserror::Error)]
#[non_exhaustive]
pub enum PlacingProblem {
    /// The database could not be reached, or had no quorum. Try again later.
    #[error("the database is not available; try again later")]
    Unavailable,
    /// There was no answer before the deadline. Try again later.
    #[error("there was no answer before the deadline; try again later")]
    TimedOut,
    /// The database refuses to register names.
    #[error("the database refuses to register it; see the log for its words, and check schema and permissions")]
    Rejected,
    /// What stands in the database is not what a node has written there.
    #[error("what stands in the database is damaged; see the log for where, and restore it from a copy")]
    Corrupt,
}

/// Why a node no longer serves its actors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Loss {
    /// A write or fsync of the store failed.
    Poisoned,
    /// Another node has taken over.
    Fenced,
    /// The node's lease has run out, so that another one may have taken over.
    LeaseLapsed,
}

/// A [`NameError`] that can be sent to another node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvalidName(String);

impl From<NameError> for InvalidName {
    fn from(error: NameError) -> Self {
        InvalidName(error.to_string())
    }
}

impl fmt::Display for InvalidName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<E> CallError<E> {
    /// What is known of the message's effect.
    pub fn outcome(&self) -> Outcome {
        match self {
            CallError::Handler { outcome, .. }
            | CallError::Panicked { outcome }
            | CallError::Init { outcome, .. }
            | CallError::Batch { outcome, .. }
            | CallError::Write { outcome, .. }
            | CallError::NotCommitted { outcome, .. }
            | CallError::TimedOut { outcome }
            | CallError::Stopped { outcome }
            | CallError::Lost { outcome, .. }
            | CallError::Codec { outcome, .. } => *outcome,
            CallError::Unanswered | CallError::WrongReply | CallError::Disconnected => Outcome::Unknown,
            CallError::Overloaded(_)
            | CallError::CallCycle
            | CallError::CallChainTooLong
            | CallError::NoNode
            | CallError::SeveralNodes
            | CallError::UnknownActor { .. }
            | CallError::UnknownType(_)
            | CallError::VersionMismatch(_)
            | CallError::NotPlaced { .. }
            | CallError::NotOwner { .. }
            | CallError::Joining
            | CallError::Name(_) => Outcome::NotApplied,
        }
    }

    /// Whether the same message, sent again later, may well succeed, and had no effect this time.
    pub fn is_retryable(&self) -> bool {
        let passing = match self {
            CallError::NotCommitted { refusal, .. } => refusal.is_retryable(),
            CallError::Init { error, .. } => error.is_retryable(),
            CallError::UnknownType(mismatch) | CallError::VersionMismatch(mismatch) => mismatch.is_passing(),
            CallError::NotPlaced { problem, .. } => {
                matches!(problem, PlacingProblem::Unavailable | PlacingProblem::TimedOut)
            }
            CallError::TimedOut { .. }
            | CallError::Overloaded(_)
            | CallError::Stopped { .. }
            | CallError::NotOwner { .. }
            | CallError::Joining
            | CallError::Lost { .. } => true,
            _ => false,
        };
        passing && self.outcome() == Outcome::NotApplied
    }

    /// The handler's own error, if that is what it is.
    pub fn into_handler_error(self) -> Result<E, Self> {
        match self {
            CallError::Handler { error, .. } => Ok(error),
            other => Err(other),
        }
    }

    /// The same error with another type for the handler's own.
    pub fn map_handler_error<F>(self, map: impl FnOnce(E) -> F) -> CallError<F> {
        match self {
            CallError::Handler { error, outcome } => CallError::Handler { error: map(error), outcome },
            CallError::Panicked { outcome } => CallError::Panicked { outcome },
            CallError::Init { error, outcome } => CallError::Init { error, outcome },
            CallError::Batch { error, outcome } => CallError::Batch { error, outcome },
            CallError::Unanswered => CallError::Unanswered,
            CallError::WrongReply => CallError::WrongReply,
            CallError::Write { error, outcome } => CallError::Write { error, outcome },
            CallError::NotCommitted { refusal, outcome } => CallError::NotCommitted { refusal, outcome },
            CallError::TimedOut { outcome } => CallError::TimedOut { outcome },
            CallError::Overloaded(overload) => CallError::Overloaded(overload),
            CallError::CallCycle => CallError::CallCycle,
            CallError::CallChainTooLong => CallError::CallChainTooLong,
            CallError::NoNode => CallError::NoNode,
            CallError::SeveralNodes => CallError::SeveralNodes,
            CallError::UnknownActor { kind } => CallError::UnknownActor { kind },
            CallError::UnknownType(mismatch) => CallError::UnknownType(mismatch),
            CallError::VersionMismatch(mismatch) => CallError::VersionMismatch(mismatch),
            CallError::NotPlaced { actor, problem } => CallError::NotPlaced { actor, problem },
            CallError::Name(name) => CallError::Name(name),
            CallError::Stopped { outcome } => CallError::Stopped { outcome },
            CallError::Lost { loss, outcome } => CallError::Lost { loss, outcome },
            CallError::NotOwner { owner } => CallError::NotOwner { owner },
            CallError::Joining => CallError::Joining,
            CallError::Disconnected => CallError::Disconnected,
            CallError::Codec { reason, outcome } => CallError::Codec { reason, outcome },
        }
    }
}

impl<E: fmt::Display> fmt::Display for CallError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CallError::Handler { error, .. } => write!(f, "{error}"),
            CallError::Panicked { .. } => {
                f.write_str("the handler panicked and its writes were rolled back; see the node's log")
            }
            CallError::Init { error, .. } => write!(f, "the actor's `init` failed: {error}"),
            CallError::Batch { error, .. } => write!(f, "the actor's `handle_events` failed: {error}"),
            CallError::Unanswered => {
                f.write_str("the actor's `handle_events` left the message without an answer; answer or dispatch every event")
            }
            CallError::WrongReply => {
                f.write_str("the actor's `handle_events` answered with another message's reply; use the variant of the same name")
            }
            CallError::Write { error, .. } => write!(f, "{error}"),
            CallError::NotCommitted { refusal, .. } => write!(f, "the store did not take the message's writes: {refusal}"),
            CallError::TimedOut { outcome: Outcome::NotApplied } => {
                f.write_str("the deadline passed before the message was started; it never will be")
            }
            CallError::TimedOut { .. } => {
                f.write_str("the deadline passed while the message was under way; it may have had its effect")
            }
            CallError::Overloaded(Overload::Mailbox) => {
                f.write_str("the actor's mailbox is full; send less at once, or raise `mailbox_messages_max`")
            }
            CallError::Overloaded(Overload::Node) => {
                f.write_str("the node has too many messages queued; try again later, or raise `queued_messages_max`")
            }
            CallError::Overloaded(Overload::Outbox) => f.write_str(
                "the handler has sent out as many messages as one message may; go on in a message to itself",
            ),
            CallError::Overloaded(Overload::Peer) => f.write_str(
                "the node that serves the actor has too many messages queued; try again later, or raise its `queued_messages_max`",
            ),
            CallError::Overloaded(Overload::Routes) => {
                f.write_str("too many messages wait to be sent to other nodes; try again later")
            }
            CallError::CallCycle => f.write_str(
                "the call comes back to an actor that waits for it; cast instead, or pass what is needed along",
            ),
            CallError::CallChainTooLong => f.write_str("too many actors wait for each other in a chain of calls; cast instead"),
            CallError::NoNode => f.write_str(
                "this process has no running node; start one with `Node::builder().store(…).actor::<…>().start().await` and keep it",
            ),
            CallError::SeveralNodes => {
                f.write_str("this process has several nodes; say which one: `node.client::<…>(name)`")
            }
            CallError::UnknownActor { kind } => write!(
                f,
                "the node does not know the actor type `{kind}`; register it with `.actor::<{kind}>()` before it starts"
            ),
            CallError::UnknownType(mismatch) | CallError::VersionMismatch(mismatch) => write!(f, "{mismatch}"),
            CallError::NotPlaced { actor, problem } => {
                write!(f, "where `{actor}` is placed could not be found out, so that it was not called: {problem}")
            }
            CallError::Name(name) => write!(f, "{name}"),
            CallError::Stopped { .. } => f.write_str("the node has been shut down"),
            CallError::Lost { loss: Loss::Poisoned, .. } => {
                f.write_str("the node stopped since its store failed; open the store again and start a node on it")
            }
            CallError::Lost { loss: Loss::Fenced, .. } => {
                f.write_str("the node stopped since another one has taken over its store")
            }
            CallError::Lost { loss: Loss::LeaseLapsed, .. } => f.write_str(
                "the node dropped its actors since its lease has run out; it joins its cluster again, try again later",
            ),
            CallError::NotOwner { owner: Some(owner) } => {
                write!(f, "the actor belongs to the node {owner}; call it there, or try again when that node has gone")
            }
            CallError::NotOwner { owner: None } => {
                f.write_str("the actor does not belong to this node, and no owner is known here; try again later")
            }
            CallError::Joining => f.write_str("the node is joining its cluster; try again later"),
            CallError::Disconnected => f.write_str(
                "the node that serves the actor is out of reach since the message left; it may have had its effect",
            ),
            CallError::Codec { reason, .. } => f.write_str(reason),
        }
    }
}

impl<E: fmt::Debug + fmt::Display> std::error::Error for CallError<E> {}
