//! Routing: messages to names that other nodes serve, in the order of their sending.
//!
//! All that one node sends to one shard is a stream with a number (`stream`); a node that does not own the shard sends
//! back what comes, for as long as the sender does not open the stream anew (`numbers`). What is said on the way is in
//! `wire`. It knows messages as bytes; how they are carried is the transport's, what handles them the engine's.
//!
//! Locks are taken in this order: a shard's outgoing messages, its arrivals, the engine's own; the transport's are the last.

mod heard;
mod host;
mod incoming;
mod load;
mod numbers;
mod outgoing;
mod session;
#[cfg(feature = "testing")]
mod simulated;
mod stream;
mod waiting;
mod wire;

use std::{
    collections::BTreeSet,
    num::NonZeroU32,
    sync::{
        Arc, Weak,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
};

use dna_core::{Member, Shard};
use dna_transport::Security;
use parking_lot::{Mutex, RwLock};
use tokio::sync::Notify;

pub use self::host::Routing;
#[cfg(feature = "testing")]
pub use self::simulated::{RoutingRule, Simulated};
use self::{heard::Heard, incoming::Arrivals, load::Load, outgoing::Outgoing, session::Session};
use crate::seam::Seam;

/// What routing has over all incarnations of a process.
struct Inner {
    me: Weak<Inner>,
    member: Member,
    seam: Seam,
    security: Security,
    outgoing: Box<[Mutex<Outgoing>]>,
    arrivals: Box<[Mutex<Arrivals>]>,
    load: Arc<Load>,
    /// That of the current incarnation, if there is one.
    session: RwLock<Option<Arc<Session>>>,
    /// The version of the view that was taken in last.
    version: AtomicU64,
    /// What is said of newer ones.
    heard: Arc<Heard>,
    /// For how many calls more it is remembered that an answer was long.
    long_answers: AtomicU32,
    /// Shards to which something waits that is to be looked after.
    waiting: Mutex<BTreeSet<Shard>>,
    stirred: Arc<Notify>,
    #[cfg(feature = "testing")]
    simulated: Option<Simulated>,
}

impl Inner {
    fn new(member: Member, shards: NonZeroU32, security: Security, seam: Seam) -> Arc<Self> {
        Arc::new_cyclic(|me| Inner::made(me.clone(), member, shards, security, seam))
    }

    #[cfg(feature = "testing")]
    fn simulated(
        member: Member,
        shards: NonZeroU32,
        security: Security,
        seam: Seam,
        simulated: Simulated,
    ) -> Arc<Self> {
        Arc::new_cyclic(|me| {
            let inner = Inner::made(me.clone(), member, shards, security, seam);
            Inner { simulated: Some(simulated), ..inner }
        })
    }

    /// Whether a test has taken this rule out.
    #[cfg(feature = "testing")]
    fn without(&self, rule: RoutingRule) -> bool {
        self.simulated.as_ref().is_some_and(|simulated| simulated.without == Some(rule))
    }

    fn made(me: Weak<Inner>, member: Member, shards: NonZeroU32, security: Security, seam: Seam) -> Self {
        let shards = 0..shards.get();
        let load = Arc::new(Load::of(me.clone()));
        Inner {
            me,
            member,
            seam,
            security,
            outgoing: shards.clone().map(|_| Mutex::default()).collect(),
            arrivals: shards.map(|_| Mutex::default()).collect(),
            load,
            session: RwLock::new(None),
            version: AtomicU64::new(0),
            heard: Arc::default(),
            long_answers: AtomicU32::new(0),
            waiting: Mutex::default(),
            stirred: Arc::default(),
            #[cfg(feature = "testing")]
            simulated: None,
        }
    }

    fn shards(&self) -> impl Iterator<Item = Shard> + use<> {
        let shards = u32::try_from(self.outgoing.len()).unwrap_or(u32::MAX);
        (0..shards).map(Shard)
    }

    fn outgoing(&self, shard: Shard) -> Option<&Mutex<Outgoing>> {
        self.outgoing.get(usize::try_from(shard.0).ok()?)
    }

    fn arrivals(&self, shard: Shard) -> Option<&Mutex<Arrivals>> {
        self.arrivals.get(usize::try_from(shard.0).ok()?)
    }

    fn session(&self) -> Option<Arc<Session>> {
        self.session.read().clone()
    }

    fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// Has a shard looked after, until nothing waits to be sent to it.
    fn stir(&self, shard: Shard) {
        if self.waiting.lock().insert(shard) {
            self.stirred.notify_one();
        }
    }

    /// Looks after the shards to which something waits. Whether there still are some.
    fn look_after_all(&self) -> bool {
        let waiting = std::mem::take(&mut *self.waiting.lock());
        let still = waiting.into_iter().filter(|shard| self.look_after(*shard)).collect::<Vec<_>>();
        let mut waiting = self.waiting.lock();
        waiting.extend(still);
        !waiting.is_empty()
    }

    /// Another node knows a view of this version.
    fn learn(&self, version: u64) {
        if version <= self.version() {
            return;
        }
        let Some(session) = self.session().filter(|session| session.version() < version) else { return };
        if self.heard.of(version) {
            let (heard, source) = (self.heard.clone(), session.source.clone());
            self.seam.spawn(async move {
                let finds = |version| {
                    let source = source.clone();
                    async move { source.refresh(version).await.version() >= version }
                };
                heard.read(finds).await;
            });
        }
    }
}
