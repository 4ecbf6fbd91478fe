//! What tests of the engine do to calls and stores: send without waiting, look whether an answer has left, record what
//! reaches the store, draw random numbers from a seed.

use std::{
    collections::BTreeSet,
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use dna_core::{
    ActorName, Actors, AttachError, CommitError, Engine, Group, KeyRange, Memory, ReadError, Settings, Store, Write,
    limits::GROUP_BYTES_MAX,
};
use futures_util::{
    FutureExt,
    future::{BoxFuture, MaybeDone, maybe_done},
};

use crate::support::Puppet;

/// A call, or a cast, that was polled and so has been sent.
pub(crate) struct Sent<F: Future>(Pin<Box<MaybeDone<F>>>);

pub(crate) fn sent<F: Future>(call: F) -> Sent<F> {
    let mut sent = Sent(Box::pin(maybe_done(call)));
    sent.is_open();
    sent
}

impl<F: Future> Sent<F> {
    /// Whether the answer has not come yet.
    pub(crate) fn is_open(&mut self) -> bool {
        self.0.as_mut().now_or_never().is_none()
    }

    pub(crate) async fn answer(mut self) -> F::Output {
        self.0.as_mut().await;
        self.0.as_mut().take_output().unwrap()
    }
}

/// Waits until `condition` holds. What never comes is a failure of the test, with `what` as its message.
pub(crate) async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    for _ in 0..60_000 {
        if condition() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("never came: {what}");
}

/// Gives what must not happen the time to happen: `condition` has to hold all along.
pub(crate) async fn stays(what: &str, mut condition: impl FnMut() -> bool) {
    for _ in 0..20 {
        assert!(condition(), "no longer: {what}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

pub(crate) async fn start_on(store: Arc<dyn Store>, settings: Settings) -> Engine {
    Engine::start(store, Actors::new().with::<Puppet>(), settings).await.unwrap()
}

/// A memory store that keeps every group which was sent to it.
#[derive(Clone, Default)]
pub(crate) struct Recorder {
    pub(crate) memory: Memory,
    groups: Arc<Mutex<Vec<Arc<Group>>>>,
    /// Whether a commit lingers at its beginning, for its claim to end meanwhile.
    pub(crate) linger: Arc<AtomicBool>,
    pub(crate) lingers: Arc<AtomicBool>,
    detached: Arc<AtomicBool>,
    /// Whether a commit began when the claim was over.
    pub(crate) began_late: Arc<AtomicBool>,
}

impl Recorder {
    pub(crate) fn groups(&self) -> Vec<Arc<Group>> {
        self.groups.lock().unwrap().clone()
    }

    /// Asserts that every group keeps the bounds of a group.
    pub(crate) fn check(&self) {
        for group in self.groups() {
            let bytes: usize = group.actors.iter().flat_map(|actor| &actor.writes).map(Write::cost).sum();
            assert!(bytes <= GROUP_BYTES_MAX, "group {} has {bytes} bytes", group.number);
            let names = group.actors.iter().map(|actor| &actor.actor).collect::<BTreeSet<_>>();
            assert_eq!(names.len(), group.actors.len(), "a name stands twice in group {}", group.number);
        }
    }
}

impl Store for Recorder {
    fn attach(&self) -> BoxFuture<'_, Result<u64, AttachError>> {
        self.memory.attach()
    }

    fn detach(&self) {
        self.detached.store(true, Ordering::Release);
        self.memory.detach();
    }

    fn commit(&self, group: Arc<Group>) -> BoxFuture<'_, Result<(), CommitError>> {
        for _ in 0..100 {
            if self.linger.load(Ordering::Acquire) && !self.detached.load(Ordering::Acquire) {
                self.lingers.store(true, Ordering::Release);
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        self.began_late.fetch_or(self.detached.load(Ordering::Acquire), Ordering::AcqRel);
        self.groups.lock().unwrap().push(group.clone());
        self.memory.commit(group)
    }

    fn get<'a>(
        &'a self,
        actor: &'a ActorName,
        module: &'a str,
        key: &'a [u8],
    ) -> BoxFuture<'a, Result<Option<Bytes>, ReadError>> {
        self.memory.get(actor, module, key)
    }

    fn scan<'a>(
        &'a self,
        actor: &'a ActorName,
        module: &'a str,
        range: &'a KeyRange,
        limit: usize,
        reverse: bool,
    ) -> BoxFuture<'a, Result<Vec<(Bytes, Bytes)>, ReadError>> {
        self.memory.scan(actor, module, range, limit, reverse)
    }
}

/// Random numbers (xorshift64*) that a seed repeats.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Random(seed | 1)
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % bound
    }

    /// True once in `one_in` times.
    pub(crate) fn chance(&mut self, one_in: u64) -> bool {
        self.below(one_in) == 0
    }
}
