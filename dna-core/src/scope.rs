//! What surrounds a handler while it runs: whose handler it is, by when it must end, who waits for it, and what it has
//! sent out.
//!
//! The scope lies in a thread-local exactly while the handler's future is polled, so that storage modules and calls
//! find it without being passed anything. A task that the handler spawned finds none.

use std::{
    cell::Cell,
    collections::BTreeSet,
    sync::{Arc, Weak},
};

use crate::{
    actor::Access,
    engine::EngineInner,
    name::ActorName,
    partition::ActorRows,
    trace::{TraceParent, Traced},
};

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
    /// The handler itself, as the calls that it makes show it; made for the first one.
    link: Option<Arc<Chain>>,
    /// What has to be committed before a call may leave.
    pub(crate) gate: u64,
    /// The generation of the activation that the handler runs on. Once the rows have another, the handler is void.
    pub(crate) generation: u64,
    /// Whether it has written, or tried to; once it has ended, whether its writes stand.
    pub(crate) wrote: bool,
    /// Whether a call of its own has left.
    pub(crate) sent: bool,
    /// What leaves when its writes are committed.
    pub(crate) outbox: Vec<Post>,
    /// The trace that its message belongs to.
    pub(crate) trace: Option<Box<Traced>>,
}

impl Scope {
    pub(crate) fn new(rows: Arc<ActorRows>, engine: Weak<EngineInner>) -> Box<Self> {
        Box::new(Scope {
            rows,
            engine,
            access: Access::Shared,
            deadline: u64::MAX,
            waiting: Vec::new(),
            link: None,
            gate: 0,
            generation: 0,
            wrote: false,
            sent: false,
            outbox: Vec::new(),
            trace: None,
        })
    }

    /// Makes the scope that of a handler which begins now, on an activation of this generation.
    #[inline]
    pub(crate) fn begin(&mut self, access: Access, deadline: u64, waiting: Vec<Arc<Chain>>, generation: u64) {
        self.access = access;
        self.deadline = deadline;
        self.waiting = waiting;
        self.link = None;
        self.gate = self.rows.finished();
        self.generation = generation;
        self.wrote = false;
        self.sent = false;
        self.outbox.clear();
        self.trace = None;
    }

    /// The message belongs to this trace. Its handler begins, or the `init` that it has caused.
    #[inline]
    pub(crate) fn belongs_to(&mut self, trace: Option<&TraceParent>, is_init: bool) {
        if let Some(parent) = trace {
            self.trace = Some(Traced::new(*parent, self.rows.name(), is_init));
        }
    }

    /// Whether `actor` of the node `engine` waits for this handler, or is the one that runs it.
    pub(crate) fn would_wait_for_itself(&self, engine: &Weak<EngineInner>, actor: &ActorName) -> bool {
        if self.rows.name() == actor && self.engine.ptr_eq(engine) {
            return true;
        }
        // A batch that was handled as one may have many callers, and these the same caller again.
        let mut seen = BTreeSet::new();
        let mut links: Vec<&Arc<Chain>> = self.waiting.iter().collect();
        while let Some(link) = links.pop() {
            if link.actor == *actor && link.engine.ptr_eq(engine) {
                return true;
            }
            if seen.insert(Arc::as_ptr(link)) {
                links.extend(link.above.iter());
            }
        }
        false
    }

    /// The chain of the calls that this handler makes.
    pub(crate) fn link(&mut self) -> Arc<Chain> {
        let link = self.link.get_or_insert_with(|| {
            Arc::new(Chain {
                engine: self.engine.clone(),
                actor: self.rows.name().clone(),
                length: 1 + self.waiting.iter().map(|link| link.length).max().unwrap_or(0),
                above: self.waiting.clone(),
            })
        });
        link.clone()
    }
}

/// Actors that wait for each other: the last one's address, and those that wait for it.
pub(crate) struct Chain {
    engine: Weak<EngineInner>,
    actor: ActorName,
    pub(crate) length: usize,
    above: Vec<Arc<Chain>>,
}

impl Chain {
    pub(crate) fn new(engine: Weak<EngineInner>, actor: ActorName, length: usize, above: Vec<Arc<Chain>>) -> Arc<Self> {
        Arc::new(Chain { engine, actor, length, above })
    }

    /// The last one of the chain.
    pub(crate) fn actor(&self) -> &ActorName {
        &self.actor
    }

    /// Those that wait for it.
    pub(crate) fn above(&self) -> &[Arc<Chain>] {
        &self.above
    }
}

/// Runs `poll` inside `scope`.
#[inline]
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

/// Whether a handler is being polled on this thread.
#[inline]
pub(crate) fn is_inside() -> bool {
    let scope = CURRENT.take();
    let inside = scope.is_some();
    CURRENT.set(scope);
    inside
}

/// Looks at the scope of the handler that is being polled on this thread, if one is.
pub(crate) fn with<T>(look: impl FnOnce(Option<&mut Scope>) -> T) -> T {
    let mut scope = CURRENT.take();
    let looked = look(scope.as_deref_mut());
    CURRENT.set(scope);
    looked
}
