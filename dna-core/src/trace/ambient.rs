//! The context that messages are sent in, and the one that a handler runs in.

use std::{
    cell::Cell,
    fmt,
    future::Future,
    pin::Pin,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use crate::name::ActorName;

use super::parent::TraceParent;

thread_local! {
    static AMBIENT: Cell<Option<TraceParent>> = const { Cell::new(None) };
}

/// Whether there was any context so far: all that a message without one costs is a look at this.
static IN_USE: AtomicBool = AtomicBool::new(false);

static PROPAGATOR: OnceLock<Box<dyn Propagator>> = OnceLock::new();

/// Joins the contexts of messages with the spans of the program. See the docs of this module.
pub trait Propagator: Send + Sync + 'static {
    /// The context of a message that is being sent: that of the span that is current. With `None` it is that of
    /// [`with_traceparent`], or of the handler that sends it.
    fn inject(&self) -> Option<TraceParent>;

    /// Makes the span of a handler a child of the message's context. The span may be disabled.
    fn extract(&self, parent: &TraceParent, span: &tracing::Span);
}

/// Sets the propagator of the process. `false`: there is one already.
pub fn set_propagator(propagator: impl Propagator) -> bool {
    let is_first = PROPAGATOR.set(Box::new(propagator)).is_ok();
    IN_USE.store(true, Ordering::Relaxed);
    is_first
}

/// Runs `future`; the messages that it sends carry this context. A task that it spawns does not.
pub fn with_traceparent<F: Future>(parent: TraceParent, future: F) -> WithTraceParent<F> {
    IN_USE.store(true, Ordering::Relaxed);
    WithTraceParent { parent, future: Box::pin(future) }
}

/// The context of the message whose handler runs, or that of [`with_traceparent`].
pub fn current() -> Option<TraceParent> {
    AMBIENT.get()
}

/// The context of a message that is sent now.
#[inline]
pub(crate) fn outgoing() -> Option<Arc<TraceParent>> {
    if !IN_USE.load(Ordering::Relaxed) {
        return None;
    }
    PROPAGATOR.get().and_then(|propagator| propagator.inject()).or_else(current).map(Arc::new)
}

/// A future whose messages carry a trace context. See [`with_traceparent`].
#[must_use = "futures do nothing unless they are awaited"]
pub struct WithTraceParent<F> {
    parent: TraceParent,
    future: Pin<Box<F>>,
}

impl<F: Future> Future for WithTraceParent<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        within(self.parent, || self.future.as_mut().poll(cx))
    }
}

impl<F> fmt::Debug for WithTraceParent<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WithTraceParent").field("parent", &self.parent).finish_non_exhaustive()
    }
}

fn within<T>(parent: TraceParent, run: impl FnOnce() -> T) -> T {
    struct Restore(Option<TraceParent>);

    impl Drop for Restore {
        fn drop(&mut self) {
            AMBIENT.set(self.0);
        }
    }

    let _restore = Restore(AMBIENT.replace(Some(parent)));
    run()
}

/// The context that a handler runs in, and its span.
#[derive(Debug, Clone)]
pub(crate) struct Traced {
    parent: TraceParent,
    span: tracing::Span,
}

impl Traced {
    /// That of the handler of a message with this context, or of the `init` that it has caused.
    #[cold]
    pub(crate) fn new(parent: TraceParent, actor: &ActorName, is_init: bool) -> Box<Self> {
        IN_USE.store(true, Ordering::Relaxed);
        let span = if is_init {
            tracing::info_span!(target: "dna::handler", "init", %actor, traceparent = %parent)
        } else {
            tracing::info_span!(target: "dna::handler", "handle", %actor, traceparent = %parent, otel.kind = "server")
        };
        if let Some(propagator) = PROPAGATOR.get() {
            propagator.extract(&parent, &span);
        }
        Box::new(Traced { parent, span })
    }

    /// Polls the handler once.
    pub(crate) fn enter<T>(&self, poll: impl FnOnce() -> T) -> T {
        within(self.parent, || self.span.in_scope(poll))
    }
}
