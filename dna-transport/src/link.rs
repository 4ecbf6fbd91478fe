//! One connection behind the handshake: frames in, frames out, signs of life. Knows neither requests nor handlers.

use std::{
    future::Future,
    pin::{Pin, pin},
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Buf, BytesMut};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::Sleep,
};
use tokio_util::io::{poll_read_buf, poll_write_buf};

use crate::{
    Lost, Malformed, Socket,
    batch::Batch,
    limits::{LINGER, LINGER_BYTES_MAX, READ_BYTES, REASON_BYTES_MAX, SILENT_INTERVALS_MAX},
    seam,
    wire::{Code, Frame, FrameCodec, Head, Kind},
};

/// A connection that carries frames.
pub(crate) struct Link {
    socket: Box<dyn Socket>,
    codec: FrameCodec,
    incoming: BytesMut,
    pub(crate) outgoing: Batch,
    timer: Pin<Box<Sleep>>,
    keep_alive: Duration,
    was_heard: bool,
    silent: u32,
    /// Whether a ping waits for its answer. One answers any number of them.
    pong_due: bool,
    needs_flush: bool,
}

impl Link {
    pub(crate) fn new(socket: Box<dyn Socket>, version: u8, keep_alive: Duration) -> Self {
        Link {
            socket,
            codec: FrameCodec::new(version),
            incoming: BytesMut::new(),
            outgoing: Batch::new(version),
            timer: Box::pin(seam::sleep(keep_alive)),
            keep_alive,
            was_heard: false,
            silent: 0,
            pong_due: false,
            needs_flush: false,
        }
    }

    /// The next frame that has been read, but for those that the link answers itself.
    pub(crate) fn next_frame(&mut self) -> Result<Option<Frame>, Malformed> {
        loop {
            let Some(frame) = self.codec.next(&mut self.incoming)? else { return Ok(None) };
            match frame.head.kind {
                Kind::Ping => self.pong_due = true,
                Kind::Pong => {}
                _ => return Ok(Some(frame)),
            }
        }
    }

    /// Reads some bytes.
    pub(crate) fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Lost>> {
        self.incoming.reserve(READ_BYTES);
        let read = ready!(poll_read_buf(Pin::new(&mut *self.socket), cx, &mut self.incoming));
        match read {
            Ok(0) => Poll::Ready(Err(Lost::HungUp)),
            Ok(_) => {
                self.was_heard = true;
                Poll::Ready(Ok(()))
            }
            Err(error) => Poll::Ready(Err(Lost::Io(error.kind()))),
        }
    }

    /// Writes what is there. Ready when all of it is written.
    pub(crate) fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Lost>> {
        if std::mem::take(&mut self.pong_due) {
            self.outgoing.push_control(Head::new(Kind::Pong, 0), &[]);
        }
        while self.outgoing.has_remaining() {
            match ready!(poll_write_buf(Pin::new(&mut *self.socket), cx, &mut self.outgoing)) {
                Ok(0) => return Poll::Ready(Err(Lost::HungUp)),
                Ok(_) => self.needs_flush = true,
                Err(error) => return Poll::Ready(Err(Lost::Io(error.kind()))),
            }
        }
        if self.needs_flush {
            if let Err(error) = ready!(Pin::new(&mut *self.socket).poll_flush(cx)) {
                return Poll::Ready(Err(Lost::Io(error.kind())));
            }
            self.needs_flush = false;
        }
        Poll::Ready(Ok(()))
    }

    /// Sees to it that the other side gives a sign of life. `is_reading` is false while this side does not read, and so
    /// cannot hear. Whether there is something new to write.
    pub(crate) fn poll_alive(&mut self, cx: &mut Context<'_>, is_reading: bool) -> Result<bool, Lost> {
        let mut has_written = false;
        while self.timer.as_mut().poll(cx).is_ready() {
            seam::restart(self.timer.as_mut(), self.keep_alive);
            if std::mem::take(&mut self.was_heard) {
                self.silent = 0;
                continue;
            }
            if is_reading {
                self.silent += 1;
            }
            if self.silent >= SILENT_INTERVALS_MAX {
                return Err(Lost::Silent);
            }
            // Where nothing is taken off the socket, one more ping helps nobody.
            if self.outgoing.is_empty() {
                self.outgoing.push_control(Head::new(Kind::Ping, 0), &[]);
                has_written = true;
            }
        }
        Ok(has_written)
    }

    /// Ends the connection, with a last word if the other side needs one. Takes at most [`LINGER`].
    pub(crate) async fn end(mut self, why: &Lost) {
        if let Some((code, reason)) = last_words(why) {
            let mut head = Head::new(Kind::Close, 0);
            head.code = code;
            self.outgoing.push_control(head, cut(&reason).as_bytes());
            seam::within(LINGER, self.say_goodbye()).await;
        }
    }

    /// Writes what is there and reads until the other side hangs up, since a socket that is closed with bytes unread takes
    /// back what it has sent.
    async fn say_goodbye(&mut self) {
        if self.socket.write_all_buf(&mut self.outgoing).await.is_err() || self.socket.shutdown().await.is_err() {
            return;
        }
        let mut rest = pin!((&mut self.socket).take(u64::try_from(LINGER_BYTES_MAX).unwrap_or(u64::MAX)));
        let mut buffer = [0; 4096];
        while rest.read(&mut buffer).await.is_ok_and(|bytes| bytes > 0) {}
    }
}

fn last_words(why: &Lost) -> Option<(Code, String)> {
    let code = match why {
        Lost::Done => Code::DONE,
        Lost::Silent => Code::SILENT,
        Lost::Replaced => Code::REPLACED,
        Lost::Malformed(_) => Code::MALFORMED,
        Lost::Aborted => Code::ABORTED,
        Lost::Io(_) | Lost::HungUp | Lost::Told(_) => return None,
    };
    let reason = match why {
        Lost::Malformed(malformed) => malformed.to_string(),
        Lost::Silent => "nothing was heard for too long".to_owned(),
        Lost::Replaced => "a newer connection took the place of this one".to_owned(),
        Lost::Aborted => "the node ends".to_owned(),
        _ => String::new(),
    };
    Some((code, reason))
}

/// At most [`REASON_BYTES_MAX`] of a reason.
fn cut(reason: &str) -> &str {
    reason.get(..reason.floor_char_boundary(REASON_BYTES_MAX)).unwrap_or_default()
}

/// Why the other side ended the connection, from its last frame.
pub(crate) fn told(frame: &Frame) -> Lost {
    if frame.head.code == Code::DONE {
        return Lost::Done;
    }
    let reason = String::from_utf8_lossy(&frame.payload);
    // It is shown to people: what could move their cursor stays out.
    Lost::Told(cut(&reason.replace(char::is_control, " ")).to_owned())
}
