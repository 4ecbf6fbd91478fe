//! An accepted connection at work: reads requests, calls the handler, writes the replies.

use std::{
    collections::{HashMap, VecDeque},
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{FutureExt, future::BoxFuture, task::AtomicWaker};
use parking_lot::Mutex;

use crate::{
    Answer, Handler, Incoming, Lost, Malformed, Remote,
    dial::{Ending, FRAMES_PER_TURN},
    limits::{EMPTY_REPLIES_MAX, WRITE_BYTES},
    link::{Link, told},
    schedule::{Outgoing, Piece, Schedule},
    seam::{AbortHandle, RandomState},
    shared::{Accepted, Closing, GaugeGuard, Shared},
    wire::{Assembly, Code, Frame, Head, Kind, Message, NO_DEADLINE},
};

/// An accepted connection at work.
pub(crate) struct Served<'a, H> {
    link: &'a mut Link,
    shared: &'a Arc<Shared>,
    accepted: &'a Arc<Accepted>,
    remote: &'a Arc<Remote>,
    handler: &'a Arc<H>,
    /// The longest reply that the peer takes, in bytes.
    reply_bytes: usize,
    assembly: Assembly,
    replies: Schedule,
    running: HashMap<u64, Running, RandomState>,
    /// Bytes of the messages whose handlers run.
    handled_bytes: usize,
    finished: Arc<Finished>,
    /// Empty replies that are not queued yet: the first id, and how many in a row.
    empty: Option<(u64, u32)>,
    /// A cast for which there was no room. Nothing is read until there is.
    held: Option<Message>,
    pieces: Vec<Piece>,
    has_said_closing: bool,
    /// Whether the peer sends nothing new.
    is_peer_done: bool,
}

/// A handler that has not ended.
struct Running {
    at: Place,
    bytes: usize,
    kind: Kind,
}

/// Where a handler runs.
enum Place {
    /// In a task.
    Task(AbortHandle),
    /// On the connection's task.
    Here { future: BoxFuture<'static, Bytes>, waker: Arc<HereWaker>, _counted: GaugeGuard },
}

/// What has happened to handlers since it was last looked at.
#[derive(Debug, Default)]
struct Finished {
    list: Mutex<VecDeque<(u64, News)>>,
    waker: AtomicWaker,
}

/// What has happened to a handler.
#[derive(Debug)]
enum News {
    /// It has ended; with nothing: it panicked.
    Ended(Option<Bytes>),
    /// It runs on the connection's task, and was woken.
    Woken,
}

/// Wakes a handler that runs on the connection's task.
struct HereWaker {
    id: u64,
    /// Whether it stands in the list already.
    is_listed: AtomicBool,
    finished: Arc<Finished>,
}

impl Wake for HereWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.is_listed.swap(true, Ordering::AcqRel) {
            self.finished.list.lock().push_back((self.id, News::Woken));
            self.finished.waker.wake();
        }
    }
}

impl<'a, H: Handler> Served<'a, H> {
    pub(crate) fn new(
        link: &'a mut Link,
        shared: &'a Arc<Shared>,
        accepted: &'a Arc<Accepted>,
        remote: &'a Arc<Remote>,
        handler: &'a Arc<H>,
    ) -> Self {
        let message_bytes = shared.config.limits.message_bytes;
        Served {
            link,
            shared,
            accepted,
            remote,
            handler,
            reply_bytes: remote.message_bytes.min(message_bytes),
            assembly: Assembly::new(message_bytes),
            replies: Schedule::default(),
            running: HashMap::default(),
            handled_bytes: 0,
            finished: Arc::default(),
            empty: None,
            held: None,
            pieces: Vec::new(),
            has_said_closing: false,
            is_peer_done: false,
        }
    }

    /// Does what can be done now.
    fn turn(&mut self, cx: &mut Context<'_>) -> Result<(), Ending> {
        self.accepted.waker.register(cx.waker());
        self.finished.waker.register(cx.waker());
        if self.accepted.is_replaced() {
            return Err(Lost::Replaced.into());
        }
        let closing = *self.shared.closing.borrow();
        match closing {
            Closing::No => {}
            Closing::Gracefully => self.say_closing(),
            Closing::Now => return Err(Lost::Aborted.into()),
        }
        loop {
            self.take_finished();
            let mut frames = 0;
            while frames < FRAMES_PER_TURN
                && self.may_read(cx)
                && let Some(frame) = self.link.next_frame()?
            {
                self.take_frame(cx, frame)?;
                frames += 1;
            }
            let has_written = self.write(cx)?;
            let is_reading = self.may_read(cx);
            let has_read = match is_reading.then(|| self.link.poll_read(cx)) {
                Some(Poll::Ready(result)) => {
                    result?;
                    true
                }
                Some(Poll::Pending) | None => false,
            };
            let has_pinged = self.link.poll_alive(cx, is_reading)?;
            if self.is_peer_done && self.is_answered() {
                return Err(Lost::Done.into());
            }
            if !(has_written || has_read || has_pinged || frames == FRAMES_PER_TURN) {
                return Ok(());
            }
        }
    }

    fn say_closing(&mut self) {
        if !self.has_said_closing {
            self.has_said_closing = true;
            self.link.outgoing.push_control(Head::new(Kind::GoAway, 0), &[]);
        }
    }

    /// Whether a further message may be read: the peer takes its replies, and there is room for the cast that came last.
    fn may_read(&mut self, cx: &mut Context<'_>) -> bool {
        if let Some(message) = self.held.take() {
            if let Err(code) = self.has_room(message.bytes()) {
                self.held = Some(message);
                if code == Code::REQUESTS_PER_NODE {
                    self.await_node();
                }
                return false;
            }
            self.start(cx, message);
        }
        self.replies.bytes() < self.shared.config.limits.queued_bytes_per_peer
    }

    /// Has this task woken when the node handles fewer messages. Those of this peer wake it themselves when they end.
    fn await_node(&self) {
        if self.accepted.begin_waiting() {
            let (shared, accepted) = (Arc::clone(self.shared), Arc::clone(self.accepted));
            self.shared.seam.spawn(async move {
                shared.handled.below(shared.config.limits.requests_per_node).await;
                accepted.end_waiting();
            });
        }
    }

    fn is_answered(&self) -> bool {
        let is_written = self.empty.is_none() && self.replies.is_empty() && self.link.outgoing.is_empty();
        is_written && self.running.is_empty() && self.held.is_none()
    }

    /// Writes what there is. Whether more may be written at once.
    fn write(&mut self, cx: &mut Context<'_>) -> Result<bool, Ending> {
        let Poll::Ready(written) = self.link.poll_write(cx) else { return Ok(false) };
        written?;
        self.queue_empty();
        if self.replies.is_empty() {
            return Ok(false);
        }
        self.replies.take(WRITE_BYTES, &mut |_| true, &mut self.pieces);
        for piece in self.pieces.drain(..) {
            self.link.outgoing.push(piece, 0);
        }
        let Poll::Ready(written) = self.link.poll_write(cx) else { return Ok(false) };
        written?;
        Ok(true)
    }

    fn take_frame(&mut self, cx: &mut Context<'_>, frame: Frame) -> Result<(), Ending> {
        let Frame { head, .. } = frame;
        match head.kind {
            Kind::Request | Kind::Cast => {
                if let Some(message) = self.assembly.add(frame)? {
                    self.take_message(cx, message)?;
                }
            }
            Kind::Cancel => self.cancel(head.id),
            Kind::GoAway => self.is_peer_done = true,
            Kind::Close => return Err(Ending { why: told(&frame), is_told: true }),
            Kind::Reply | Kind::Error | Kind::Empty => return Err(Malformed::Side(head.kind.number()).into()),
            // The link answers these.
            Kind::Ping | Kind::Pong => {}
        }
        Ok(())
    }

    fn take_message(&mut self, cx: &mut Context<'_>, message: Message) -> Result<(), Ending> {
        if !self.running.is_empty() && self.running.contains_key(&message.id) {
            return Err(Malformed::Twice(message.id).into());
        }
        let refused = if message.kind == Kind::Cast {
            if self.has_room(message.bytes()).is_err() {
                self.held = Some(message);
                return Ok(());
            }
            None
        } else if self.has_said_closing {
            Some(Code::CLOSING)
        } else if message.within == 0 {
            Some(Code::EXPIRED)
        } else {
            self.has_room(message.bytes()).err()
        };
        match refused {
            Some(code) => self.refuse(message.id, code),
            None => self.start(cx, message),
        }
        Ok(())
    }

    /// Whether one more message of so many bytes may be handled; else, which bound says no. One always may.
    fn has_room(&self, bytes: usize) -> Result<(), Code> {
        let limits = &self.shared.config.limits;
        if self.running.is_empty() && self.shared.handled.count() < limits.requests_per_node {
            return Ok(());
        }
        if self.running.len() >= limits.requests_per_peer {
            return Err(Code::REQUESTS_PER_PEER);
        }
        if self.shared.handled.count() >= limits.requests_per_node {
            return Err(Code::REQUESTS_PER_NODE);
        }
        if self.handled_bytes.saturating_add(bytes) > limits.handled_bytes_per_peer {
            return Err(Code::HANDLED_BYTES);
        }
        Ok(())
    }

    /// Hands a message to the handler, and gives it its first turn here, so that messages begin in their order.
    fn start(&mut self, cx: &mut Context<'_>, message: Message) {
        let Message { kind, id, stream, within, header, body } = message;
        let bytes = header.len().saturating_add(body.len());
        let within = (within != NO_DEADLINE).then(|| Duration::from_millis(u64::from(within)));
        let request = Incoming { from: Arc::clone(self.remote), stream, header, body, within };
        if kind == Kind::Cast {
            let handler = Arc::clone(self.handler);
            // The call itself, too, may panic.
            let future = async move {
                handler.cast(request).await;
                Bytes::new()
            };
            return self.start_task(cx, id, kind, bytes, Box::pin(future));
        }
        match catch_unwind(AssertUnwindSafe(|| self.handler.begin(request))) {
            Err(_) => self.answer(id, kind, None),
            Ok(Answer::Now(body)) => self.answer(id, kind, Some(body)),
            Ok(Answer::Task(future)) => self.start_task(cx, id, kind, bytes, future),
            Ok(Answer::Soon(future)) => self.start_here(id, kind, bytes, future),
        }
    }

    fn start_task(
        &mut self,
        cx: &mut Context<'_>,
        id: u64,
        kind: Kind,
        bytes: usize,
        mut future: BoxFuture<'static, Bytes>,
    ) {
        match poll_guarded(&mut future, cx) {
            Poll::Ready(result) => self.answer(id, kind, result),
            Poll::Pending => {
                let finished = Arc::clone(&self.finished);
                let counted = self.shared.handled.enter();
                let task = self.shared.seam.spawn(async move {
                    let result = AssertUnwindSafe(future).catch_unwind().await.ok();
                    drop(counted);
                    finished.list.lock().push_back((id, News::Ended(result)));
                    finished.waker.wake();
                });
                self.run(id, Running { at: Place::Task(task), bytes, kind });
            }
        }
    }

    fn start_here(&mut self, id: u64, kind: Kind, bytes: usize, mut future: BoxFuture<'static, Bytes>) {
        let is_listed = AtomicBool::new(false);
        let waker = Arc::new(HereWaker { id, is_listed, finished: Arc::clone(&self.finished) });
        match poll_guarded(&mut future, &mut Context::from_waker(&Waker::from(Arc::clone(&waker)))) {
            Poll::Ready(result) => self.answer(id, kind, result),
            Poll::Pending => {
                let _counted = self.shared.handled.enter();
                self.run(id, Running { at: Place::Here { future, waker, _counted }, bytes, kind });
            }
        }
    }

    fn run(&mut self, id: u64, running: Running) {
        self.handled_bytes = self.handled_bytes.saturating_add(running.bytes);
        self.running.insert(id, running);
    }

    fn take_finished(&mut self) {
        let list = std::mem::take(&mut *self.finished.list.lock());
        for (id, news) in list {
            let result = match news {
                News::Ended(result) => result,
                News::Woken => match self.poll_here(id) {
                    Poll::Ready(result) => result,
                    Poll::Pending => continue,
                },
            };
            // A call that was cancelled meanwhile needs no answer.
            if let Some(running) = self.running.remove(&id) {
                self.handled_bytes = self.handled_bytes.saturating_sub(running.bytes);
                self.answer(id, running.kind, result);
            }
        }
    }

    /// Gives a handler that runs here a turn.
    fn poll_here(&mut self, id: u64) -> Poll<Option<Bytes>> {
        let Some(Running { at: Place::Here { future, waker, .. }, .. }) = self.running.get_mut(&id) else {
            return Poll::Pending;
        };
        // From here on it may be woken again.
        waker.is_listed.store(false, Ordering::Release);
        poll_guarded(future, &mut Context::from_waker(&Waker::from(Arc::clone(waker))))
    }

    /// Queues the reply; `None` stands for a panic.
    fn answer(&mut self, id: u64, kind: Kind, result: Option<Bytes>) {
        match result {
            None if kind == Kind::Cast => tracing::error!(peer = %self.remote.id, "the handler of a cast panicked"),
            None => self.refuse(id, Code::PANICKED),
            Some(_) if kind == Kind::Cast => {}
            Some(body) if body.is_empty() => self.answer_empty(id),
            Some(body) if body.len() > self.reply_bytes => self.refuse(id, Code::REPLY_TOO_LONG),
            Some(body) => {
                let head = Head::new(Kind::Reply, id);
                self.replies.push(Outgoing { head, header: Bytes::new(), body, deadline: None });
            }
        }
    }

    /// Empty replies to messages that came in a row go together.
    fn answer_empty(&mut self, id: u64) {
        match &mut self.empty {
            Some((first, count)) if first.checked_add(u64::from(*count)) == Some(id) && *count < EMPTY_REPLIES_MAX => {
                *count += 1;
            }
            _ => {
                self.queue_empty();
                self.empty = Some((id, 1));
            }
        }
    }

    fn queue_empty(&mut self) {
        if let Some((first, count)) = self.empty.take() {
            let body = Bytes::copy_from_slice(&count.to_le_bytes());
            self.replies.push(Outgoing {
                head: Head::new(Kind::Empty, first),
                header: Bytes::new(),
                body,
                deadline: None,
            });
        }
    }

    fn refuse(&mut self, id: u64, code: Code) {
        let mut head = Head::new(Kind::Error, id);
        head.code = code;
        self.replies.push(Outgoing { head, header: Bytes::new(), body: Bytes::new(), deadline: None });
    }

    fn cancel(&mut self, id: u64) {
        if self.assembly.drop_message(id) {
            return;
        }
        if let Some(running) = self.running.remove(&id) {
            self.handled_bytes = self.handled_bytes.saturating_sub(running.bytes);
            if let Place::Task(task) = running.at {
                task.abort();
            }
        } else if self.replies.cut(id) {
            // The peer has a part of the reply: it has to know that no more comes, before the next long one begins.
            let head = Head { code: Code::CANCELLED, ..Head::new(Kind::Error, id) };
            self.link.outgoing.push_control(head, &[]);
        }
    }
}

/// Ends with nothing where it panics.
fn poll_guarded(future: &mut BoxFuture<'static, Bytes>, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
    match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
        Ok(polled) => polled.map(Some),
        Err(_) => Poll::Ready(None),
    }
}

impl<H: Handler> Future for Served<'_, H> {
    type Output = Ending;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Ending> {
        match self.turn(cx) {
            Ok(()) => Poll::Pending,
            Err(ending) => Poll::Ready(ending),
        }
    }
}

impl<H> Drop for Served<'_, H> {
    /// Nobody waits for the replies any more. Casts run on.
    fn drop(&mut self) {
        for running in self.running.values().filter(|running| running.kind == Kind::Request) {
            if let Place::Task(task) = &running.at {
                task.abort();
            }
        }
    }
}
