//! `encode_messages`: messages between actors of one node go through their serde implementations.

use std::sync::Arc;

use dna_core::{
    Access, Actor, Actors, Call, CallError, Client, Context, Engine, Error, Handled, Memory, Outcome, Settings,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Is encoded as a text and decoded from a number.
#[derive(Debug)]
struct Lopsided;

impl Serialize for Lopsided {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("lopsided")
    }
}

impl<'de> Deserialize<'de> for Lopsided {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        u64::deserialize(deserializer).map(|_| Lopsided)
    }
}

#[derive(Serialize, Deserialize)]
enum Message {
    Even,
    Lopsided(Lopsided),
    AnswerLopsided,
}

#[derive(Serialize, Deserialize)]
enum Reply {
    Handled(u64),
    Lopsided(Lopsided),
}

struct Scale {
    handled: u64,
}

impl Actor for Scale {
    const KIND: &'static str = "Scale";
    type Message = Message;
    type Reply = Reply;
    type Client = Client<Self>;

    async fn init(_: Context<Self>) -> Result<Self, Error> {
        Ok(Scale { handled: 0 })
    }

    fn access(_: &Message) -> Access {
        Access::Exclusive
    }

    async fn handle(&self, _: Message) -> Handled<Reply> {
        Handled::failed(Reply::Handled(0))
    }

    async fn handle_mut(&mut self, message: Message) -> Handled<Reply> {
        self.handled += 1;
        Handled::done(match message {
            Message::AnswerLopsided => Reply::Lopsided(Lopsided),
            Message::Even | Message::Lopsided(_) => Reply::Handled(self.handled),
        })
    }
}

fn ask(client: &Client<Scale>, message: Message) -> Call<Scale, u64> {
    client.call(message, |reply| match reply {
        Reply::Handled(handled) => Some(Ok(handled)),
        Reply::Lopsided(_) => Some(Ok(0)),
    })
}

async fn start(encode: bool) -> Engine {
    let mut settings = Settings::default();
    settings.encode_messages = encode;
    Engine::start(Arc::new(Memory::new()), Actors::new().with::<Scale>(), settings).await.unwrap()
}

#[tokio::test]
async fn a_message_that_does_not_survive_its_encoding_is_an_error_where_messages_are_encoded() {
    let engine = start(true).await;
    let scale = engine.client::<Scale>("a");
    assert_eq!(ask(&scale, Message::Even).await.unwrap(), 1);
    for answer in [
        ask(&scale, Message::Lopsided(Lopsided)).await.map(drop),
        ask(&scale, Message::Lopsided(Lopsided)).cast().await,
    ] {
        let error = answer.unwrap_err();
        assert!(matches!(error, CallError::Codec { outcome: Outcome::NotApplied, .. }), "{error:?}");
        assert!(error.to_string().contains("Message"), "{error}");
    }
    assert_eq!(ask(&scale, Message::Even).await.unwrap(), 2, "the message was handled all the same");
}

#[tokio::test]
async fn a_reply_that_does_not_survive_its_encoding_is_an_error_behind_a_message_that_was_handled() {
    let engine = start(true).await;
    let scale = engine.client::<Scale>("a");
    let error = ask(&scale, Message::AnswerLopsided).await.unwrap_err();
    assert!(matches!(error, CallError::Codec { outcome: Outcome::Unknown, .. }), "{error:?}");
    assert_eq!(ask(&scale, Message::Even).await.unwrap(), 2);
}

#[tokio::test]
async fn messages_of_one_node_are_moved_as_they_are_by_default() {
    let engine = start(false).await;
    let scale = engine.client::<Scale>("a");
    assert_eq!(ask(&scale, Message::Lopsided(Lopsided)).await.unwrap(), 1);
    assert_eq!(ask(&scale, Message::AnswerLopsided).await.unwrap(), 0);
}
