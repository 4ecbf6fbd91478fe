//! What is on its way to one peer: the requests that wait to be written, and those that wait for their replies. Outlives
//! connections; knows no socket.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc, Weak,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_util::task::AtomicWaker;
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::oneshot;

use crate::{
    Asker, CallEnd, CallError, ConnectError, Limit, Limits, Lost, Outcome, Refusal, Request, Side,
    handshake::Remote,
    limits::{REQUEST_HEADER_BYTES_MAX, WRITE_ALL_BYTES},
    schedule::{Outgoing, Piece, Schedule},
    seam::{Millis, RandomState},
    shared::Change,
    wire::{Head, Kind},
};

/// How many ends of calls are told together.
const ENDS_TOLD_MAX: usize = 256;

/// How the end of a call gets to it.
#[derive(Debug)]
pub(crate) enum ReplySender {
    /// To a future.
    One(oneshot::Sender<End>),
    /// To the asker of the settings, under this token.
    Asker([u64; 2]),
}

/// How a call ends.
type End = Result<Bytes, CallError>;

/// Where a call waits for its end.
pub(crate) type ReplyReceiver = oneshot::Receiver<End>;

/// All that one peer is sent.
#[derive(Debug)]
pub(crate) struct Outbox {
    inner: Mutex<Inner>,
    /// The task that writes.
    writer: AtomicWaker,
    /// Wakes who waits for room, or for a connection.
    changed: Change,
    limits: Limits,
    /// Calls in flight of the whole node.
    in_flight: Arc<AtomicUsize>,
    asker: Option<Weak<dyn Asker>>,
}

#[derive(Debug)]
struct Inner {
    schedule: Schedule,
    calls: HashMap<u64, Waiter, RandomState>,
    /// Of calls that are over and whose peer has to be told.
    cancels: Vec<u64>,
    next_id: u64,
    /// All calls with lower ids have begun.
    begun_below: u64,
    /// Messages in the schedule whose call is over.
    dead: usize,
    /// Messages in the schedule.
    queued: usize,
    state: State,
    /// Whether the writer has found nothing to do and waits to be woken.
    is_idle: bool,
    /// The longest message that the peer takes, in bytes, as far as it is known.
    message_bytes: usize,
    /// The most requests that the peer takes at a time, as far as it is known.
    requests: usize,
    dropped_casts: usize,
    connection: Connection,
    /// No call and no queued cast is late before.
    earliest: Millis,
}

#[derive(Debug)]
struct Waiter {
    reply: ReplySender,
    deadline: Millis,
    has_begun: bool,
}

/// What may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// Everything.
    Open,
    /// Nothing on this connection; calls fail until the next one.
    PeerClosing,
    /// Nothing new; what is there goes out.
    Draining,
    /// Nothing.
    Closed,
}

/// How the latest attempt to connect went.
#[derive(Debug, Clone)]
enum Connection {
    /// There was none since somebody asked.
    Unknown,
    Wanted,
    Stands(Arc<Remote>),
    Failed(ConnectError),
}

/// How calls have ended.
#[derive(Debug)]
pub(crate) enum Ended {
    /// The one with this id.
    One(u64, End),
    /// So many with ids from this one on: with empty replies.
    Empty(u64, u32),
}

/// Calls that are over, until that is told.
#[derive(Default)]
struct Over {
    asked: Vec<CallEnd>,
    awaited: Vec<(oneshot::Sender<End>, End)>,
}

impl Over {
    fn add(&mut self, waiter: Waiter, result: End) {
        match waiter.reply {
            ReplySender::One(reply) => self.awaited.push((reply, result)),
            ReplySender::Asker(token) => self.asked.push(CallEnd { token, result }),
        }
    }

    fn len(&self) -> usize {
        self.asked.len() + self.awaited.len()
    }
}

/// What the writer is to write.
#[derive(Debug, Default)]
pub(crate) struct Work {
    pub(crate) cancels: Vec<u64>,
    /// Whole messages, to be written before the pieces.
    pub(crate) messages: VecDeque<Outgoing>,
    pub(crate) pieces: Vec<Piece>,
}

impl Work {
    pub(crate) fn is_empty(&self) -> bool {
        self.cancels.is_empty() && self.messages.is_empty() && self.pieces.is_empty()
    }
}

impl Outbox {
    pub(crate) fn new(limits: Limits, in_flight: Arc<AtomicUsize>, asker: Option<Weak<dyn Asker>>) -> Self {
        let inner = Inner {
            schedule: Schedule::default(),
            calls: HashMap::default(),
            cancels: Vec::new(),
            next_id: 1,
            begun_below: 0,
            dead: 0,
            queued: 0,
            state: State::Open,
            is_idle: false,
            message_bytes: limits.message_bytes,
            requests: limits.requests_per_peer,
            dropped_casts: 0,
            connection: Connection::Unknown,
            earliest: Millis::MAX,
        };
        let (writer, changed) = (AtomicWaker::new(), Change::default());
        Outbox { inner: Mutex::new(inner), writer, changed, limits, in_flight, asker }
    }

    /// Takes a call. Its id, and where its end will be.
    pub(crate) fn call(&self, request: Request, deadline: Millis) -> Result<(u64, ReplyReceiver), CallError> {
        let (reply, receiver) = oneshot::channel();
        Ok((self.ask(request, deadline, ReplySender::One(reply))?, receiver))
    }

    /// Takes a call. Its id; its end goes to `reply`.
    pub(crate) fn ask(&self, request: Request, deadline: Millis, reply: ReplySender) -> Result<u64, CallError> {
        let mut inner = self.inner.lock();
        inner.admit(&request, &self.limits)?;
        if inner.calls.len() >= inner.requests {
            return Err(CallError::Overloaded { limit: Limit::RequestsPerPeer, side: Side::Here });
        }
        if self.in_flight.fetch_add(1, Ordering::Relaxed) >= self.limits.requests_per_node {
            self.in_flight.fetch_sub(1, Ordering::Relaxed);
            return Err(CallError::Overloaded { limit: Limit::RequestsPerNode, side: Side::Here });
        }
        let id = inner.push(Kind::Request, request, deadline);
        inner.calls.insert(id, Waiter { reply, deadline, has_begun: false });
        self.wake(inner);
        Ok(id)
    }

    /// Takes a cast.
    pub(crate) fn cast(&self, request: Request, deadline: Millis) -> Result<(), CallError> {
        let mut inner = self.inner.lock();
        inner.admit(&request, &self.limits)?;
        inner.push(Kind::Cast, request, deadline);
        self.wake(inner);
        Ok(())
    }

    /// Nobody waits for this call any more.
    pub(crate) fn cancel(&self, id: u64) {
        let mut inner = self.inner.lock();
        let Some(waiter) = inner.calls.remove(&id) else { return };
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
        let mut wakes = true;
        if inner.has_begun(id, &waiter) {
            inner.tell_cancelled(id);
        } else {
            inner.bury();
            // It may have been what the end waited for.
            wakes = inner.state == State::Draining;
        }
        self.tell_of_room(&inner);
        if wakes {
            self.wake(inner);
        }
    }

    /// The replies to calls have come, or the reasons why there are none.
    pub(crate) fn finish(&self, ended: &mut Vec<Ended>) {
        if ended.is_empty() {
            return;
        }
        let room = ended.len().min(ENDS_TOLD_MAX);
        let mut over = Over { asked: Vec::with_capacity(room), awaited: Vec::new() };
        let mut inner = self.inner.lock();
        for ended in ended.drain(..) {
            let (first, count, result) = match ended {
                Ended::One(id, result) => (id, 1, Some(result)),
                Ended::Empty(first, count) => (first, count, None),
            };
            let mut result = result;
            for number in 0..u64::from(count) {
                let Some(waiter) = inner.calls.remove(&first.wrapping_add(number)) else { continue };
                over.add(waiter, result.take().unwrap_or_else(|| Ok(Bytes::new())));
                // A few at a time: neither callers nor the allocator like it better together.
                if over.len() >= ENDS_TOLD_MAX {
                    self.tell_of_room(&inner);
                    drop(inner);
                    self.tell(std::mem::take(&mut over));
                    inner = self.inner.lock();
                }
            }
        }
        self.tell_of_room(&inner);
        drop(inner);
        self.tell(over);
    }

    /// Ends what is late. The earliest deadline that there may be now; `Millis::MAX` if there is none.
    pub(crate) fn expire(&self, now: Millis) -> Millis {
        let mut inner = self.inner.lock();
        if now < inner.earliest {
            return inner.earliest;
        }
        let late = inner.calls.iter().filter(|(_, waiter)| waiter.deadline <= now);
        let ids = late.map(|(id, _)| *id).collect::<Vec<_>>();
        let mut over = Vec::with_capacity(ids.len());
        for id in ids {
            let Some(waiter) = inner.calls.remove(&id) else { continue };
            let outcome = if inner.has_begun(id, &waiter) {
                inner.tell_cancelled(id);
                Outcome::Unknown
            } else {
                Outcome::NotHandled
            };
            over.push((waiter, CallError::DeadlineExceeded { outcome }));
        }
        inner.sweep(Some(now));
        let calls = inner.calls.values().map(|waiter| waiter.deadline).min();
        inner.earliest = calls.into_iter().chain(inner.schedule.earliest()).min().unwrap_or(Millis::MAX);
        let earliest = inner.earliest;
        if !over.is_empty() {
            self.tell_of_room(&inner);
            self.wake(inner);
        } else {
            drop(inner);
        }
        self.fail(over);
        earliest
    }

    /// Wakes the task that polls when there is something to do for it. To be called before it looks.
    pub(crate) fn register(&self, cx: &Context<'_>) {
        self.writer.register(cx.waker());
    }

    /// Frames to write, up to about `bytes`. If there are none, the registered task is woken when there are.
    pub(crate) fn take(&self, bytes: usize, work: &mut Work) {
        let mut inner = self.inner.lock();
        inner.take(bytes, work);
        if work.is_empty() {
            inner.is_idle = true;
        } else {
            self.tell_of_room(&inner);
        }
    }

    /// Waits until there is something to send, or somebody wants a connection, or nothing ever will be sent.
    pub(crate) fn poll_wanted(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.register(cx);
        let mut inner = self.inner.lock();
        let is_wanted = matches!(inner.connection, Connection::Wanted);
        if is_wanted || !inner.schedule.is_empty() || matches!(inner.state, State::Closed | State::Draining) {
            return Poll::Ready(());
        }
        inner.is_idle = true;
        Poll::Pending
    }

    /// Waits until nothing is sent any more.
    pub(crate) fn poll_closed(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.register(cx);
        if self.state() == State::Closed { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Waits until there is a connection, or an attempt has failed that was made since this was asked.
    pub(crate) async fn connection(&self) -> Result<Arc<Remote>, ConnectError> {
        let mut has_asked = false;
        let look = || {
            let mut inner = self.inner.lock();
            if matches!(inner.state, State::Draining | State::Closed) {
                return Some(Err(ConnectError::Closed));
            }
            match &inner.connection {
                Connection::Stands(remote) => return Some(Ok(Arc::clone(remote))),
                Connection::Failed(error) if has_asked => return Some(Err(error.clone())),
                Connection::Failed(_) | Connection::Unknown => inner.connection = Connection::Wanted,
                Connection::Wanted => {}
            }
            has_asked = true;
            self.wake(inner);
            None
        };
        self.changed.until(look).await
    }

    /// Waits until a message of so many bytes may be queued, and one more call made; or until none is taken any more.
    pub(crate) async fn room(&self, bytes: usize) {
        let look = || {
            let inner = self.inner.lock();
            (inner.state != State::Open || inner.has_room(bytes, &self.limits)).then_some(())
        };
        self.changed.until(look).await;
    }

    /// A connection stands.
    pub(crate) fn connected(&self, remote: Arc<Remote>) {
        let mut inner = self.inner.lock();
        inner.message_bytes = remote.message_bytes.min(self.limits.message_bytes);
        // One at a time is the least that a connection is for.
        inner.requests = remote.requests.clamp(1, self.limits.requests_per_peer);
        if inner.state == State::PeerClosing {
            inner.state = State::Open;
        }
        inner.connection = Connection::Stands(remote);
        self.changed.tell();
        let late = inner.too_large();
        drop(inner);
        self.fail(late);
    }

    /// An attempt to connect has failed. If it was refused for good, so is what waits.
    pub(crate) fn connect_failed(&self, error: ConnectError) {
        let mut inner = self.inner.lock();
        let over = match &error {
            // The next attempt may be quicker, or find a place.
            ConnectError::Refused { reason: Refusal::TooSlow | Refusal::Busy, .. } => Vec::new(),
            ConnectError::Refused { side, reason, .. } => {
                inner.fail_unbegun(&CallError::Refused { side: *side, reason: *reason })
            }
            _ => Vec::new(),
        };
        inner.connection = Connection::Failed(error);
        self.changed.tell();
        drop(inner);
        self.fail(over);
    }

    /// The connection is gone. What had begun is lost, the rest waits for the next connection.
    pub(crate) fn disconnected(&self, why: &Lost) {
        let mut inner = self.inner.lock();
        if inner.state == State::PeerClosing {
            inner.state = State::Open;
        }
        inner.connection = Connection::Unknown;
        inner.cancels.clear();
        inner.schedule.reset();
        let has_begun = |(id, waiter): &(&u64, &Waiter)| inner.has_begun(**id, waiter);
        let ids = inner.calls.iter().filter(has_begun).map(|(id, _)| *id).collect::<Vec<_>>();
        let lost = ids.into_iter().filter_map(|id| inner.calls.remove(&id));
        let over = lost.map(|waiter| (waiter, CallError::ConnectionLost(why.clone()))).collect();
        self.changed.tell();
        drop(inner);
        self.fail(over);
    }

    /// The peer takes nothing new: what has not begun comes back.
    pub(crate) fn peer_closes(&self) {
        let mut inner = self.inner.lock();
        if inner.state == State::Open {
            inner.state = State::PeerClosing;
        }
        let over = inner.fail_unbegun(&CallError::PeerClosing);
        self.changed.tell();
        drop(inner);
        self.fail(over);
    }

    /// Takes nothing new from here on.
    pub(crate) fn drain(&self) {
        let mut inner = self.inner.lock();
        if inner.state != State::Closed {
            inner.state = State::Draining;
        }
        self.changed.tell();
        self.wake_always(&mut inner);
    }

    /// Takes nothing from here on, and ends what is there.
    pub(crate) fn close(&self) {
        let mut inner = self.inner.lock();
        inner.state = State::Closed;
        let calls = std::mem::take(&mut inner.calls).into_iter();
        let over = calls.map(|(id, waiter)| {
            let outcome = if inner.has_begun(id, &waiter) { Outcome::Unknown } else { Outcome::NotHandled };
            (waiter, CallError::Closed { outcome })
        });
        let over = over.collect();
        inner.schedule.reset();
        inner.sweep(None);
        self.changed.tell();
        self.wake_always(&mut inner);
        drop(inner);
        self.fail(over);
    }

    /// Whether several calls wait for their replies.
    pub(crate) fn is_shared(&self) -> bool {
        self.inner.lock().calls.len() > 1
    }

    pub(crate) fn state(&self) -> State {
        self.inner.lock().state
    }

    /// Whether nothing waits to be written, and no call for its reply.
    pub(crate) fn is_done(&self) -> bool {
        let inner = self.inner.lock();
        inner.calls.is_empty() && inner.schedule.is_empty()
    }

    /// Calls without a reply, and bytes that wait to be written.
    pub(crate) fn load(&self) -> (usize, usize) {
        let inner = self.inner.lock();
        (inner.calls.len(), inner.schedule.bytes())
    }

    /// How many casts were dropped since this was asked.
    pub(crate) fn dropped_casts(&self) -> usize {
        std::mem::take(&mut self.inner.lock().dropped_casts)
    }

    fn fail(&self, failed: Vec<(Waiter, CallError)>) {
        let mut over = Over::default();
        failed.into_iter().for_each(|(waiter, error)| over.add(waiter, Err(error)));
        self.tell(over);
    }

    /// Tells how calls have ended.
    fn tell(&self, over: Over) {
        let count = over.len();
        let Over { asked, awaited } = over;
        if count > 0 {
            self.in_flight.fetch_sub(count, Ordering::Relaxed);
        }
        for (reply, result) in awaited {
            // Its caller may have gone in this moment.
            let _ = reply.send(result);
        }
        if !asked.is_empty()
            && let Some(asker) = self.asker.as_ref().and_then(Weak::upgrade)
        {
            asker.ended(asked);
        }
    }

    fn tell_of_room(&self, inner: &Inner) {
        if inner.has_room(0, &self.limits) {
            self.changed.tell();
        }
    }

    /// Wakes a writer that has found nothing to do, behind the lock.
    fn wake(&self, mut inner: MutexGuard<'_, Inner>) {
        let is_idle = std::mem::take(&mut inner.is_idle);
        drop(inner);
        if is_idle {
            self.writer.wake();
        }
    }

    /// Also a writer that cannot write: it may have to end.
    fn wake_always(&self, inner: &mut Inner) {
        inner.is_idle = false;
        self.writer.wake();
    }
}

impl Inner {
    /// Whether the peer has a call, or a part of it.
    fn has_begun(&self, id: u64, waiter: &Waiter) -> bool {
        waiter.has_begun || id < self.begun_below
    }

    fn admit(&self, request: &Request, limits: &Limits) -> Result<(), CallError> {
        match self.state {
            State::Open => {}
            State::PeerClosing => return Err(CallError::PeerClosing),
            State::Draining | State::Closed => return Err(CallError::Closed { outcome: Outcome::NotHandled }),
        }
        let (header, body) = (request.header.len(), request.body.len());
        if header > REQUEST_HEADER_BYTES_MAX {
            return Err(CallError::HeaderTooLarge { bytes: header, limit: REQUEST_HEADER_BYTES_MAX });
        }
        let bytes = header.saturating_add(body);
        if bytes > self.message_bytes {
            return Err(CallError::TooLarge { bytes, limit: self.message_bytes });
        }
        if !self.fits(bytes, limits) {
            return Err(CallError::Overloaded { limit: Limit::QueuedBytes, side: Side::Here });
        }
        Ok(())
    }

    /// Whether a message of so many bytes may be queued. One always may, however long it is.
    fn fits(&self, bytes: usize, limits: &Limits) -> bool {
        let cost = bytes.saturating_add(crate::schedule::MESSAGE_OVERHEAD_BYTES);
        self.schedule.is_empty() || self.schedule.bytes().saturating_add(cost) <= limits.queued_bytes_per_peer
    }

    fn has_room(&self, bytes: usize, limits: &Limits) -> bool {
        self.calls.len() < self.requests && self.fits(bytes, limits)
    }

    fn push(&mut self, kind: Kind, request: Request, deadline: Millis) -> u64 {
        let id = self.next_id;
        self.next_id = self.next_id.wrapping_add(1);
        let mut head = Head::new(kind, id);
        head.stream = request.stream;
        // Its length was checked.
        head.request_header = u16::try_from(request.header.len()).unwrap_or(u16::MAX);
        let Request { header, body, .. } = request;
        self.schedule.push(Outgoing { head, header, body, deadline: Some(deadline) });
        self.queued += 1;
        self.earliest = self.earliest.min(deadline);
        id
    }

    fn take(&mut self, bytes: usize, work: &mut Work) {
        work.cancels.append(&mut self.cancels);
        if self.dead == 0 && self.schedule.take_all(WRITE_ALL_BYTES, &mut work.messages) {
            // Every message of the outbox is in there, or was before.
            self.begun_below = self.next_id;
            self.queued = 0;
            return;
        }
        let Inner { schedule, calls, dead, queued, .. } = self;
        let mut begin = |message: &Outgoing| {
            *queued = queued.saturating_sub(1);
            if message.head.kind == Kind::Cast {
                return true;
            }
            match calls.get_mut(&message.head.id) {
                Some(waiter) => {
                    waiter.has_begun = true;
                    true
                }
                None => {
                    *dead = dead.saturating_sub(1);
                    false
                }
            }
        };
        schedule.take(bytes, &mut begin, &mut work.pieces);
    }

    /// The peer has the request, or a part of it.
    fn tell_cancelled(&mut self, id: u64) {
        self.schedule.cut(id);
        self.cancels.push(id);
    }

    /// A message of the schedule is of no call any more. Once half of them are, they are dropped.
    fn bury(&mut self) {
        self.dead += 1;
        if self.dead * 2 > self.queued {
            self.sweep(None);
        }
    }

    /// Drops messages of calls that are over, and casts that are late at `now`; or all casts, if nothing is sent any more.
    fn sweep(&mut self, now: Option<Millis>) {
        let is_closed = self.state == State::Closed;
        let Inner { schedule, calls, queued, dropped_casts, .. } = self;
        schedule.retain(|message| {
            let is_kept = if message.head.kind == Kind::Cast {
                let is_late = now.is_some_and(|now| message.deadline.is_some_and(|deadline| deadline <= now));
                let is_kept = !(is_late || is_closed);
                *dropped_casts += usize::from(!is_kept);
                is_kept
            } else {
                calls.contains_key(&message.head.id)
            };
            if !is_kept {
                *queued = queued.saturating_sub(1);
            }
            is_kept
        });
        self.dead = 0;
    }

    /// Takes out all calls that have not begun, and drops all casts.
    fn fail_unbegun(&mut self, error: &CallError) -> Vec<(Waiter, CallError)> {
        let waits = |(id, waiter): &(&u64, &Waiter)| !self.has_begun(**id, waiter);
        let ids = self.calls.iter().filter(waits).map(|(id, _)| *id).collect::<Vec<_>>();
        let unbegun = ids.into_iter().filter_map(|id| self.calls.remove(&id));
        let over = unbegun.map(|waiter| (waiter, error.clone())).collect();
        let Inner { schedule, queued, dropped_casts, .. } = self;
        schedule.retain(|message| {
            *dropped_casts += usize::from(message.head.kind == Kind::Cast);
            *queued = queued.saturating_sub(1);
            false
        });
        self.dead = 0;
        over
    }

    /// Takes out the calls that are longer than what the peer, as is known now, takes.
    fn too_large(&mut self) -> Vec<(Waiter, CallError)> {
        let limit = self.message_bytes;
        let Inner { schedule, calls, queued, dropped_casts, .. } = self;
        let mut over = Vec::new();
        schedule.retain(|message| {
            let bytes = message.header.len().saturating_add(message.body.len());
            if bytes <= limit {
                return true;
            }
            *queued = queued.saturating_sub(1);
            match calls.remove(&message.head.id) {
                Some(waiter) => over.push((waiter, CallError::TooLarge { bytes, limit })),
                None => *dropped_casts += usize::from(message.head.kind == Kind::Cast),
            }
            false
        });
        over
    }
}
