//! What a node logs of a panic. The subscriber is that of the whole process, so this is a target of its own.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::sync::{Arc, Mutex};

use dna_core::{Access, Actor, Actors, CallError, Client, Context, Engine, Error, Handled, Memory, Settings};

/// Panics at every message.
struct Bomb;

impl Actor for Bomb {
    const KIND: &'static str = "Bomb";
    type Message = ();
    type Reply = ();
    type Client = Client<Self>;

    async fn init(_: Context<Self>) -> Result<Self, Error> {
        Ok(Bomb)
    }

    fn access((): &()) -> Access {
        Access::Exclusive
    }

    async fn handle(&self, (): ()) -> Handled<()> {
        Handled::done(())
    }

    async fn handle_mut(&mut self, (): ()) -> Handled<()> {
        panic!("told to panic")
    }
}

/// Notes what is logged.
struct Log(Mutex<Vec<String>>);

impl tracing::Subscriber for Log {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        let mut line = String::new();
        event.record(&mut |field: &tracing::field::Field, value: &dyn std::fmt::Debug| {
            line += &format!("{field}={value:?} ");
        });
        self.0.lock().unwrap().push(line);
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}

#[tokio::test]
async fn the_log_names_the_actor_that_panicked_and_says_with_what() {
    let log = Arc::new(Log(Mutex::default()));
    tracing::subscriber::set_global_default(log.clone()).unwrap();
    let actors = Actors::new().with::<Bomb>();
    let engine = Engine::start(Arc::new(Memory::new()), actors, Settings::default()).await.unwrap();
    let call = engine.client::<Bomb>("alice").call((), |()| Some(Ok::<(), Error>(())));
    assert!(matches!(call.await, Err(CallError::Panicked { .. })));
    let logged = log.0.lock().unwrap().clone();
    let line = logged.iter().find(|line| line.contains("a handler panicked")).unwrap();
    assert!(line.contains("told to panic") && line.contains("alice"), "{line}");
}
