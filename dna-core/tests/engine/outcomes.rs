//! What every kind of error says of the message's effect.

use std::sync::Arc;

use dna_core::{
    Access, Actor, ActorOptions, Actors, Call, CallError, Client, Context, Engine, Error, Events, Handled, Memory,
    Outcome, Overload, Refusal, Settings, WriteError,
    limits::{CALL_CHAIN_MAX, NAME_BYTES_MAX},
};
use serde::{Deserialize, Deserializer, Serialize};

use crate::{
    harness::sent,
    support::{Puppet, Step, heard, look, open, puppet, put, run, start},
};

/// An actor that gets wrong what its name and its messages say.
struct Moody {
    context: Context<Moody>,
}

#[derive(Debug, Serialize, Deserialize)]
enum Message {
    Do { what: String },
    Unreadable { number: Unreadable },
}

#[derive(Debug, Serialize, Deserialize)]
enum Reply {
    Done,
    Other,
    Unreadable(Unreadable),
}

/// A value that cannot be decoded.
#[derive(Debug, Serialize)]
struct Unreadable(u8);

impl<'de> Deserialize<'de> for Unreadable {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(serde::de::Error::custom("never"))
    }
}

impl Moody {
    async fn call_bob(context: &Context<Moody>) -> Result<(), Error> {
        run(&context.client::<Puppet>("bob"), vec![Step::Note("called".into())]).await?;
        Ok(())
    }
}

impl Actor for Moody {
    const KIND: &'static str = "Moody";
    const OPTIONS: ActorOptions = ActorOptions::new().with_handle_events();
    type Message = Message;
    type Reply = Reply;
    type Client = Client<Self>;

    async fn init(context: Context<Self>) -> Result<Self, Error> {
        let name = context.name().name().to_owned();
        if name.contains("calls") {
            Moody::call_bob(&context).await?;
        }
        assert!(!name.contains("panics"), "told to panic");
        if name.contains("fails") { Err(Error::new("told to fail")) } else { Ok(Moody { context }) }
    }

    fn access(_: &Message) -> Access {
        Access::Exclusive
    }

    async fn handle(&self, _: Message) -> Handled<Reply> {
        Handled::failed(Reply::Other)
    }

    async fn handle_events(&mut self, events: Events<Self>) -> Result<(), Error> {
        for event in events {
            let Message::Do { what } = &event.message else { continue };
            let what = what.clone();
            if what.contains("calls") {
                Moody::call_bob(&self.context).await?;
            }
            assert!(!what.contains("panics"), "told to panic");
            match what.as_str() {
                "answers" => event.answer(Reply::Done),
                "answers wrong" => event.answer(Reply::Other),
                "answers unreadably" => event.answer(Reply::Unreadable(Unreadable(0))),
                "forgets" => {}
                _ => return Err(Error::new("told to fail")),
            }
        }
        Ok(())
    }

    async fn handle_mut(&mut self, _: Message) -> Handled<Reply> {
        Handled::failed(Reply::Other)
    }
}

async fn node(encode: bool) -> Engine {
    let mut settings = Settings::default();
    settings.encode_messages = encode;
    let actors = Actors::new().with::<Puppet>().with::<Moody>();
    Engine::start(Arc::new(Memory::new()), actors, settings).await.unwrap()
}

fn moody(engine: &Engine, name: &str, message: Message) -> Call<Moody, ()> {
    let extract = |reply| match reply {
        Reply::Done | Reply::Unreadable(_) => Some(Ok(())),
        Reply::Other => None,
    };
    engine.client::<Moody>(name).call(message, extract)
}

fn told(what: &str) -> Message {
    Message::Do { what: what.into() }
}

fn call_bob() -> Step {
    Step::Call("bob".into(), vec![Step::Note("called".into())])
}

#[tokio::test]
async fn a_message_that_was_rolled_back_is_unknown_where_it_had_sent_a_call() {
    let engine = start(&Memory::new()).await;
    let alice = puppet(&engine, "alice");
    for end in [Step::Fail, Step::Panic, Step::PutBytes(2049, 1)] {
        for (steps, outcome) in [
            (vec![put("a", "1")], Outcome::NotApplied),
            (vec![put("a", "1"), call_bob()], Outcome::Unknown),
            // One that was never sent, and a cast, which vanishes, have no effect.
            (vec![Step::Try(1_000, "alice".into(), vec![])], Outcome::NotApplied),
            (vec![Step::Cast("bob".into(), vec![])], Outcome::NotApplied),
        ] {
            let steps = steps.into_iter().chain([end.clone()]).collect::<Vec<_>>();
            let error = run(&alice, steps.clone()).await.unwrap_err();
            assert_eq!(error.outcome(), outcome, "{steps:?}: {error:?}");
            assert!(!error.is_retryable());
            let expected = match end {
                Step::Fail => matches!(error, CallError::Handler { .. }),
                Step::Panic => matches!(error, CallError::Panicked { .. }),
                _ => matches!(error, CallError::Write { error: WriteError::KeyTooLarge { .. }, .. }),
            };
            assert!(expected, "{error:?}");
        }
    }
    let error = look(&alice, vec![call_bob(), Step::Fail]).await.unwrap_err();
    assert_eq!(error.outcome(), Outcome::Unknown);
    let error = look(&alice, vec![Step::Fail]).await.unwrap_err();
    assert_eq!(error.outcome(), Outcome::NotApplied, "what one message sent is forgotten by the next");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_message_is_unknown_where_it_had_sent_a_call() {
    let memory = Memory::new();
    let engine = start(&memory).await;
    let alice = puppet(&engine, "alice");
    for (steps, outcome) in [(vec![], Outcome::NotApplied), (vec![call_bob()], Outcome::Unknown)] {
        let mut writing = steps.clone();
        writing.push(put("a", "1"));
        memory.faults().refuse_next(1, Refusal::Full);
        let error = run(&alice, writing).await.unwrap_err();
        assert_eq!(error, CallError::NotCommitted { refusal: Refusal::Full, outcome });
        assert_eq!(error.is_retryable(), outcome == Outcome::NotApplied);
    }
    // One that runs while the commit of a message before it is refused cannot have sent a call: it waits for that.
    memory.faults().hold_commits();
    let first = sent(run(&alice, vec![put("a", "1")]));
    memory.faults().commits_waiting(1).await;
    let running = sent(run(&alice, vec![Step::Wait("outcomes: void".into()), Step::Fail]));
    heard("outcomes: void").await;
    memory.faults().refuse_next(1, Refusal::Busy);
    memory.faults().release_commits();
    let refused = CallError::NotCommitted { refusal: Refusal::Busy, outcome: Outcome::NotApplied };
    assert_eq!(first.answer().await.unwrap_err(), refused);
    open("outcomes: void");
    assert_eq!(running.answer().await.unwrap_err(), refused);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_that_a_lost_or_stopped_node_cut_short_is_unknown_where_it_had_sent_a_call() {
    for lost in [false, true] {
        for (steps, outcome) in [(vec![], Outcome::NotApplied), (vec![call_bob()], Outcome::Unknown)] {
            let memory = Memory::new();
            let engine = start(&memory).await;
            let door = format!("outcomes: cut {lost} {outcome:?}");
            let mut steps: Vec<Step> = steps;
            steps.extend([put("a", "1"), Step::Wait(door.clone())]);
            let cut = sent(run(&puppet(&engine, "alice"), steps));
            heard(&door).await;
            if lost {
                memory.faults().poison_next(false);
                let error = run(&puppet(&engine, "carol"), vec![put("a", "1")]).await.unwrap_err();
                assert_eq!(error.outcome(), Outcome::Unknown);
                assert!(!error.is_retryable());
            } else {
                drop(engine);
            }
            let error = cut.answer().await.unwrap_err();
            assert_eq!(error.outcome(), outcome, "{error:?}");
            assert_eq!(lost, matches!(error, CallError::Lost { .. }), "{error:?}");
        }
    }
}

#[tokio::test]
async fn an_init_that_fails_is_its_messages_error() {
    let engine = node(false).await;
    for (name, outcome) in [
        ("fails", Outcome::NotApplied),
        ("panics", Outcome::NotApplied),
        ("calls and fails", Outcome::Unknown),
        ("calls and panics", Outcome::Unknown),
    ] {
        for _ in 0..2 {
            let error = moody(&engine, name, told("answers")).await.unwrap_err();
            assert!(matches!(error, CallError::Init { .. }), "{name}: {error:?}");
            assert_eq!(error.outcome(), outcome, "{name}");
        }
    }
    moody(&engine, "calls", told("answers")).await.unwrap();
}

#[tokio::test]
async fn a_batch_that_fails_or_answers_badly_says_what_is_known() {
    let engine = node(false).await;
    for (what, expected, outcome) in [
        ("fails", "Batch", Outcome::NotApplied),
        ("calls and fails", "Batch", Outcome::Unknown),
        ("panics", "Panicked", Outcome::NotApplied),
        ("calls and panics", "Panicked", Outcome::Unknown),
        ("forgets", "Unanswered", Outcome::Unknown),
        ("answers wrong", "WrongReply", Outcome::Unknown),
    ] {
        let error = moody(&engine, "moody", told(what)).await.unwrap_err();
        assert!(format!("{error:?}").starts_with(expected), "{what}: {error:?}");
        assert_eq!(error.outcome(), outcome, "{what}");
        assert!(!error.is_retryable());
    }
    moody(&engine, "moody", told("answers")).await.unwrap();
}

#[tokio::test]
async fn a_message_that_cannot_be_decoded_was_not_sent_and_a_reply_that_cannot_is_unknown() {
    let engine = node(true).await;
    let error = moody(&engine, "moody", Message::Unreadable { number: Unreadable(0) }).await.unwrap_err();
    assert!(matches!(error, CallError::Codec { outcome: Outcome::NotApplied, .. }), "{error:?}");
    let error = moody(&engine, "moody", told("answers unreadably")).await.unwrap_err();
    assert!(matches!(error, CallError::Codec { outcome: Outcome::Unknown, .. }), "{error:?}");
    moody(&engine, "moody", told("answers")).await.unwrap();
}

#[tokio::test]
async fn a_chain_of_calls_has_a_longest_length() {
    let engine = start(&Memory::new()).await;
    let first = puppet(&engine, "0");
    let chain =
        |calls: usize| (1..=calls).rev().fold(Vec::new(), |steps, number| vec![Step::Call(number.to_string(), steps)]);
    run(&first, chain(CALL_CHAIN_MAX)).await.unwrap();
    let error = run(&first, chain(CALL_CHAIN_MAX + 1)).await.unwrap_err();
    assert!(error.to_string().contains("too many actors wait for each other"), "{error}");
}

#[tokio::test]
async fn what_was_never_sent_was_not_applied() {
    let engine = start(&Memory::new()).await;
    let error = moody(&engine, "moody", told("answers")).await.unwrap_err();
    assert_eq!(error, CallError::UnknownActor { kind: "Moody".into() });
    assert_eq!(error.outcome(), Outcome::NotApplied);
    for name in [String::new(), "n".repeat(NAME_BYTES_MAX + 1)] {
        let error = run(&puppet(&engine, &name), vec![]).await.unwrap_err();
        assert!(matches!(error, CallError::Name(_)), "{error:?}");
        assert_eq!(error.outcome(), Outcome::NotApplied);
    }
    run(&puppet(&engine, &"n".repeat(NAME_BYTES_MAX)), vec![]).await.unwrap();
    let alice = puppet(&engine, "alice");
    engine.shutdown().await.unwrap();
    let error = run(&alice, vec![]).await.unwrap_err();
    assert_eq!(error, CallError::Stopped { outcome: Outcome::NotApplied });
    assert!(error.is_retryable());
    for (error, retryable) in [
        (CallError::<Error>::NoNode, false),
        (CallError::SeveralNodes, false),
        (CallError::CallCycle, false),
        (CallError::CallChainTooLong, false),
        (CallError::Overloaded(Overload::Mailbox), true),
        (CallError::Overloaded(Overload::Node), true),
    ] {
        assert_eq!(error.outcome(), Outcome::NotApplied, "{error:?}");
        assert_eq!(error.is_retryable(), retryable, "{error:?}");
    }
}
