//! Requests and answers that are lost, late or forged: every commit ends in `Ok` or in an error whose outcome is true, and
//! has one effect at the most.

use std::{sync::Arc, time::Duration};

use dna_core::{
    ClusterStore, CommitError, Group, KeyRange, NodeId, NodeJournals, OpenJournalsError, Outcome, Refusal, Store,
    Timestamp,
    testing::{actor, put, writes},
};
use dna_storage::ScyllaJournals;
use scylla::{errors::DbError, statement::Consistency};
use scylla_proxy::{Reaction, RequestReaction, ResponseReaction, example_db_errors};

use crate::{
    proxy::{Fault, Proxied},
    support::{Keyspace, has_server, head_of},
};

const ALWAYS: usize = usize::MAX;

fn forged(error: DbError) -> RequestReaction {
    RequestReaction::forge_with_error(error)
}

fn unavailable(consistency: Consistency) -> RequestReaction {
    forged(DbError::Unavailable { consistency, required: 2, alive: 1 })
}

/// However often it takes.
async fn drain(journals: &ScyllaJournals) {
    while let Err(error) = journals.drain().await {
        assert!(error.is_retryable(), "{error}");
        tokio::task::yield_now().await;
    }
}

/// A node's journals, behind a proxy, and a fault that is about to happen to the commit number 2.
struct Case<'a> {
    proxied: &'a mut Proxied,
    keyspace: &'a Keyspace,
    journals: ScyllaJournals,
    name: &'static str,
    healed: bool,
}

impl<'a> Case<'a> {
    async fn new(proxied: &'a mut Proxied, keyspace: &'a Keyspace, name: &'static str) -> Self {
        let journals = loop {
            match proxied.scylla.journals(NodeId::new(), 1, Timestamp::ZERO).await {
                Ok(journals) => break journals,
                // A slow machine: another node has better luck.
                Err(OpenJournalsError::Store(error)) if error.is_retryable() => {}
                Err(error) => panic!("{name}: {error}"),
            }
            tokio::task::yield_now().await;
        };
        let store = &journals.stores()[0];
        while let Err(error) = store.attach().await {
            assert!(error.is_retryable(), "{name}: {error}");
            tokio::task::yield_now().await;
        }
        let case = Case { proxied, keyspace, journals, name, healed: false };
        assert_eq!(case.commit_until_definite(1, "before").await, Ok(()), "{name}");
        drain(&case.journals).await;
        case
    }

    fn node(&self) -> NodeId {
        self.journals.node()
    }

    fn store(&self) -> &dyn Store {
        &*self.journals.stores()[0]
    }

    fn group(&self, number: u64, value: &'static str) -> Arc<Group> {
        Arc::new(Group { number, actors: vec![writes(&actor(self.name), vec![put("m", "a", value)])] })
    }

    async fn commit(&self, value: &'static str) -> Result<(), CommitError> {
        self.store().commit(self.group(2, value)).await
    }

    /// As a committer does it: the same group again until its fate is known. On a slow machine that may take several.
    async fn commit_until_definite(&self, number: u64, value: &'static str) -> Result<(), CommitError> {
        loop {
            match self.store().commit(self.group(number, value)).await {
                Err(CommitError::Unknown) => {}
                definite => return definite,
            }
        }
    }

    /// From now on everything passes. The fault has to have happened.
    fn heal(&mut self) {
        if !std::mem::replace(&mut self.healed, true) {
            assert!(self.proxied.heal() > 0, "the fault never happened: {}", self.name);
        }
    }

    /// What stands in the database once all is stored: the head of the journal, and the row.
    async fn settled(&mut self) -> (u64, String) {
        self.heal();
        drain(&self.journals).await;
        let other = self.keyspace.connect().await;
        let other = other.journals(NodeId::new(), 1, self.journals.last_timestamp()).await.unwrap();
        let row = other.stores()[0].get(&actor(self.name), "m", b"a").await.unwrap().unwrap();
        (head_of(self.keyspace, self.node()).await, String::from_utf8(row.to_vec()).unwrap())
    }
}

#[tokio::test]
async fn a_commit_whose_request_or_answer_is_lost_late_or_forged_once_is_ok_and_has_one_effect() {
    if !has_server() {
        return;
    }
    let keyspace = Keyspace::create().await;
    let mut proxied = Proxied::connect(&keyspace).await;
    let request = |reaction: RequestReaction| move |node| Fault::appends(node, 1, reaction.clone());
    type Make = Box<dyn Fn(NodeId) -> Fault>;
    let table: Vec<(&str, Make)> = vec![
        ("its answer is lost", Box::new(|_| Fault::lost_answers(1))),
        ("two answers are lost", Box::new(|_| Fault::lost_answers(2))),
        ("its answer is late", Box::new(|_| Fault::answers(1, ResponseReaction::delay(Duration::from_millis(200))))),
        (
            "its answer is too late",
            Box::new(|_| Fault::answers(1, ResponseReaction::delay(Duration::from_millis(1500)))),
        ),
        ("its request is lost", Box::new(request(RequestReaction::drop_frame()))),
        ("its request is late", Box::new(request(RequestReaction::delay(Duration::from_millis(200))))),
        ("its request is too late", Box::new(request(RequestReaction::delay(Duration::from_millis(1500))))),
        ("its connection is cut before it", Box::new(request(RequestReaction::drop_connection()))),
        ("its connection is cut behind it", Box::new(|_| Fault::answers(1, ResponseReaction::drop_connection()))),
        ("a write timeout", Box::new(request(forged(example_db_errors::write_timeout())))),
        ("a write failure", Box::new(request(forged(example_db_errors::write_failure())))),
        ("a read timeout", Box::new(request(forged(example_db_errors::read_timeout())))),
        ("overload", Box::new(request(forged(example_db_errors::overloaded())))),
        ("a server error", Box::new(request(forged(example_db_errors::server_error())))),
        ("bootstrapping", Box::new(request(forged(example_db_errors::is_bootstrapping())))),
        ("no replicas for Paxos", Box::new(request(unavailable(Consistency::LocalSerial)))),
        ("no replicas for the commit", Box::new(request(unavailable(Consistency::LocalQuorum)))),
    ];

    for (name, make) in table {
        let mut case = Case::new(&mut proxied, &keyspace, name).await;
        let fault = make(case.node());
        case.proxied.set(&fault);

        assert_eq!(case.commit_until_definite(2, "after").await, Ok(()), "{name}");

        assert_eq!(case.settled().await, (2, "after".to_owned()), "{name}");
    }
}

#[tokio::test]
async fn a_commit_that_never_began_is_not_applied_and_its_number_is_free() {
    if !has_server() {
        return;
    }
    let keyspace = Keyspace::create().await;
    let mut proxied = Proxied::connect(&keyspace).await;
    let table = [
        ("no replicas for Paxos, ever", unavailable(Consistency::LocalSerial), Refusal::Unavailable),
        ("bootstrapping for ever", forged(example_db_errors::is_bootstrapping()), Refusal::Unavailable),
        ("bad syntax", forged(example_db_errors::syntax_error()), Refusal::Invalid),
        ("invalid", forged(example_db_errors::invalid()), Refusal::Invalid),
        ("not authorised", forged(example_db_errors::unauthorized()), Refusal::Invalid),
        ("not configured", forged(example_db_errors::config_error()), Refusal::Invalid),
    ];

    for (name, reaction, refusal) in table {
        let mut case = Case::new(&mut proxied, &keyspace, name).await;
        let fault = Fault::appends(case.node(), ALWAYS, reaction);
        case.proxied.set(&fault);

        assert_eq!(case.commit("never").await, Err(CommitError::NotApplied(refusal)), "{name}");

        case.heal();
        assert_eq!(head_of(case.keyspace, case.node()).await, 1, "{name}");
        assert_eq!(case.commit_until_definite(2, "other").await, Ok(()), "{name}");
        assert_eq!(case.settled().await, (2, "other".to_owned()), "{name}");
    }
}

#[tokio::test]
async fn a_commit_in_doubt_is_unknown_until_it_is_asked_again() {
    if !has_server() {
        return;
    }
    let keyspace = Keyspace::create().await;
    let mut proxied = Proxied::connect(&keyspace).await;
    type Make = Box<dyn Fn(NodeId) -> Fault>;
    let table: Vec<(&str, Make, u64)> = vec![
        ("no answer ever comes", Box::new(|_| Fault::lost_answers(ALWAYS)), 2),
        ("no request arrives", Box::new(|node| Fault::appends(node, ALWAYS, RequestReaction::drop_frame())), 1),
        (
            "write timeouts without end",
            Box::new(|node| Fault::appends(node, ALWAYS, forged(example_db_errors::write_timeout()))),
            1,
        ),
        (
            "an overload, then no replicas",
            Box::new(|node| {
                Fault::appends(node, 1, forged(example_db_errors::overloaded())).then(
                    node,
                    ALWAYS,
                    unavailable(Consistency::LocalSerial),
                )
            }),
            1,
        ),
        (
            "an overload, then invalid",
            Box::new(|node| {
                let fault = Fault::appends(node, 1, forged(example_db_errors::overloaded()));
                fault.then(node, ALWAYS, forged(example_db_errors::invalid()))
            }),
            1,
        ),
    ];

    for (name, make, head) in table {
        let mut case = Case::new(&mut proxied, &keyspace, name).await;
        let fault = make(case.node());
        case.proxied.set(&fault);

        let error = case.commit("after").await.unwrap_err();
        assert_eq!((error, error.outcome()), (CommitError::Unknown, Outcome::Unknown), "{name}");
        assert_eq!(head_of(case.keyspace, case.node()).await, head, "{name}");

        case.heal();
        assert_eq!(case.commit_until_definite(2, "after").await, Ok(()), "{name}");
        assert_eq!(case.settled().await, (2, "after".to_owned()), "{name}");
    }
}

#[tokio::test]
async fn a_commit_in_doubt_when_its_journal_is_sealed_is_ok_if_it_is_in_and_fenced_if_not() {
    if !has_server() {
        return;
    }
    let keyspace = Keyspace::create().await;
    let mut proxied = Proxied::connect(&keyspace).await;
    for is_in in [true, false] {
        let name = if is_in { "in" } else { "not in" };
        let mut case = Case::new(&mut proxied, &keyspace, name).await;
        let fault = if is_in {
            Fault::lost_answers(ALWAYS)
        } else {
            Fault::appends(case.node(), ALWAYS, RequestReaction::drop_frame())
        };
        case.proxied.set(&fault);
        assert_eq!(case.commit("after").await, Err(CommitError::Unknown), "{name}");

        let other = case.keyspace.connect().await;
        let replayed = other.seal_and_replay(case.node(), 1).await.unwrap();
        assert_eq!(replayed.entries, u64::from(is_in), "{name}");
        case.heal();

        let expected = if is_in { Ok(()) } else { Err(CommitError::Fenced) };
        assert_eq!(case.commit_until_definite(2, "after").await, expected, "{name}");
        let others = other.journals(NodeId::new(), 1, replayed.last).await.unwrap();
        let row = others.stores()[0].get(&actor(name), "m", b"a").await.unwrap().unwrap();
        assert_eq!(row, if is_in { "after" } else { "before" }, "{name}");
    }
}

#[tokio::test]
async fn rows_that_are_not_stored_at_first_are_stored_in_the_end_and_read_meanwhile() {
    if !has_server() {
        return;
    }
    let keyspace = Keyspace::create().await;
    let mut proxied = Proxied::connect(&keyspace).await;
    let table = [
        ("overloaded rows", forged(example_db_errors::overloaded())),
        ("rows that time out", forged(example_db_errors::write_timeout())),
        ("rows without replicas", unavailable(Consistency::LocalQuorum)),
        ("rows that are refused", forged(example_db_errors::unauthorized())),
        ("rows that are lost", RequestReaction::drop_frame()),
        ("rows cut off", RequestReaction::drop_connection()),
    ];
    for (name, reaction) in table {
        let mut case = Case::new(&mut proxied, &keyspace, name).await;
        case.proxied.set(&Fault::rows(name, 4, reaction));

        assert_eq!(case.commit("after").await, Ok(()), "{name}");
        let list = case.store().scan(&actor(name), "m", &KeyRange::all(), 1, false).await;
        // A read names the actor as well, so that it may be hit itself.
        assert!(list.is_err() || list == Ok(vec![("a".into(), "after".into())]), "{name}: {list:?}");
        drain(&case.journals).await;

        assert_eq!(case.settled().await, (2, "after".to_owned()), "{name}");
    }
}
