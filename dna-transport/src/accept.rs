//! Connections come in: a bounded number of strangers at a time is heard, and let in or sent away.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    io::AsyncWriteExt,
    sync::{OwnedSemaphorePermit, Semaphore, watch},
};

use crate::{
    Event, Handler, Listener, Refusal, Remote, Side, Socket,
    dial::Ending,
    handshake::{self, HandshakeError},
    limits::LINGER,
    link::Link,
    seam,
    serve::Served,
    shared::{Accepted, Closing, GaugeGuard, Shared},
};

/// How long to wait after the system has failed to accept: it may be out of files.
const PAUSE: Duration = Duration::from_millis(100);

/// Accepts until the transport closes.
pub(crate) async fn run<H: Handler>(
    shared: Arc<Shared>,
    listener: Arc<dyn Listener>,
    handler: Arc<H>,
    counted: GaugeGuard,
) {
    let half_open = Arc::new(Semaphore::new(shared.config.limits.half_open));
    let mut closing = shared.closing.subscribe();
    loop {
        let accepted = tokio::select! {
            biased;
            () = until(&mut closing, Closing::Gracefully) => break,
            accepted = listener.accept() => accepted,
        };
        let (socket, from) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                seam::sleep(PAUSE).await;
                continue;
            }
        };
        match Arc::clone(&half_open).try_acquire_owned() {
            Ok(permit) => {
                let task = greet(Arc::clone(&shared), socket, from, Arc::clone(&handler), permit, shared.tasks.enter());
                shared.seam.spawn(task);
            }
            Err(_) => {
                let mut socket = socket;
                handshake::refuse_unheard(&mut socket, Refusal::Busy);
                tell_refused(&shared, from, Side::Here, Some(Refusal::Busy));
            }
        }
    }
    drop((listener, counted));
}

/// Waits until the transport closes as `how`, or harder.
async fn until(closing: &mut watch::Receiver<Closing>, how: Closing) {
    // Without a sender it is closed.
    closing.wait_for(|closing| *closing >= how).await.ok();
}

/// Hears a stranger, and serves it if it is a peer.
async fn greet<H: Handler>(
    shared: Arc<Shared>,
    socket: Box<dyn Socket>,
    from: SocketAddr,
    handler: Arc<H>,
    permit: OwnedSemaphorePermit,
    _counted: GaugeGuard,
) {
    let mut closing = shared.closing.subscribe();
    let welcomed = tokio::select! {
        biased;
        () = until(&mut closing, Closing::Now) => return,
        welcomed = welcome(&shared, socket) => welcomed,
    };
    drop(permit);
    let (side, reason) = match welcomed {
        Ok((socket, remote, accepted)) => {
            serve(&shared, socket, from, Arc::new(remote), accepted, handler).await;
            return;
        }
        Err(HandshakeError::Here(reason)) => (Side::Here, Some(reason)),
        Err(HandshakeError::There(reason)) => (Side::There, Some(reason)),
        Err(HandshakeError::Io(_)) => (Side::There, None),
    };
    tell_refused(&shared, from, side, reason);
}

fn tell_refused(shared: &Shared, from: SocketAddr, side: Side, reason: Option<Refusal>) {
    match &reason {
        Some(reason) => tracing::info!(%from, %side, %reason, "incoming connection refused"),
        None => tracing::debug!(%from, "incoming connection ended before it stood"),
    }
    shared.tell(Event::AcceptRefused { from, side, reason });
}

/// The handshake, and the end of the connection that the peer had before.
async fn welcome(
    shared: &Arc<Shared>,
    socket: Box<dyn Socket>,
) -> Result<(Box<dyn Socket>, Remote, Place), HandshakeError> {
    let begin = shared.seam.now();
    let limit = shared.config.timing.handshake;
    let too_slow = || HandshakeError::Here(Refusal::TooSlow);
    let security = &shared.config.security;
    let mut socket = seam::within(limit, security.wrap_accepted(socket)).await.ok_or_else(too_slow)??;

    let taken = Duration::from_millis(shared.seam.now().saturating_sub(begin));
    let error = match seam::within(limit.saturating_sub(taken), hear(shared, &mut socket)).await {
        Some(Ok((remote, place))) => return Ok((socket, remote, place)),
        Some(Err(error)) => error,
        None => {
            handshake::refuse_unheard(&mut socket, Refusal::TooSlow);
            too_slow()
        }
    };
    // Lets the reason out before the socket is gone.
    seam::within(LINGER, socket.shutdown()).await;
    Err(error)
}

async fn hear(shared: &Arc<Shared>, socket: &mut Box<dyn Socket>) -> Result<(Remote, Place), HandshakeError> {
    let Some(nonce) = seam::secret_bytes() else { return Err(std::io::Error::other("no randomness").into()) };
    let greeting = handshake::accept(socket, &shared.local, nonce).await?;
    let place = if *shared.closing.borrow() == Closing::No {
        Place::take(shared, greeting.remote.id).await.ok_or(Refusal::Busy)
    } else {
        Err(Refusal::Closing)
    };
    match place {
        Ok(place) => Ok((greeting.welcome(socket).await?, place)),
        Err(refusal) => Err(greeting.refuse(socket, refusal).await),
    }
}

/// The one place that a peer's connection has among the accepted ones.
struct Place {
    shared: Arc<Shared>,
    peer: crate::PeerId,
    accepted: Arc<Accepted>,
}

impl Place {
    /// Takes it from the connection that has it, once that delivers nothing any more. `None` if there are too many others.
    async fn take(shared: &Arc<Shared>, peer: crate::PeerId) -> Option<Self> {
        loop {
            let old = {
                let mut all = shared.accepted.lock();
                match all.get(&peer) {
                    Some(old) => Arc::clone(old),
                    None if all.len() >= shared.config.limits.connections => return None,
                    None => {
                        let accepted = Arc::new(Accepted::new());
                        all.insert(peer, Arc::clone(&accepted));
                        return Some(Place { shared: Arc::clone(shared), peer, accepted });
                    }
                }
            };
            old.replace().await;
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.shared.accepted.lock().remove(&self.peer);
        self.accepted.ended();
    }
}

async fn serve<H: Handler>(
    shared: &Arc<Shared>,
    socket: Box<dyn Socket>,
    from: SocketAddr,
    remote: Arc<Remote>,
    place: Place,
    handler: Arc<H>,
) {
    shared.tell(Event::Accepted { peer: Arc::clone(&remote), from });
    let mut link = Link::new(socket, remote.version, shared.config.timing.keep_alive);
    let Ending { why, is_told } = Served::new(&mut link, shared, &place.accepted, &remote, &handler).await;
    drop(place);
    tracing::debug!(peer = %remote.id, %why, "connection of the peer ended");
    shared.tell(Event::Left { peer: remote, why: why.clone() });
    if !is_told {
        link.end(&why).await;
    }
}
