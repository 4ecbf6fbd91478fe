//! A bare framed echo over one TCP connection on loopback: what a call to another process costs with nothing around it.
//! Frames have a length in front of them and as many bytes as DNA's have; what is in them is not looked at.

use std::{collections::VecDeque, net::SocketAddr, time::Instant};

use bytes::Bytes;
use futures_util::{FutureExt, SinkExt, StreamExt};
use rustix::time::ClockId;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{mpsc, oneshot},
    task::JoinHandle,
};
use tokio_util::codec::{Framed, LengthDelimitedCodec};

use crate::{
    error::Error,
    load::{self, Amount, nanoseconds},
    measure::{Measured, computed},
};

/// Bytes of a request of workload 9, with the length in front of it: the transport's frame, who the message is for, the
/// message.
pub(crate) const REQUEST_BYTES: usize = 96;

/// Bytes of an answer: the transport's frame, what became of the message, the reply.
const ANSWER_BYTES: usize = 44;

/// Bytes of the length in front of a frame.
pub(crate) const PREFIX_BYTES: usize = 4;

const GONE: Error = Error::Gone("the other end of the echo");

/// A connection that carries frames.
pub(crate) type Wire = Framed<TcpStream, LengthDelimitedCodec>;

/// A connection as the two ends of it.
pub(crate) async fn connection() -> Result<(TcpStream, TcpStream), Error> {
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
    let (near, far) = tokio::join!(TcpStream::connect(listener.local_addr()?), listener.accept());
    let (near, far) = (near?, far?.0);
    near.set_nodelay(true)?;
    far.set_nodelay(true)?;
    Ok((near, far))
}

/// One end, with the task behind the other.
async fn echo() -> Result<(Wire, JoinHandle<Result<(), Error>>), Error> {
    let (near, far) = connection().await?;
    let mut far = Framed::new(far, LengthDelimitedCodec::new());
    let task = tokio::spawn(async move {
        let answer = Bytes::from(vec![7; ANSWER_BYTES - PREFIX_BYTES]);
        while let Some(request) = far.next().await {
            request?;
            far.feed(answer.clone()).await?;
            // One write for all that have come.
            while let Some(Some(request)) = far.next().now_or_never() {
                request?;
                far.feed(answer.clone()).await?;
            }
            flush(&mut far).await?;
        }
        Ok(())
    });
    Ok((Framed::new(near, LengthDelimitedCodec::new()), task))
}

/// Writes what was fed.
pub(crate) async fn flush(wire: &mut Wire) -> Result<(), Error> {
    Ok(<Wire as SinkExt<Bytes>>::flush(wire).await?)
}

fn request() -> Bytes {
    Bytes::from(vec![7; REQUEST_BYTES - PREFIX_BYTES])
}

/// Callers that each wait for their answer. One task has the connection, writes all that waits at once, and hands the
/// answers out in their order.
pub(crate) async fn callers(callers: u64, amount: Amount) -> Result<Measured, Error> {
    let (mut wire, far) = echo().await?;
    let (sender, mut receiver) = mpsc::channel::<(Bytes, oneshot::Sender<Bytes>)>(1024);
    let near = tokio::spawn(async move {
        let (mut batch, mut waiting) = (Vec::new(), VecDeque::<oneshot::Sender<Bytes>>::new());
        loop {
            tokio::select! {
                count = receiver.recv_many(&mut batch, 1024) => {
                    if count == 0 {
                        return Ok::<_, Error>(());
                    }
                    // The callers that are about to run go first, so that one write carries them all.
                    if !waiting.is_empty() || count > 1 {
                        tokio::task::yield_now().await;
                        while let Ok(more) = receiver.try_recv() {
                            batch.push(more);
                        }
                    }
                    for (request, caller) in batch.drain(..) {
                        wire.feed(request).await?;
                        waiting.push_back(caller);
                    }
                    flush(&mut wire).await?;
                }
                answer = wire.next() => {
                    let mut answer = Some(answer.ok_or(GONE)??);
                    while let Some(some) = answer {
                        let caller = waiting.pop_front().ok_or(GONE)?;
                        let _ = caller.send(some.freeze());
                        answer = wire.next().now_or_never().flatten().transpose()?;
                    }
                }
            }
        }
    });
    let measured = load::closed_loop(callers, amount, |mut turns| {
        let (sender, request) = (sender.clone(), request());
        async move {
            while turns.next().is_some() {
                let (caller, answer) = oneshot::channel();
                sender.send((request.clone(), caller)).await.map_err(|_| GONE)?;
                answer.await.map_err(|_| GONE)?;
            }
            Ok(turns)
        }
    })
    .await?;
    drop(sender);
    near.await??;
    far.await??;
    Ok(measured)
}

/// One task that has the connection, and keeps as many requests on their way.
pub(crate) async fn pipeline(in_flight: u64, amount: Amount) -> Result<Measured, Error> {
    let (mut wire, far) = echo().await?;
    let Amount::For(run) = amount else { return Err(Error::Invariant("a pipeline runs for a time".to_owned())) };
    let in_flight = usize::try_from(in_flight).unwrap_or(usize::MAX);
    let before = computed(ClockId::ProcessCPUTime);
    let near = tokio::spawn(async move {
        let (start, request) = (Instant::now(), request());
        let (mut sent, mut latencies) = (VecDeque::new(), Vec::new());
        while start.elapsed() < run {
            while sent.len() < in_flight {
                wire.feed(request.clone()).await?;
                sent.push_back(Instant::now());
            }
            flush(&mut wire).await?;
            let mut answer = Some(wire.next().await.ok_or(GONE)??);
            while answer.is_some() {
                latencies.push(nanoseconds(sent.pop_front().ok_or(GONE)?.elapsed()));
                answer = wire.next().now_or_never().flatten().transpose()?;
            }
        }
        let operations = u64::try_from(latencies.len()).unwrap_or(u64::MAX);
        let computed = computed(ClockId::ProcessCPUTime).saturating_sub(before);
        Ok::<_, Error>(Measured { operations, elapsed: start.elapsed(), latencies, computed, ..Measured::default() })
    });
    let measured = near.await??;
    far.await??;
    Ok(measured)
}
