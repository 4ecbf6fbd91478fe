//! The task of a peer: connects when there is something to send, writes it, reads the replies, and connects again.

use std::{
    future::{Future, poll_fn},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use futures_util::future::{Either, select};

use crate::{
    CallError, ConnectError, Event, Limit, Lost, Malformed, Outcome, PeerId, Refusal, Remote, Side, Socket,
    handshake::{self, HandshakeError},
    limits::{EMPTY_REPLIES_MAX, WRITE_BYTES},
    link::{Link, told},
    outbox::{Ended, State, Work},
    peer::PeerInner,
    schedule::{Outgoing, Piece},
    seam,
    wire::{Assembly, Code, Frame, Head, Kind},
};

/// Frames that are looked at before others get their turn.
pub(crate) const FRAMES_PER_TURN: usize = 256;

/// Runs until the peer is closed.
pub(crate) async fn run(peer: Arc<PeerInner>) {
    let _counted = peer.shared.tasks.enter();
    let timing = peer.shared.config.timing;
    let mut failures = 0;
    loop {
        poll_fn(|cx| peer.outbox.poll_wanted(cx)).await;
        match peer.outbox.state() {
            State::Closed => break,
            State::Draining if peer.outbox.is_done() => {
                peer.outbox.close();
                break;
            }
            _ => {}
        }
        match attempt(&peer).await {
            Ok(connection) => {
                let begin = peer.shared.seam.now();
                run_connection(&peer, connection).await;
                let lasted = Duration::from_millis(peer.shared.seam.now().saturating_sub(begin));
                // A connection that ends as soon as it stands must not be made again at full speed.
                failures = if lasted > timing.backoff_max { 0 } else { failures + 1 };
            }
            Err(()) => failures += 1,
        }
        if failures > 0 {
            let wait = backoff(timing.backoff_min, timing.backoff_max, failures, peer.shared.seam.chance());
            let closed = poll_fn(|cx| peer.outbox.poll_closed(cx));
            select(std::pin::pin!(seam::sleep(wait)), closed).await;
        }
    }
    peer.tell_dropped();
}

/// How long to wait after so many failures: doubled each time, between half and all of it.
fn backoff(min: Duration, max: Duration, failures: u32, chance: f64) -> Duration {
    let doubled = min.saturating_mul(2u32.saturating_pow(failures.saturating_sub(1)));
    doubled.min(max).mul_f64(0.5 + chance / 2.0)
}

struct Connection {
    socket: Box<dyn Socket>,
    remote: Arc<Remote>,
    claim: Claim,
}

/// The right to be connected to a node. Two connections to one node would replace each other there.
struct Claim {
    peer: Arc<PeerInner>,
    id: PeerId,
}

impl Claim {
    fn take(peer: &Arc<PeerInner>, id: PeerId) -> Option<Self> {
        let mut dialed = peer.shared.dialed.lock();
        // Of one that was closed, the connection ends without delay.
        let is_free = dialed.get(&id).is_none_or(|other| other.outbox.state() == State::Closed);
        is_free.then(|| {
            dialed.insert(id, Arc::clone(peer));
            Claim { peer: Arc::clone(peer), id }
        })
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut dialed = self.peer.shared.dialed.lock();
        if dialed.get(&self.id).is_some_and(|peer| Arc::ptr_eq(peer, &self.peer)) {
            dialed.remove(&self.id);
        }
    }
}

/// One attempt to connect. Its failure is told to all who wait.
async fn attempt(peer: &Arc<PeerInner>) -> Result<Connection, ()> {
    let shared = &peer.shared;
    let attempt = seam::within(shared.config.timing.handshake, connect(peer));
    let closed = poll_fn(|cx| peer.outbox.poll_closed(cx));
    let result = match select(std::pin::pin!(attempt), closed).await {
        Either::Left((result, _)) => result.unwrap_or(Err(HandshakeError::Here(Refusal::TooSlow))),
        Either::Right(((), _)) => return Err(()),
    };
    let address = Arc::clone(&peer.address);
    let (side, reason) = match result {
        Ok(connection) => {
            peer.outbox.connected(Arc::clone(&connection.remote));
            shared.tell(Event::Connected { peer: Arc::clone(&connection.remote) });
            return Ok(connection);
        }
        Err(HandshakeError::Io(error)) => {
            let error = error.kind();
            tracing::debug!(%address, %error, "cannot connect to the peer");
            peer.outbox.connect_failed(ConnectError::Unreachable { address: address.to_string(), error });
            shared.tell(Event::ConnectFailed { address, error });
            return Err(());
        }
        Err(HandshakeError::Here(reason)) => (Side::Here, reason),
        Err(HandshakeError::There(reason)) => (Side::There, reason),
    };
    if reason.is_retryable() {
        tracing::debug!(%address, %side, %reason, "connection to the peer refused");
    } else {
        tracing::warn!(%address, %side, %reason, "connection to the peer refused");
    }
    peer.outbox.connect_failed(ConnectError::Refused { address: address.to_string(), side, reason });
    peer.tell_dropped();
    shared.tell(Event::ConnectRefused { address, side, reason });
    Err(())
}

async fn connect(peer: &Arc<PeerInner>) -> Result<Connection, HandshakeError> {
    let shared = &peer.shared;
    let Some(nonce) = seam::secret_bytes() else { return Err(std::io::Error::other("no randomness").into()) };
    let socket = shared.config.network.connect(&peer.address).await?;
    let mut socket = shared.config.security.wrap_dialed(socket).await?;
    let mut claim = None;
    let mut claims = |id| {
        claim = Claim::take(peer, id);
        claim.is_some()
    };
    let remote = handshake::dial(&mut socket, &shared.local, peer.expected, nonce, &mut claims).await;
    let remote = remote.map_err(|error| shared.config.security.explain(error))?;
    match claim {
        Some(claim) => Ok(Connection { socket, remote: Arc::new(remote), claim }),
        None => Err(HandshakeError::Here(Refusal::Duplicate)),
    }
}

async fn run_connection(peer: &Arc<PeerInner>, connection: Connection) {
    let Connection { socket, remote, claim } = connection;
    let mut link = Link::new(socket, remote.version, peer.shared.config.timing.keep_alive);
    let driver = Driver {
        link: &mut link,
        peer,
        assembly: Assembly::new(peer.shared.config.limits.message_bytes),
        work: Work::default(),
        ended: Vec::new(),
        said_goodbye: false,
        peer_closes: false,
        is_lively: false,
        has_yielded: false,
    };
    let Ending { why, is_told } = driver.await;
    tracing::debug!(peer = %remote.id, %why, "connection to the peer ended");
    peer.outbox.disconnected(&why);
    peer.shared.tell(Event::Disconnected { peer: remote, why: why.clone() });
    drop(claim);
    if !is_told {
        // The next connection does not wait for the end of this one.
        let counted = peer.shared.tasks.enter();
        peer.shared.seam.spawn(async move {
            link.end(&why).await;
            drop(counted);
        });
    }
}

/// How a connection ended.
pub(crate) struct Ending {
    pub(crate) why: Lost,
    /// Whether the other side has ended it: then nothing is left to say.
    pub(crate) is_told: bool,
}

impl From<Lost> for Ending {
    fn from(why: Lost) -> Self {
        Ending { why, is_told: false }
    }
}

impl From<Malformed> for Ending {
    fn from(malformed: Malformed) -> Self {
        Lost::Malformed(malformed).into()
    }
}

/// A connection at work.
struct Driver<'a> {
    link: &'a mut Link,
    peer: &'a PeerInner,
    assembly: Assembly,
    work: Work,
    /// The calls whose ends were read, until they are told.
    ended: Vec<Ended>,
    said_goodbye: bool,
    peer_closes: bool,
    /// Whether several callers were seen at the last turn.
    is_lively: bool,
    /// Whether others had their turn since there was something to do.
    has_yielded: bool,
}

impl Future for Driver<'_> {
    type Output = Ending;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Ending> {
        match self.turn(cx) {
            Ok(()) => Poll::Pending,
            Err(ending) => Poll::Ready(ending),
        }
    }
}

impl Driver<'_> {
    /// Does what can be done now.
    fn turn(&mut self, cx: &mut Context<'_>) -> Result<(), Ending> {
        self.peer.outbox.register(cx);
        // Where there are several callers, those that are about to run go first, so that one write carries them all.
        if self.is_lively && !std::mem::replace(&mut self.has_yielded, true) {
            cx.waker().wake_by_ref();
            return Ok(());
        }
        self.has_yielded = false;
        self.is_lively = self.peer.outbox.is_shared();
        loop {
            let mut frames = 0;
            while frames < FRAMES_PER_TURN
                && let Some(frame) = self.next_frame()?
            {
                let taken = self.take_frame(frame);
                if taken.is_err() {
                    self.peer.outbox.finish(&mut self.ended);
                }
                taken?;
                frames += 1;
            }
            self.peer.outbox.finish(&mut self.ended);
            self.is_lively |= frames > 1;
            let has_written = self.write(cx)?;
            let has_read = match self.link.poll_read(cx) {
                Poll::Ready(result) => {
                    result?;
                    true
                }
                Poll::Pending => false,
            };
            let has_pinged = self.link.poll_alive(cx, true)?;
            if !(has_written || has_read || has_pinged || frames == FRAMES_PER_TURN) {
                return Ok(());
            }
        }
    }

    /// Writes what there is. Whether more may be written at once.
    fn write(&mut self, cx: &mut Context<'_>) -> Result<bool, Ending> {
        let state = self.peer.outbox.state();
        if state == State::Closed {
            return Err(Lost::Aborted.into());
        }
        let Poll::Ready(written) = self.link.poll_write(cx) else { return Ok(false) };
        written?;
        let mut work = std::mem::take(&mut self.work);
        self.peer.outbox.take(WRITE_BYTES, &mut work);
        let is_over = self.peer_closes || state == State::Draining;
        let is_last = is_over && work.is_empty() && !self.said_goodbye && self.may_say_goodbye(state);
        let has_work = !work.is_empty() || is_last;
        for id in work.cancels.drain(..) {
            self.link.outgoing.push_control(Head::new(Kind::Cancel, id), &[]);
        }
        if !(work.messages.is_empty() && work.pieces.is_empty()) {
            let now = self.peer.shared.seam.now();
            for Outgoing { head, header, body, deadline } in work.messages.drain(..) {
                self.link.outgoing.push(Piece { head, header, body, deadline }, now);
            }
            for piece in work.pieces.drain(..) {
                self.link.outgoing.push(piece, now);
            }
        }
        self.work = work;
        if is_last {
            self.said_goodbye = true;
            self.link.outgoing.push_control(Head::new(Kind::GoAway, 0), &[]);
        }
        if has_work && let Poll::Ready(written) = self.link.poll_write(cx) {
            written?;
            return Ok(true);
        }
        Ok(false)
    }

    /// Nothing will follow: all requests are written, and, if it is this side that closes, answered.
    fn may_say_goodbye(&self, state: State) -> bool {
        self.peer_closes || (state == State::Draining && self.peer.outbox.is_done())
    }

    fn next_frame(&mut self) -> Result<Option<Frame>, Ending> {
        let next = self.link.next_frame();
        if next.is_err() {
            self.peer.outbox.finish(&mut self.ended);
        }
        Ok(next?)
    }

    fn take_frame(&mut self, frame: Frame) -> Result<(), Ending> {
        let Frame { head, .. } = frame;
        match head.kind {
            Kind::Reply => {
                if let Some(reply) = self.assembly.add(frame)? {
                    self.ended.push(Ended::One(reply.id, Ok(reply.body)));
                }
            }
            Kind::Error => {
                self.assembly.drop_message(head.id);
                self.ended.push(Ended::One(head.id, Err(reason(head.code))));
            }
            Kind::Empty => {
                let count = frame.payload.first_chunk().map_or(0, |count| u32::from_le_bytes(*count));
                if count == 0 || count > EMPTY_REPLIES_MAX {
                    return Err(Malformed::EmptyReplies(count).into());
                }
                self.ended.push(Ended::Empty(head.id, count));
            }
            Kind::GoAway => {
                self.peer_closes = true;
                self.peer.outbox.peer_closes();
                self.peer.tell_dropped();
            }
            Kind::Close => return Err(Ending { why: told(&frame), is_told: true }),
            Kind::Request | Kind::Cast | Kind::Cancel => return Err(Malformed::Side(head.kind.number()).into()),
            // The link answers these.
            Kind::Ping | Kind::Pong => {}
        }
        Ok(())
    }
}

/// Why the peer gives no reply.
fn reason(code: Code) -> CallError {
    let overloaded = |limit| CallError::Overloaded { limit, side: Side::There };
    match code {
        Code::REQUESTS_PER_PEER => overloaded(Limit::RequestsPerPeer),
        Code::REQUESTS_PER_NODE => overloaded(Limit::RequestsPerNode),
        Code::HANDLED_BYTES => overloaded(Limit::HandledBytes),
        Code::CLOSING => CallError::PeerClosing,
        Code::EXPIRED => CallError::DeadlineExceeded { outcome: Outcome::NotHandled },
        Code::PANICKED => CallError::Panicked,
        Code::REPLY_TOO_LONG => CallError::ReplyTooLarge,
        Code(other) => CallError::Other(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_up_to_its_bound_and_is_scattered() {
        let (min, max) = (Duration::from_millis(50), Duration::from_secs(5));
        for (failures, chance, expected) in
            [(1, 1.0, 50), (1, 0.0, 25), (2, 1.0, 100), (4, 0.5, 300), (7, 1.0, 3200), (8, 1.0, 5000), (500, 0.0, 2500)]
        {
            assert_eq!(backoff(min, max, failures, chance), Duration::from_millis(expected), "{failures} {chance}");
        }
    }
}
