//! Several nodes in one process: which one a client means, and what a start refuses. What a process has of nodes is
//! global, so these tests have a target of their own and run one after another.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::disallowed_methods, reason = "tests")]

use std::sync::Arc;

use dna_core::{
    Access, Actor, Actors, AttachError, Call, CallError, Client, Context, Engine, Error, Handled, Memory, NameError,
    Outcome, Settings, StartError,
    limits::{LABEL_BYTES_MAX, NAME_BYTES_MAX},
};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());

#[derive(Serialize, Deserialize)]
enum Message {
    Namespace,
    /// Asks another actor, through the client of the process.
    NamespaceOf(String),
    /// The same, from a task that is no part of the handler.
    NamespaceOfFromATask(String),
}

type Reply = Result<String, Error>;

struct Guide<const KIND: usize>(Context<Guide<KIND>>);

const KINDS: [&str; 5] = ["Guide", "Other", "Guide", "", "x"];

impl<const KIND: usize> Actor for Guide<KIND> {
    const KIND: &'static str = KINDS[KIND];
    type Message = Message;
    type Reply = Reply;
    type Client = Client<Self>;

    async fn init(context: Context<Self>) -> Result<Self, Error> {
        Ok(Guide(context))
    }

    fn access(_: &Message) -> Access {
        Access::Shared
    }

    async fn handle(&self, message: Message) -> Handled<Reply> {
        Handled::done(match message {
            Message::Namespace => Ok(self.0.name().namespace().to_owned()),
            Message::NamespaceOf(name) => {
                ask(&Client::<Self>::of_process(name), Message::Namespace).await.map_err(Error::from)
            }
            Message::NamespaceOfFromATask(name) => {
                let asked = tokio::spawn(async { ask(&Client::<Self>::of_process(name), Message::Namespace).await });
                asked.await.unwrap().map_err(Error::from)
            }
        })
    }

    async fn handle_mut(&mut self, message: Message) -> Handled<Reply> {
        self.handle(message).await
    }
}

fn ask<const KIND: usize>(client: &Client<Guide<KIND>>, message: Message) -> Call<Guide<KIND>, String, Error> {
    client.call(message, Some)
}

fn of_process(name: &str) -> Client<Guide<0>> {
    Client::of_process(name)
}

async fn start_on(store: &Memory, namespace: &str, actors: Actors) -> Result<Engine, StartError> {
    let mut settings = Settings::default();
    settings.namespace = namespace.into();
    Engine::start(Arc::new(store.clone()), actors, settings).await
}

async fn start(namespace: &str) -> Engine {
    start_on(&Memory::new(), namespace, Actors::new().with::<Guide<0>>()).await.unwrap()
}

#[tokio::test]
async fn the_client_of_the_process_means_its_only_node_and_is_an_error_with_none_or_several() {
    let _alone = ONE_AT_A_TIME.lock().await;
    let error = ask(&of_process("a"), Message::Namespace).await.unwrap_err();
    assert_eq!((error.outcome(), &error), (Outcome::NotApplied, &CallError::NoNode));
    assert!(error.to_string().contains("start"), "{error}");
    let error = ask(&of_process("a"), Message::Namespace).cast().await.unwrap_err();
    assert_eq!(error, CallError::NoNode);

    let first = start("first").await;
    let client = of_process("a");
    assert_eq!(ask(&client, Message::Namespace).await.unwrap(), "first");

    let second = start("second").await;
    let error = ask(&of_process("a"), Message::Namespace).await.unwrap_err();
    assert_eq!(error, CallError::SeveralNodes);
    assert!(error.to_string().contains("node.client"), "{error}");
    // A client that was made before knows its node.
    assert_eq!(ask(&client, Message::Namespace).await.unwrap(), "first");
    assert_eq!(ask(&second.client::<Guide<0>>("a"), Message::Namespace).await.unwrap(), "second");

    first.shutdown().await.unwrap();
    assert_eq!(ask(&of_process("a"), Message::Namespace).await.unwrap(), "second");
    assert!(matches!(ask(&client, Message::Namespace).await, Err(CallError::Stopped { .. })));
    drop(second);
    assert_eq!(ask(&of_process("a"), Message::Namespace).await.unwrap_err(), CallError::NoNode);
}

#[tokio::test]
async fn within_a_handler_the_client_of_the_process_means_the_handlers_own_node() {
    let _alone = ONE_AT_A_TIME.lock().await;
    let nodes = [start("first").await, start("second").await];
    for (node, namespace) in nodes.iter().zip(["first", "second"]) {
        let client = node.client::<Guide<0>>("a");
        assert_eq!(ask(&client, Message::NamespaceOf("b".into())).await.unwrap(), namespace);
        let error = ask(&client, Message::NamespaceOfFromATask("b".into())).await.unwrap_err();
        assert!(error.to_string().contains("several nodes"), "{error}");
    }
}

#[tokio::test]
async fn a_type_or_name_that_the_node_cannot_serve_is_the_answer_to_the_call() {
    let _alone = ONE_AT_A_TIME.lock().await;
    let node = start("first").await;
    let error = ask(&node.client::<Guide<1>>("a"), Message::Namespace).await.unwrap_err();
    assert_eq!(error, CallError::UnknownActor { kind: "Other".into() });
    assert_eq!(error.outcome(), Outcome::NotApplied);
    for name in [String::new(), "x".repeat(NAME_BYTES_MAX + 1)] {
        let error = ask(&node.client::<Guide<0>>(name.as_str()), Message::Namespace).await.unwrap_err();
        assert!(matches!(error, CallError::Name(_)), "{error:?}");
        assert_eq!((error.outcome(), error.is_retryable()), (Outcome::NotApplied, false));
    }
    ask(&node.client::<Guide<0>>("x".repeat(NAME_BYTES_MAX)), Message::Namespace).await.unwrap();
    assert_eq!(node.stats().activations, 1);
}

#[tokio::test]
async fn a_start_that_is_refused_starts_nothing_and_leaves_the_store_free() {
    let _alone = ONE_AT_A_TIME.lock().await;
    let store = Memory::new();
    let same = StartError::SameType { kind: "Guide".into() };
    let twice = Actors::new().with::<Guide<0>>().with::<Guide<0>>();
    assert_eq!(start_on(&store, "n", twice).await.unwrap_err(), same);
    let alike = Actors::new().with::<Guide<0>>().with::<Guide<2>>();
    assert_eq!(start_on(&store, "n", alike).await.unwrap_err(), same);
    let empty = start_on(&store, "", Actors::new()).await.unwrap_err();
    assert_eq!(empty, StartError::Name(NameError::Empty { part: "namespace" }));
    let long = start_on(&store, &"n".repeat(LABEL_BYTES_MAX + 1), Actors::new()).await.unwrap_err();
    assert!(matches!(long, StartError::Name(NameError::TooLong { part: "namespace", .. })), "{long:?}");
    let unnamed = start_on(&store, "n", Actors::new().with::<Guide<3>>()).await.unwrap_err();
    assert_eq!(unnamed, StartError::Name(NameError::Empty { part: "actor type" }));
    for error in [same, empty, long, unnamed] {
        assert_eq!((error.outcome(), error.is_retryable()), (Outcome::NotApplied, false));
    }
    assert_eq!(ask(&of_process("a"), Message::Namespace).await.unwrap_err(), CallError::NoNode);
    start_on(&store, "n", Actors::new().with::<Guide<0>>().with::<Guide<1>>()).await.unwrap();
}

#[tokio::test]
async fn a_second_node_on_a_store_in_use_is_refused_until_the_first_has_ended() {
    let _alone = ONE_AT_A_TIME.lock().await;
    let store = Memory::new();
    let first = start_on(&store, "n", Actors::new().with::<Guide<0>>()).await.unwrap();
    let error = start_on(&store, "n", Actors::new().with::<Guide<0>>()).await.unwrap_err();
    assert_eq!((error.is_retryable(), &error), (true, &StartError::Store(AttachError::InUse)));
    // The one that was refused is no node of the process.
    assert_eq!(ask(&of_process("a"), Message::Namespace).await.unwrap(), "n");
    first.shutdown().await.unwrap();
    let second = start_on(&store, "n", Actors::new().with::<Guide<0>>()).await.unwrap();
    store.faults().poison_next(true);
    drop(second);
    start_on(&store, "n", Actors::new().with::<Guide<0>>()).await.unwrap();
}

#[test]
fn a_start_outside_of_a_runtime_is_refused() {
    let store: Arc<Memory> = Arc::new(Memory::new());
    let mut start = std::pin::pin!(Engine::start(store, Actors::new(), Settings::default()));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let std::task::Poll::Ready(Err(error)) = start.as_mut().poll(&mut context) else { panic!("it was started") };
    assert_eq!(error, StartError::NoRuntime);
}
