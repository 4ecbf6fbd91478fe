//! One framed connection in one direction: what casts to another process cost with nothing around them. A task makes
//! messages one by one and hands them to the one that has the connection; that one encodes what waits and writes it at
//! once. On the other side a task reads, decodes, and hands the messages to the one that counts them.

use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use futures_util::{FutureExt, SinkExt, StreamExt};
use rustix::time::ClockId;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio_util::codec::{Framed, LengthDelimitedCodec};

use super::echo::{PREFIX_BYTES, REQUEST_BYTES, connection, flush};
use crate::{
    error::{Error, check_eq},
    measure::{Measured, computed},
};

const GONE: Error = Error::Gone("a task of the connection");

/// How many messages wait in a channel, as in a mailbox.
const WAITING_MAX: usize = dna::limits::MAILBOX_MESSAGES_MAX;

/// How many are sent between two looks at the clock.
const CASTS_A_LOOK: u64 = 64;

/// As the actor's message is on the wire.
#[derive(Debug, Serialize, Deserialize)]
enum Message {
    #[serde(rename = "add")]
    Add { amount: u64 },
}

/// A frame as long as DNA's, with the message at its end.
fn frame(message: &Message) -> Result<Bytes, Error> {
    let encoded = rmp_serde::to_vec_named(message).map_err(|error| Error::Wire(error.to_string()))?;
    let bytes = REQUEST_BYTES - PREFIX_BYTES;
    let mut frame = BytesMut::with_capacity(bytes);
    frame.resize(bytes.saturating_sub(encoded.len()), 0);
    frame.extend_from_slice(&encoded);
    Ok(frame.freeze())
}

fn message(frame: &[u8], encoded: usize) -> Result<Message, Error> {
    let encoded = frame.split_at_checked(frame.len().saturating_sub(encoded)).map_or(frame, |(_, encoded)| encoded);
    rmp_serde::from_slice(encoded).map_err(|error| Error::Wire(error.to_string()))
}

/// As many as go in this time; the clock stops when all are counted.
pub(crate) async fn casts(run: Duration) -> Result<Measured, Error> {
    let (near, far) = connection().await?;
    let (mut near, mut far) =
        (Framed::new(near, LengthDelimitedCodec::new()), Framed::new(far, LengthDelimitedCodec::new()));
    let (to_wire, mut from_sender) = mpsc::channel::<Message>(WAITING_MAX);
    let (to_counter, mut from_wire) = mpsc::channel::<Message>(WAITING_MAX);
    let encoded =
        rmp_serde::to_vec_named(&Message::Add { amount: 1 }).map_err(|error| Error::Wire(error.to_string()))?;
    let encoded = encoded.len();

    let writing = tokio::spawn(async move {
        let mut batch = Vec::new();
        while from_sender.recv_many(&mut batch, WAITING_MAX).await > 0 {
            for message in batch.drain(..) {
                near.feed(frame(&message)?).await?;
            }
            flush(&mut near).await?;
        }
        Ok::<_, Error>(())
    });
    let reading = tokio::spawn(async move {
        while let Some(frame) = far.next().await {
            to_counter.send(message(&frame?, encoded)?).await.map_err(|_| GONE)?;
            while let Some(Some(frame)) = far.next().now_or_never() {
                to_counter.send(message(&frame?, encoded)?).await.map_err(|_| GONE)?;
            }
        }
        Ok::<_, Error>(())
    });
    let counting = tokio::spawn(async move {
        let mut total = 0;
        while let Some(Message::Add { amount }) = from_wire.recv().await {
            total += amount;
        }
        total
    });
    let (start, before) = (Instant::now(), computed(ClockId::ProcessCPUTime));
    let sending = tokio::spawn(async move {
        let mut operations = 0;
        while start.elapsed() < run {
            for _ in 0..CASTS_A_LOOK {
                to_wire.send(Message::Add { amount: 1 }).await.map_err(|_| GONE)?;
            }
            operations += CASTS_A_LOOK;
        }
        Ok::<_, Error>(operations)
    });
    let operations = sending.await??;
    writing.await??;
    reading.await??;
    let counted = counting.await?;
    let elapsed = start.elapsed();
    check_eq("messages that were counted", counted, operations)?;
    let computed = computed(ClockId::ProcessCPUTime).saturating_sub(before);
    Ok(Measured { operations, elapsed, computed, ..Measured::default() })
}
