//! Trace context: a caller's trace goes with its messages, also to other nodes, and on with what handlers send in turn.
//!
//! The context is that of [W3C Trace Context](https://www.w3.org/TR/trace-context/): a [`TraceParent`]. A message carries one
//! if it is sent within [`with_traceparent`], by a handler whose own message carries one, or if the program's [`Propagator`]
//! says so. Such a message's handler runs in a `tracing` span `handle` (target `dna::handler`, level `INFO`) with the fields
//! `actor`, `traceparent` and `otel.kind`; an `init` that it has caused, in a span `init`. Messages without one have no span, and
//! cost one look at a flag.
//!
//! With OpenTelemetry, a [`Propagator`] joins the two: it tells the context of the span that is current when a message is
//! sent, and makes the handler's span a child of the caller's. With `tracing-opentelemetry`:
//!
//! ```text
//! struct OpenTelemetry;
//!
//! impl Propagator for OpenTelemetry {
//!     fn inject(&self) -> Option<TraceParent> {
//!         let context = tracing::Span::current().context();
//!         let span = context.span().span_context().clone();
//!         TraceParent::new(span.trace_id().to_bytes(), span.span_id().to_bytes(), span.trace_flags().to_u8())
//!     }
//!
//!     fn extract(&self, parent: &TraceParent, span: &tracing::Span) {
//!         let (trace, id) = (TraceId::from_bytes(parent.trace_id()), SpanId::from_bytes(parent.parent_id()));
//!         let parent = SpanContext::new(trace, id, TraceFlags::new(parent.flags()), true, TraceState::default());
//!         span.set_parent(Context::new().with_remote_span_context(parent));
//!     }
//! }
//! ```

mod ambient;
mod parent;

pub(crate) use self::ambient::{Traced, outgoing};
pub use self::{
    ambient::{Propagator, WithTraceParent, current, set_propagator, with_traceparent},
    parent::{InvalidTraceParent, TraceParent},
};
