//! What a node counts for its metrics.

use std::sync::{
    Arc,
    atomic::{AtomicU64, AtomicUsize, Ordering},
};

use crate::{
    call_error::{CallError, Overload},
    engine::Shared,
};

use super::spread::Spread;

/// What is counted of a node, beside what it needs to know for itself.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    failures: [AtomicU64; FAILURES.len()],
    expired: AtomicU64,
    pub(super) group_bytes: Spread,
    pub(super) group_messages: Spread,
    pub(super) commit_nanos: Spread,
}

impl Counts {
    /// A sender was told an error.
    #[cold]
    pub(crate) fn count_failure<E>(&self, error: &CallError<E>) {
        if let Some(failures) = self.failures.get(Failure::of(error) as usize) {
            failures.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A message was not begun by its deadline.
    #[cold]
    pub(crate) fn count_expired(&self) {
        self.expired.fetch_add(1, Ordering::Relaxed);
    }

    /// A group was committed.
    pub(crate) fn count_group(&self, bytes: usize, messages: u64, took: std::time::Duration) {
        self.group_bytes.count(bytes as u64);
        self.group_messages.count(messages);
        self.commit_nanos.count(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
    }

    pub(super) fn expired(&self) -> u64 {
        self.expired.load(Ordering::Relaxed)
    }

    /// How often senders were told which error.
    pub(super) fn failures(&self) -> impl Iterator<Item = (&'static str, u64)> {
        FAILURES.iter().copied().zip(self.failures.iter().map(|failures| failures.load(Ordering::Relaxed)))
    }
}

/// Which error a sender was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Failure {
    Handler,
    Panicked,
    Init,
    Batch,
    Unanswered,
    Write,
    NotCommitted,
    TimedOut,
    OverloadedMailbox,
    OverloadedNode,
    OverloadedOutbox,
    OverloadedPeer,
    OverloadedRoutes,
    CallCycle,
    NoTarget,
    NotPlaced,
    Stopped,
    Lost,
    NotOwner,
    Joining,
    Disconnected,
    Codec,
}

/// The names of the failures, in their order.
pub(super) const FAILURES: [&str; 22] = [
    "handler",
    "panicked",
    "init",
    "batch",
    "unanswered",
    "write",
    "not_committed",
    "timed_out",
    "overloaded_mailbox",
    "overloaded_node",
    "overloaded_outbox",
    "overloaded_peer",
    "overloaded_routes",
    "call_cycle",
    "no_target",
    "not_placed",
    "stopped",
    "lost",
    "not_owner",
    "joining",
    "disconnected",
    "codec",
];

impl Failure {
    fn of<E>(error: &CallError<E>) -> Self {
        match error {
            CallError::Handler { .. } => Failure::Handler,
            CallError::Panicked { .. } => Failure::Panicked,
            CallError::Init { .. } => Failure::Init,
            CallError::Batch { .. } => Failure::Batch,
            CallError::Unanswered | CallError::WrongReply => Failure::Unanswered,
            CallError::Write { .. } => Failure::Write,
            CallError::NotCommitted { .. } => Failure::NotCommitted,
            CallError::TimedOut { .. } => Failure::TimedOut,
            CallError::Overloaded(Overload::Mailbox) => Failure::OverloadedMailbox,
            CallError::Overloaded(Overload::Node) => Failure::OverloadedNode,
            CallError::Overloaded(Overload::Outbox) => Failure::OverloadedOutbox,
            CallError::Overloaded(Overload::Peer) => Failure::OverloadedPeer,
            CallError::Overloaded(Overload::Routes) => Failure::OverloadedRoutes,
            CallError::CallCycle | CallError::CallChainTooLong => Failure::CallCycle,
            CallError::NoNode
            | CallError::SeveralNodes
            | CallError::UnknownActor { .. }
            | CallError::UnknownType(_)
            | CallError::VersionMismatch(_)
            | CallError::Name(_) => Failure::NoTarget,
            CallError::NotPlaced { .. } => Failure::NotPlaced,
            CallError::Stopped { .. } => Failure::Stopped,
            CallError::Lost { .. } => Failure::Lost,
            CallError::NotOwner { .. } => Failure::NotOwner,
            CallError::Joining => Failure::Joining,
            CallError::Disconnected => Failure::Disconnected,
            CallError::Codec { .. } => Failure::Codec,
        }
    }
}

/// What is counted of one actor type of a node.
pub(crate) struct KindMeter {
    pub(crate) shared: Arc<Shared>,
    /// The type's name, as the value of a label.
    pub(super) kind: &'static [&'static str; 1],
    activations: AtomicU64,
    ended: AtomicU64,
    passivations: AtomicU64,
    messages: AtomicU64,
    longest: AtomicUsize,
    pub(super) here: Spread,
    pub(super) elsewhere: Spread,
}

impl KindMeter {
    pub(crate) fn new(kind: &'static [&'static str; 1], shared: Arc<Shared>) -> Arc<Self> {
        Arc::new(KindMeter {
            shared,
            kind,
            activations: AtomicU64::new(0),
            ended: AtomicU64::new(0),
            passivations: AtomicU64::new(0),
            messages: AtomicU64::new(0),
            longest: AtomicUsize::new(0),
            here: Spread::default(),
            elsewhere: Spread::default(),
        })
    }

    /// Counts a new activation.
    pub(crate) fn count_activation(&self) {
        self.activations.fetch_add(1, Ordering::Relaxed);
        self.shared.count_activation();
    }

    /// An activation has ended.
    pub(crate) fn uncount_activation(&self) {
        self.ended.fetch_add(1, Ordering::Relaxed);
        self.shared.active.fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn count_passivation(&self) {
        self.passivations.fetch_add(1, Ordering::Relaxed);
    }

    /// A mailbox was seen with so many messages, and has got so many since it was seen before.
    pub(crate) fn saw_mailbox(&self, messages: usize, received: u64) {
        if messages > 0 {
            self.longest.fetch_max(messages, Ordering::Relaxed);
        }
        if received > 0 {
            self.messages.fetch_add(received, Ordering::Relaxed);
        }
    }

    pub(super) fn activations(&self) -> u64 {
        self.activations.load(Ordering::Relaxed)
    }

    pub(super) fn active(&self) -> u64 {
        let ended = self.ended.load(Ordering::Relaxed);
        self.activations().saturating_sub(ended)
    }

    pub(super) fn passivations(&self) -> u64 {
        self.passivations.load(Ordering::Relaxed)
    }

    pub(super) fn messages(&self) -> u64 {
        self.messages.load(Ordering::Relaxed)
    }

    /// The longest mailbox that was seen since the last time.
    pub(super) fn take_longest(&self) -> usize {
        self.longest.swap(0, Ordering::Relaxed)
    }
}
