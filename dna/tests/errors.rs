//! What a user's program sees when something fails: `dna::Error` with `?`, an error type of its own, what is known of
//! the effect.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::{collections::BTreeMap, fmt, time::Duration};

use dna::{CallError, ErrorKind, ReadError, Refusal, StartError, WriteError, limits, prelude::*};
use serde::{Deserialize, Serialize, ser};

/// What can be wrong with a withdrawal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
enum WithdrawError {
    #[error("the account has {balance}, that is {missing} too little")]
    TooLittle { balance: u64, missing: u64 },
    #[error("the account is closed")]
    Closed,
    #[error(transparent)]
    Other(#[from] dna::Error),
}

/// A value that cannot be encoded.
#[derive(Deserialize)]
struct Unwritable;

impl Serialize for Unwritable {
    fn serialize<S: ser::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(ser::Error::custom("it refuses to be written"))
    }
}

struct Account {
    balance: Value<u64>,
    notes: Kv<String, Vec<u8>>,
    odd: Value<Unwritable>,
    ctx: Context,
}

#[dna::actor]
impl Account {
    async fn init(ctx: Context) -> dna::Result<Self> {
        if ctx.name().name() == "cursed" {
            return Err(dna::Error::new("no such account").with_retryable(true));
        }
        Ok(Account { balance: ctx.open("balance")?, notes: ctx.open("notes")?, odd: ctx.open("odd")?, ctx })
    }

    pub async fn deposit(&mut self, amount: u64) -> dna::Result<u64> {
        self.balance.update(|balance| balance.unwrap_or(0) + amount).await
    }

    pub async fn withdraw(&mut self, amount: u64) -> Result<u64, WithdrawError> {
        let balance = self.balance.get().await?.ok_or(WithdrawError::Closed)?;
        self.balance.set(balance.saturating_sub(amount));
        balance.checked_sub(amount).ok_or_else(|| WithdrawError::TooLittle { balance, missing: amount - balance })
    }

    /// The balance, where not having one is an answer and not a failure of the message.
    #[dna(plain)]
    pub async fn balance(&self) -> Result<u64, String> {
        let balance = self.balance.get().await.map_err(|error| error.to_string())?;
        balance.ok_or_else(|| "closed".to_owned())
    }

    pub async fn read_file(&self, path: String) -> dna::Result<String> {
        Ok(std::fs::read_to_string(path)?)
    }

    /// Asks another account, and hands on what went wrong there.
    pub async fn withdraw_from(&mut self, other: String, amount: u64) -> dna::Result<u64> {
        self.deposit(amount).await?;
        Ok(self.ctx.client::<Account>(other).withdraw(amount).await?)
    }

    pub async fn note(&mut self, key: String, bytes: usize) {
        self.notes.put(key, vec![7; bytes]);
    }

    pub async fn notes(&self) -> dna::Result<usize> {
        Ok(self.notes.list().await?.len())
    }

    pub async fn write_odd(&mut self) {
        self.notes.put("odd", Vec::new());
        self.odd.set(Unwritable);
    }

    pub async fn panic(&mut self) {
        self.notes.put("panic", Vec::new());
        panic!("as it was asked to");
    }
}

/// An actor that no node here serves.
struct Stranger;

#[dna::actor]
impl Stranger {
    fn init(_ctx: Context) -> dna::Result<Self> {
        Ok(Stranger)
    }

    pub fn hello(&self) {}
}

async fn node() -> (Memory, Node) {
    let memory = Memory::new();
    let node = Node::builder().store(memory.clone()).actor::<Account>().start().await.unwrap();
    (memory, node)
}

#[tokio::test]
async fn an_error_type_of_the_users_own_reaches_the_caller_and_rolls_back() {
    let (_, node) = node().await;
    let account = node.client::<Account>("alice");
    assert_eq!(account.withdraw(1).await.unwrap_err().into_handler_error(), Ok(WithdrawError::Closed));
    account.deposit(10).await.unwrap();
    let error = account.withdraw(12).await.unwrap_err();
    assert_eq!(error.to_string(), "the account has 10, that is 2 too little");
    assert_eq!((error.outcome(), error.is_retryable()), (Outcome::NotApplied, false));
    match error {
        CallError::Handler { error: WithdrawError::TooLittle { balance, missing }, .. } => {
            assert_eq!((balance, missing), (10, 2));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(account.balance().await.unwrap(), Ok(10), "the failed message has set nothing");
    assert_eq!(node.client::<Account>("bob").balance().await.unwrap(), Err("closed".to_owned()));
}

#[tokio::test]
async fn the_question_mark_takes_errors_of_files() {
    let (_, node) = node().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("missing").display().to_string();
    let error = node.client::<Account>("alice").read_file(path).await.unwrap_err().into_handler_error().unwrap();
    assert_eq!(error.kind(), ErrorKind::Application);
    assert!(error.to_string().to_lowercase().contains("no such file"), "{error}");
}

#[tokio::test]
async fn the_question_mark_takes_errors_of_calls_and_says_that_the_other_may_have_acted() {
    let (_, node) = node().await;
    let account = node.client::<Account>("alice");
    account.deposit(1).await.unwrap();
    let error = account.withdraw_from("bob", 5).await.unwrap_err();
    assert_eq!(error.outcome(), Outcome::Unknown, "a call was sent before the message was rolled back");
    let error = error.into_handler_error().unwrap();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Call, Outcome::NotApplied), "of the inner call");
    assert_eq!(error.to_string(), "the account is closed");
    assert_eq!(account.balance().await.unwrap(), Ok(1));
}

#[tokio::test]
async fn the_question_mark_takes_errors_of_storage() {
    let (memory, node) = node().await;
    let account = node.client::<Account>("alice");
    memory.faults().fail_next_reads(2, ReadError::Unavailable);
    let error = account.deposit(1).await.unwrap_err();
    assert_eq!(error.outcome(), Outcome::NotApplied);
    let error = error.into_handler_error().unwrap();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Storage, true), "{error}");
    match account.withdraw(1).await.unwrap_err().into_handler_error().unwrap() {
        WithdrawError::Other(error) => assert_eq!(error.kind(), ErrorKind::Storage),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_can_never_be_written_fails_its_message_and_nothing_else() {
    let (_, node) = node().await;
    let account = node.client::<Account>("alice");
    account.note("fits", limits::VALUE_BYTES_MAX - 100).await.unwrap();
    let large = account.note("large", limits::VALUE_BYTES_MAX + 1).await.unwrap_err();
    assert!(matches!(large, CallError::Write { error: WriteError::ValueTooLarge { .. }, .. }), "{large:?}");
    let key = account.note("k".repeat(limits::KEY_BYTES_MAX + 1), 1).await.unwrap_err();
    assert!(matches!(key, CallError::Write { error: WriteError::KeyTooLarge { .. }, .. }), "{key:?}");
    let odd = account.write_odd().await.unwrap_err();
    assert!(matches!(odd, CallError::Write { error: WriteError::Serialize { .. }, .. }), "{odd:?}");
    assert!(odd.to_string().contains("it refuses to be written"), "{odd}");
    for error in [large, key, odd] {
        assert_eq!((error.outcome(), error.is_retryable()), (Outcome::NotApplied, false), "{error}");
    }
    assert_eq!(account.notes().await.unwrap(), 1);
}

#[tokio::test]
async fn every_other_failure_says_what_is_known() {
    let (memory, node) = node().await;
    let account = node.client::<Account>("alice");

    let panicked = account.panic().await.unwrap_err();
    assert_eq!(panicked, CallError::Panicked { outcome: Outcome::NotApplied });
    assert_eq!((account.notes().await.unwrap(), panicked.is_retryable()), (0, false));

    memory.faults().refuse_next(1, Refusal::Full);
    let refused = account.deposit(1).await.unwrap_err();
    assert!(matches!(refused, CallError::NotCommitted { refusal: Refusal::Full, .. }), "{refused:?}");
    assert_eq!((refused.outcome(), refused.is_retryable()), (Outcome::NotApplied, true));

    let cursed = node.client::<Account>("cursed").deposit(1).await.unwrap_err();
    assert!(matches!(&cursed, CallError::Init { error, .. } if error.to_string() == "no such account"), "{cursed:?}");
    assert_eq!((cursed.outcome(), cursed.is_retryable()), (Outcome::NotApplied, true));

    let unnamed = node.client::<Account>("").deposit(1).await.unwrap_err();
    assert!(matches!(unnamed, CallError::Name(_)), "{unnamed:?}");

    let stranger = node.client::<Stranger>("a").hello().await.unwrap_err();
    assert!(stranger.to_string().contains(".actor::<Stranger>()"), "{stranger}");

    memory.faults().hold_commits();
    let late = account.deposit(1).timeout(Duration::from_millis(20)).await.unwrap_err();
    assert_eq!(late, CallError::TimedOut { outcome: Outcome::Unknown });
    assert!(!late.is_retryable(), "it may have had its effect");
    memory.faults().release_commits();
    assert_eq!(account.balance().await.unwrap(), Ok(1), "as it had");
}

#[tokio::test]
async fn a_lost_answer_of_the_store_is_settled_and_the_effect_is_there_once() {
    let (memory, node) = node().await;
    let account = node.client::<Account>("alice");
    for total in 1..=5 {
        memory.faults().lose_next_answers(1);
        memory.faults().lose_next_requests(1);
        assert_eq!(account.deposit(1).await.unwrap(), total);
    }
}

#[test]
fn errors_survive_the_wire() {
    fn there_and_back<T: Serialize + for<'a> Deserialize<'a>>(value: &T) -> T {
        rmp_serde::from_slice(&rmp_serde::to_vec_named(value).unwrap()).unwrap()
    }
    let error = dna::Error::with_kind(ErrorKind::Call, "gone").with_outcome(Outcome::Unknown).with_retryable(true);
    assert_eq!(there_and_back(&error), error);
    let error: CallError<WithdrawError> =
        CallError::Handler { error: WithdrawError::TooLittle { balance: 1, missing: 2 }, outcome: Outcome::NotApplied };
    assert_eq!(there_and_back(&error), error);
    let error: CallError<dna::Error> = CallError::Init { error: dna::Error::new("no"), outcome: Outcome::NotApplied };
    assert_eq!(there_and_back(&error), error);
}

#[test]
fn anything_that_can_be_shown_makes_an_error() {
    struct Shown;
    impl fmt::Display for Shown {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("shown")
        }
    }
    assert_eq!(dna::Error::new(Shown).to_string(), "shown");
    let counts = BTreeMap::from([(dna::Error::new("a").to_string(), 1)]);
    assert!(counts.contains_key("a"));
    let boxed: Box<dyn std::error::Error + Send + Sync> = dna::Error::new("boxed").into();
    assert_eq!(boxed.to_string(), "boxed");
}

#[tokio::test]
async fn a_node_that_cannot_start_says_what_is_missing() {
    let no_store = Node::builder().actor::<Account>().start().await.unwrap_err();
    assert!(matches!(no_store, StartError::NoStore), "{no_store:?}");
    assert!(no_store.to_string().contains(".store(Memory::new())"), "{no_store}");

    let twice = Node::builder().store(Memory::new()).actor::<Account>().actor::<Account>().start().await.unwrap_err();
    assert!(twice.to_string().contains("Account"), "{twice}");

    let (memory, node) = node().await;
    let in_use = Node::builder().store(memory.clone()).actor::<Account>().start().await.unwrap_err();
    assert!(in_use.is_retryable() && in_use.outcome() == Outcome::NotApplied, "{in_use}");
    let in_use = dna::Error::from(in_use);
    assert_eq!((in_use.kind(), in_use.is_retryable()), (ErrorKind::Node, true));
    node.shutdown().await.unwrap();
    Node::builder().store(memory).actor::<Account>().start().await.unwrap();
}
