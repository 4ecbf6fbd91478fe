//! Trace context goes with messages, also to other nodes, and on with what handlers send. Propagator and subscriber are
//! those of the process, so there is one test.
#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods, clippy::indexing_slicing, reason = "tests")]

#[path = "support/nodes.rs"]
mod nodes;

use std::{
    fmt,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use dna::{
    MemoryCluster,
    prelude::*,
    trace::{self, Propagator, TraceParent, with_traceparent},
};
use nodes::{names_on, node, until_balanced};
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};

struct Relay;

#[dna::actor]
impl Relay {
    async fn init(_ctx: Context) -> dna::Result<Self> {
        Ok(Relay)
    }

    /// The trace that the message came with.
    pub async fn trace(&self) -> Option<String> {
        tokio::task::yield_now().await;
        trace::current().map(|parent| parent.to_string())
    }

    /// The trace with which a call of this handler comes to another actor.
    pub async fn ask(&mut self, other: String, through: String) -> Result<Option<String>, String> {
        tokio::task::yield_now().await;
        if through.is_empty() {
            return Relay::client(other).trace().await.map_err(|error| error.to_string());
        }
        Relay::client(through).ask(other, String::new()).await.map_err(|error| error.to_string())
    }

    pub async fn tell(&mut self, other: String) {
        Relay::client(other).keep().cast().await.ok();
    }

    pub async fn keep(&mut self) {
        *KEPT.lock().unwrap() = trace::current();
    }
}

static KEPT: Mutex<Option<TraceParent>> = Mutex::new(None);
/// Keeps the fields of the spans of handlers.
struct Spans(AtomicU64);

static HANDLED: Mutex<Vec<String>> = Mutex::new(Vec::new());

struct Fields(String);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0 += &format!("{}={value:?} ", field.name());
    }
}

impl Subscriber for Spans {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "dna::handler"
    }

    fn new_span(&self, span: &span::Attributes<'_>) -> span::Id {
        let mut fields = Fields(format!("{} ", span.metadata().name()));
        span.record(&mut fields);
        HANDLED.lock().unwrap().push(fields.0);
        span::Id::from_u64(self.0.fetch_add(1, Ordering::SeqCst))
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn event(&self, _: &Event<'_>) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

/// What a bridge to a tracing system would do.
struct Bridge;

static INJECTS: AtomicBool = AtomicBool::new(true);
static EXTRACTED: Mutex<Vec<TraceParent>> = Mutex::new(Vec::new());

impl Propagator for Bridge {
    fn inject(&self) -> Option<TraceParent> {
        INJECTS.load(Ordering::SeqCst).then(|| parent(0xb))
    }

    fn extract(&self, parent: &TraceParent, span: &tracing::Span) {
        assert!(!span.is_disabled());
        EXTRACTED.lock().unwrap().push(*parent);
    }
}

fn parent(byte: u8) -> TraceParent {
    TraceParent::new([byte; 16], [byte; 8], 1).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trace_goes_with_calls_and_casts_over_nodes_and_is_in_the_spans_of_handlers() {
    tracing::subscriber::set_global_default(Spans(AtomicU64::new(1))).unwrap();
    let cluster = MemoryCluster::new();
    let (first, second) = (node(&cluster).actor::<Relay>(), node(&cluster).actor::<Relay>());
    let (first, second) = (first.start().await.unwrap(), second.start().await.unwrap());
    until_balanced(&[&first, &second]).await;
    let mut here = names_on::<Relay>(&first);
    let (near, other) = (here.next().unwrap(), here.next().unwrap());
    let far = names_on::<Relay>(&second).next().unwrap();
    drop(here);
    let of = |name: &str| first.client::<Relay>(name);

    assert_eq!(of(&near).trace().await, Ok(None));
    assert_eq!(of(&far).trace().await, Ok(None));
    assert!(HANDLED.lock().unwrap().is_empty(), "without a trace there is no span");

    let a = parent(0xa);
    let text = Some(a.to_string());
    assert_eq!(with_traceparent(a, of(&near).trace()).await, Ok(text.clone()));
    assert_eq!(with_traceparent(a, of(&far).trace()).await, Ok(text.clone()));
    assert_eq!(trace::current(), None);
    let over_both = with_traceparent(a, of(&near).ask(other.clone(), far.clone())).await;
    assert_eq!(over_both, Ok(text.clone()), "here, there, and here again");
    let handled = std::mem::take(&mut *HANDLED.lock().unwrap());
    // The first two names were active already.
    for (name, spans) in [(&near, 2), (&far, 2), (&other, 2)] {
        let ours = handled.iter().filter(|span| span.contains(&format!("Relay/{name} "))).collect::<Vec<_>>();
        assert_eq!(ours.len(), spans, "{name}: {handled:#?}");
        assert_eq!(ours.iter().filter(|span| span.starts_with("init ")).count(), usize::from(*name == other));
        assert!(ours.iter().all(|span| span.contains(&a.to_string())), "{ours:#?}");
    }
    with_traceparent(a, of(&near).tell(far.clone())).await.unwrap();
    nodes::until("the cast has come", || *KEPT.lock().unwrap() == Some(a)).await;

    assert!(trace::set_propagator(Bridge) && !trace::set_propagator(Bridge));
    assert_eq!(with_traceparent(a, of(&far).trace()).await, Ok(Some(parent(0xb).to_string())));
    assert_eq!(*EXTRACTED.lock().unwrap(), [parent(0xb)]);
    INJECTS.store(false, Ordering::SeqCst);
    assert_eq!(with_traceparent(a, of(&far).trace()).await, Ok(text), "what it does not say is as without it");
    assert_eq!(of(&far).trace().await, Ok(None));

    second.shutdown().await.unwrap();
    first.shutdown().await.unwrap();
}
