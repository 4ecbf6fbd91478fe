//! A node's transport: where it listens, whom it knows, how it ends.

use std::{
    collections::{BTreeMap, HashMap},
    net::SocketAddr,
    sync::{Arc, atomic::AtomicUsize},
    time::Duration,
};

use parking_lot::Mutex;
use tokio::sync::watch;

use crate::{
    Config, Handler, Listener, Peer, PeerError, PeerId, StartError, accept, dial,
    handshake::Local,
    limits::ADDRESS_BYTES_MAX,
    outbox::Outbox,
    peer::PeerInner,
    seam::{self, Millis, Seam},
    shared::{Closing, Gauge, Shared, Sweeper},
};

/// A node's transport: what it hears from its peers goes to its [`Handler`], and its [`Peer`]s are what it sends to. Cheap
/// to clone; it ends, without a word to the peers, when the last clone is dropped.
#[derive(Debug, Clone)]
pub struct Transport(Arc<Owner>);

#[derive(Debug)]
struct Owner {
    shared: Arc<Shared>,
    address: Option<SocketAddr>,
}

impl Transport {
    /// One that listens on nothing: it only sends.
    ///
    /// # Errors
    /// Settings that cannot be; no tokio runtime.
    pub fn client(config: Config) -> Result<Self, StartError> {
        Self::start(config, None)
    }

    /// One that listens on `address`, a host and a port; port 0 is any that is free.
    ///
    /// # Errors
    /// Those of [`serve_on`](Self::serve_on), and if the address cannot be listened on.
    ///
    /// # Cancel safety
    /// Dropping the future leaves nothing behind.
    pub async fn serve<H: Handler>(config: Config, address: &str, handler: Arc<H>) -> Result<Self, StartError> {
        config.check()?;
        let failed = |error| StartError::Address { address: address.to_owned(), error };
        let listener = config.network.listen(address).await.map_err(failed)?;
        Self::serve_on(config, Arc::from(listener), handler)
    }

    /// One that accepts from a listener of the program's own, which it lets go of when it closes.
    ///
    /// # Errors
    /// [`StartError::Insecure`] if the listener is not on loopback, and nothing keeps strangers out; settings that cannot
    /// be; no tokio runtime.
    pub fn serve_on<H: Handler>(
        config: Config,
        listener: Arc<dyn Listener>,
        handler: Arc<H>,
    ) -> Result<Self, StartError> {
        let failed = |error| StartError::Address { address: "the given listener".to_owned(), error };
        let address = listener.local_address().map_err(failed)?;
        if config.security.is_none() && !address.ip().to_canonical().is_loopback() {
            return Err(StartError::Insecure { address });
        }
        let transport = Self::start(config, Some(address))?;
        let shared = Arc::clone(&transport.0.shared);
        let counted = shared.tasks.enter();
        transport.0.shared.seam.spawn(accept::run(shared, listener, handler, counted));
        Ok(transport)
    }

    fn start(config: Config, address: Option<SocketAddr>) -> Result<Self, StartError> {
        config.check()?;
        let seam = Seam::current(config.seed).ok_or(StartError::NoRuntime)?;
        #[cfg(feature = "testing")]
        let seam = seam.spawning(config.spawner.clone());
        let said = address.map(|address| address.to_string()).unwrap_or_default();
        let local = Local {
            id: config.id,
            cluster: config.cluster.clone(),
            address: config.address.clone().unwrap_or(said),
            secret: config.security.secret.clone(),
            message_bytes: config.limits.message_bytes,
            requests: config.limits.requests_per_peer,
        };
        let shared = Arc::new(Shared {
            config,
            local,
            seam,
            in_flight: Arc::new(AtomicUsize::new(0)),
            handled: Arc::new(Gauge::default()),
            tasks: Arc::new(Gauge::default()),
            peers: Mutex::new(BTreeMap::new()),
            dialed: Mutex::new(HashMap::new()),
            accepted: Mutex::new(HashMap::new()),
            sweeper: Sweeper::new(),
            closing: watch::Sender::new(Closing::No),
        });
        shared.seam.spawn(sweep(Arc::clone(&shared)));
        Ok(Transport(Arc::new(Owner { shared, address })))
    }

    /// Who this node is.
    pub fn id(&self) -> PeerId {
        self.0.shared.config.id
    }

    /// The address that it listens on.
    pub fn address(&self) -> Option<SocketAddr> {
        self.0.address
    }

    /// Whoever is at `address`, a host and a port. Nothing is sent yet.
    ///
    /// # Errors
    /// If it knows too many others, or is closed.
    pub fn peer(&self, address: &str) -> Result<Peer, PeerError> {
        self.find(None, address)
    }

    /// The node `id`, which is at `address`: another one there is refused as
    /// [`Refusal::WrongNode`](crate::Refusal::WrongNode). Nothing is sent yet.
    ///
    /// # Errors
    /// If it knows too many others, or is closed.
    pub fn node(&self, id: PeerId, address: &str) -> Result<Peer, PeerError> {
        self.find(Some(id), address)
    }

    fn find(&self, expected: Option<PeerId>, address: &str) -> Result<Peer, PeerError> {
        if address.len() > ADDRESS_BYTES_MAX {
            return Err(PeerError::AddressTooLong { bytes: address.len() });
        }
        let shared = &self.0.shared;
        let key = (expected, Arc::from(address));
        let mut peers = shared.peers.lock();
        if *shared.closing.borrow() != Closing::No {
            return Err(PeerError::Closed);
        }
        if let Some(peer) = peers.get(&key) {
            return Ok(Peer(Arc::clone(peer)));
        }
        let limits = shared.config.limits;
        if peers.len() >= limits.peers {
            return Err(PeerError::TooMany { limit: limits.peers });
        }
        let outbox = Outbox::new(limits, Arc::clone(&shared.in_flight), shared.config.asker.clone());
        let address = Arc::clone(&key.1);
        let peer = Arc::new(PeerInner { outbox, shared: Arc::clone(shared), expected, address });
        peers.insert(key, Arc::clone(&peer));
        drop(peers);
        shared.seam.spawn(dial::run(Arc::clone(&peer)));
        Ok(Peer(peer))
    }

    /// Ends it in good order: nothing new is taken, in either direction; what is queued is sent, requests under way are
    /// answered in both directions, and the connections are closed. What is not done within `deadline` is cut off.
    ///
    /// Its peers learn that it closes: their queued calls end with [`CallError::PeerClosing`](crate::CallError::PeerClosing).
    ///
    /// # Cancel safety
    /// Dropping the future leaves it closing, without the deadline.
    pub async fn close(&self, deadline: Duration) {
        let shared = &self.0.shared;
        self.begin_closing(Closing::Gracefully);
        for peer in self.peers() {
            peer.outbox.drain();
        }
        if seam::within(deadline, shared.tasks.below(1)).await.is_none() {
            self.abort();
            shared.tasks.below(1).await;
        }
    }

    /// Ends it at once: connections are cut, calls end with [`CallError::Closed`](crate::CallError::Closed), handlers of calls
    /// are dropped where they wait.
    pub fn abort(&self) {
        self.0.abort();
    }

    fn begin_closing(&self, closing: Closing) {
        self.0.begin_closing(closing);
    }

    fn peers(&self) -> Vec<Arc<PeerInner>> {
        self.0.peers()
    }
}

impl Owner {
    fn abort(&self) {
        self.begin_closing(Closing::Now);
        for peer in self.peers() {
            peer.close();
        }
    }

    fn begin_closing(&self, closing: Closing) {
        // Under this lock, so that no peer is made that is not told.
        let peers = self.shared.peers.lock();
        self.shared.closing.send_if_modified(|now| {
            let is_further = closing > *now;
            *now = closing.max(*now);
            is_further
        });
        drop(peers);
        for accepted in self.shared.accepted.lock().values() {
            accepted.waker.wake();
        }
        self.shared.sweeper.stir(0);
    }

    fn peers(&self) -> Vec<Arc<PeerInner>> {
        self.shared.peers.lock().values().cloned().collect()
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.abort();
    }
}

/// Keeps the deadlines of all peers.
async fn sweep(shared: Arc<Shared>) {
    loop {
        shared.sweeper.look();
        let peers = shared.peers.lock().values().cloned().collect::<Vec<_>>();
        if *shared.closing.borrow() == Closing::Now {
            return;
        }
        let now = shared.seam.now();
        let mut earliest = Millis::MAX;
        for peer in peers {
            earliest = earliest.min(peer.outbox.expire(now));
            peer.tell_dropped();
        }
        shared.sweeper.sleep(earliest, now).await;
    }
}
