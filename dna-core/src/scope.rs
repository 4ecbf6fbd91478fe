//! What surrounds a handler while it runs: whose handler it is, by when it must end, who waits for it, and what it has
//! sent out.
//!
//! The scope lies in a thread-local exactly while the handler's future is polled, so that storage modules and calls
//! find it without being passed anything. A task that the handler spawned finds none.

use std::{cell::Cell, sync::Arc, sync::Weak};

use crate::{actor::Access, engine::EngineInner, name::ActorName, partition::ActorRows};

thread_local! {
    static CURRENT: Cell<Option<Box<Scope>>> = const { Cell::new(None) };
}

/// Something that a message sends out when it is committed.
pub(crate) type Post = Box<dyn FnOnce() + Send>;

/// The surroundings of one running handler.
pub(crate) struct Scope {
    pub(crate) rows: Arc<ActorRows>,
    pub(crate) engine: Weak<EngineInner>,
    pub(crate) access: Access,
    /// When the message expires, on the node's coarse clock.
    pub(crate) deadline: u64,
    /// Who waits for this handler.
    pub(crate) waiting: Vec<Arc<Chain>>,
    /// What has to be committed before a call may leave.
    pub(crate) gate: u64,
    /// The partition's generation that the activation was made in, so that what a void activation computes is refused.
    pub(crate) generation: u64,
    /// Whether it has written, or tried to.
    pub(crate) wrote: bool,
    /// Whether a call of its own has left.
    pub(crate) sent: bool,
    /// What leaves when its writes are committed.
    pub(crate) outbox: Vec<Post>,
}

impl Scope {
    pub(crate) fn new(rows: Arc<ActorRows>, engine: Weak<EngineInner>) -> Box<Self> {
        Box::new(Scope {
            rows,
            engine,
            access: Access::Shared,
            deadline: u64::MAX,
            waiting: Vec::new(),
            gate: 0,
            generation: 0,
            wrote: false,
            sent: false,
            outbox: Vec::new(),
        })
    }

    /// Makes the scope that of a handler which begins now.
    pub(crate) fn begin(&mut self, generation: u64, access: Access, deadline: u64, waiting: Vec<Arc<Chain>>) {
        self.access = access;
        self.deadline = deadline;
        self.waiting = waiting;
        self.gate = self.rows.finished();
        self.generation = generation;
        self.wrote = false;
        self.sent = false;
        self.outbox.clear();
    }

    /// Whether `actor` waits for this handler, or is the one that runs it.
    pub(crate) fn would_wait_for_itself(&self, actor: &ActorName) -> bool {
        self.rows.name() == actor || self.waiting.iter().any(|link| link.contains(actor))
    }

    /// The chain of a call that this handler makes.
    pub(crate) fn link(&self) -> Arc<Chain> {
        Arc::new(Chain {
            actor: self.rows.name().clone(),
            length: 1 + self.waiting.iter().map(|link| link.length).max().unwrap_or(0),
            above: self.waiting.clone(),
        })
    }
}

/// Actors that wait for each other: the last one's address, and those that wait for it.
#[derive(Debug)]
pub(crate) struct Chain {
    actor: ActorName,
    pub(crate) length: usize,
    above: Vec<Arc<Chain>>,
}

impl Chain {
    fn contains(&self, actor: &ActorName) -> bool {
        self.actor == *actor || self.above.iter().any(|link| link.contains(actor))
    }
}

/// Runs `poll` inside `scope`.
pub(crate) fn enter<T>(scope: &mut Option<Box<Scope>>, poll: impl FnOnce() -> T) -> T {
    struct Restore<'a> {
        outer: Option<Box<Scope>>,
        inner: &'a mut Option<Box<Scope>>,
    }

    impl Drop for Restore<'_> {
        fn drop(&mut self) {
            *self.inner = CURRENT.replace(self.outer.take());
        }
    }

    let outer = CURRENT.replace(scope.take());
    let _restore = Restore { outer, inner: scope };
    poll()
}

/// Looks at the scope of the handler that is being polled on this thread, if one is.
pub(crate) fn with<T>(look: impl FnOnce(Option<&mut Scope>) -> T) -> T {
    let mut scope = CURRENT.take();
    let looked = look(scope.as_deref_mut());
    CURRENT.set(scope);
    looked
}
