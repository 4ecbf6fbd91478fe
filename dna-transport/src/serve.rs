//! An accepted connection at work: reads requests, calls the handler, writes the replies.

use std::{
    collections::{HashMap, VecDeque},
    future::Future,
    panic::AssertUnwindSafe,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use foldhash::fast::RandomState;
use futures_util::{FutureExt, task::AtomicWaker};
use parking_lot::Mutex;
use tokio::task::AbortHandle;

use crate::{
    Handler, Incoming, Lost, Malformed, Remote,
    dial::{Ending, FRAMES_PER_TURN},
    limits::WRITE_BYTES,
    link::{Link, told},
    schedule::{Outgoing, Piece, Schedule},
    shared::{Accepted, Closing, Shared},
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
    /// A cast for which there was no room. Nothing is read until there is.
    held: Option<Message>,
    pieces: Vec<Piece>,
    has_said_closing: bool,
    /// Whether the peer sends nothing new.
    is_peer_done: bool,
}

/// A handler that has not ended.
#[derive(Debug)]
struct Running {
    task: AbortHandle,
    bytes: usize,
    kind: Kind,
}

/// What handlers have ended with since it was last looked at.
#[derive(Debug, Default)]
struct Finished {
    list: Mutex<VecDeque<(u64, Option<Bytes>)>>,
    waker: AtomicWaker,
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
        self.running.is_empty() && self.held.is_none() && self.replies.is_empty() && self.link.outgoing.is_empty()
    }

    /// Writes what there is. Whether more may be written at once.
    fn write(&mut self, cx: &mut Context<'_>) -> Result<bool, Ending> {
        let Poll::Ready(written) = self.link.poll_write(cx) else { return Ok(false) };
        written?;
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
            Kind::Reply | Kind::Error => return Err(Malformed::Side(head.kind.number()).into()),
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
        let handler = Arc::clone(self.handler);
        // The call itself, too, may panic.
        let future = async move {
            if kind == Kind::Cast {
                handler.cast(request).await;
                return Bytes::new();
            }
            handler.call(request).await
        };
        let mut future = Box::pin(AssertUnwindSafe(future).catch_unwind());
        match future.as_mut().poll(cx) {
            Poll::Ready(result) => self.answer(id, kind, result.ok()),
            Poll::Pending => {
                let finished = Arc::clone(&self.finished);
                let counted = self.shared.handled.enter();
                let task = self.shared.seam.spawn(async move {
                    let result = future.await.ok();
                    drop(counted);
                    finished.list.lock().push_back((id, result));
                    finished.waker.wake();
                });
                self.handled_bytes = self.handled_bytes.saturating_add(bytes);
                self.running.insert(id, Running { task, bytes, kind });
            }
        }
    }

    fn take_finished(&mut self) {
        let list = std::mem::take(&mut *self.finished.list.lock());
        for (id, result) in list {
            // A call that was cancelled meanwhile needs no answer.
            if let Some(running) = self.running.remove(&id) {
                self.handled_bytes = self.handled_bytes.saturating_sub(running.bytes);
                self.answer(id, running.kind, result);
            }
        }
    }

    /// Queues the reply; `None` stands for a panic.
    fn answer(&mut self, id: u64, kind: Kind, result: Option<Bytes>) {
        match result {
            None if kind == Kind::Cast => tracing::error!(peer = %self.remote.id, "the handler of a cast panicked"),
            None => self.refuse(id, Code::PANICKED),
            Some(_) if kind == Kind::Cast => {}
            Some(body) if body.len() > self.reply_bytes => self.refuse(id, Code::REPLY_TOO_LONG),
            Some(body) => {
                let head = Head::new(Kind::Reply, id);
                self.replies.push(Outgoing { head, header: Bytes::new(), body, deadline: None });
            }
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
            running.task.abort();
        } else if self.replies.cut(id) {
            // The peer has a part of the reply: it has to know that no more comes, before the next long one begins.
            let head = Head { code: Code::CANCELLED, ..Head::new(Kind::Error, id) };
            self.link.outgoing.push_control(head, &[]);
        }
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
            running.task.abort();
        }
    }
}
