//! A simulated connection: two pipes, in each of which bytes take their time.

use std::{
    collections::VecDeque,
    future::Future,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use bytes::{Buf, Bytes};
use parking_lot::Mutex;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep},
};

use super::network::Net;

/// How many bytes may be on their way in one direction.
const PIPE_BYTES_MAX: usize = 256 * 1024;

/// One end of a connection.
pub(super) struct End {
    net: Net,
    incoming: Arc<Pipe>,
    outgoing: Arc<Pipe>,
    timer: Option<Pin<Box<Sleep>>>,
}

struct Pipe {
    from: usize,
    to: usize,
    state: Mutex<State>,
}

struct State {
    /// What is on its way, and when it arrives.
    chunks: VecDeque<(Instant, Bytes)>,
    bytes: usize,
    /// When the last of it arrives.
    last: Instant,
    is_closed: bool,
    has_no_reader: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

/// A connection between two hosts.
pub(super) fn pair(net: &Net, here: usize, there: usize) -> (End, End) {
    let (out, back) = (Arc::new(Pipe::new(here, there)), Arc::new(Pipe::new(there, here)));
    let end = |incoming: &Arc<Pipe>, outgoing: &Arc<Pipe>| End {
        net: net.clone(),
        incoming: incoming.clone(),
        outgoing: outgoing.clone(),
        timer: None,
    };
    (end(&back, &out), end(&out, &back))
}

impl Pipe {
    fn new(from: usize, to: usize) -> Self {
        let state = State {
            chunks: VecDeque::new(),
            bytes: 0,
            last: Instant::now(),
            is_closed: false,
            has_no_reader: false,
            reader: None,
            writer: None,
        };
        Pipe { from, to, state: Mutex::new(state) }
    }

    fn close(&self, net: &Net) {
        let reader = {
            let mut state = self.state.lock();
            if std::mem::replace(&mut state.is_closed, true) {
                return;
            }
            state.last = state.last.max(Instant::now() + net.latency());
            state.reader.take()
        };
        if let Some(reader) = reader {
            reader.wake();
        }
    }
}

impl State {
    /// What can be read now: bytes, the end, or when to look again.
    fn arrived(&mut self, now: Instant, buffer: &mut ReadBuf<'_>) -> Result<(), Option<Instant>> {
        match self.chunks.front_mut() {
            Some((at, _)) if *at > now => Err(Some(*at)),
            Some((_, chunk)) => {
                let count = chunk.len().min(buffer.remaining());
                buffer.put_slice(&chunk[..count]);
                chunk.advance(count);
                self.bytes -= count;
                if chunk.is_empty() {
                    self.chunks.pop_front();
                }
                Ok(())
            }
            None if !self.is_closed => Err(None),
            None if self.last > now => Err(Some(self.last)),
            None => Ok(()),
        }
    }
}

impl AsyncRead for End {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            if self.net.is_cut(self.incoming.from, self.incoming.to, cx.waker()) {
                return Poll::Pending;
            }
            let (arrived, writer) = {
                let mut state = self.incoming.state.lock();
                state.reader = Some(cx.waker().clone());
                (state.arrived(Instant::now(), buffer), state.writer.take())
            };
            match arrived {
                Ok(()) => {
                    if let Some(writer) = writer {
                        writer.wake();
                    }
                    return Poll::Ready(Ok(()));
                }
                Err(later) => {
                    self.incoming.state.lock().writer = writer;
                    let Some(at) = later else { return Poll::Pending };
                    let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(at)));
                    if timer.deadline() != at {
                        timer.as_mut().reset(at);
                    }
                    if timer.as_mut().poll(cx).is_pending() {
                        return Poll::Pending;
                    }
                }
            }
        }
    }
}

impl AsyncWrite for End {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let pipe = &self.outgoing;
        let is_cut = self.net.is_cut(pipe.from, pipe.to, cx.waker());
        let mut state = pipe.state.lock();
        if state.is_closed || (state.has_no_reader && !is_cut) {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let room = PIPE_BYTES_MAX.saturating_sub(state.bytes);
        if room == 0 {
            state.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let count = bytes.len().min(room);
        state.last = state.last.max(Instant::now() + self.net.latency());
        let at = state.last;
        state.chunks.push_back((at, Bytes::copy_from_slice(&bytes[..count])));
        state.bytes += count;
        let reader = state.reader.take();
        drop(state);
        if let Some(reader) = reader {
            reader.wake();
        }
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.outgoing.close(&self.net);
        Poll::Ready(Ok(()))
    }
}

impl Drop for End {
    fn drop(&mut self) {
        self.outgoing.close(&self.net);
        let writer = {
            let mut state = self.incoming.state.lock();
            state.has_no_reader = true;
            state.writer.take()
        };
        if let Some(writer) = writer {
            writer.wake();
        }
    }
}
