//! Order within streams, and none between them.

use std::{collections::HashMap, sync::Arc};

use bytes::{BufMut, Bytes, BytesMut};
use dna_transport::Incoming;
use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::sync::mpsc;

use crate::support::{Answer, pair, pattern, request, telling};

const LARGE: usize = 16 << 20;

#[tokio::test]
async fn a_small_message_overtakes_a_large_one_of_another_stream_but_not_of_its_own() {
    let (handler, mut received) = telling();
    let (_server, _client, peer) = pair(handler).await;
    peer.connect().await.unwrap();

    // All three are queued before the connection has a turn.
    let large = peer.call(request(pattern(LARGE)).stream(1));
    let behind = peer.call(request("behind").stream(1));
    let beside = peer.call(request("beside").stream(2));
    let none = peer.call(request("none"));
    tokio::try_join!(large, behind, beside, none).unwrap();

    let mut order = Vec::new();
    for _ in 0..4 {
        let request = received.recv().await.unwrap();
        order.push(if request.body.len() == LARGE { "large".into() } else { request.body });
    }
    assert_eq!(order, ["beside", "none", "large", "behind"]);
}

#[tokio::test]
async fn a_small_reply_overtakes_a_large_one() {
    let handler = Answer(|request: Incoming| {
        let reply = if request.body == "large" { pattern(LARGE) } else { request.body };
        std::future::ready(reply)
    });
    let (_server, _client, peer) = pair(Arc::new(handler)).await;
    peer.connect().await.unwrap();
    let calls = ["large", "small"].map(|body| {
        let call = peer.call(request(body));
        async move { (body, call.await.unwrap().len()) }
    });
    let ends = calls.into_iter().collect::<FuturesUnordered<_>>().collect::<Vec<_>>().await;
    assert_eq!(ends, [("small", 5), ("large", LARGE)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_stream_keeps_its_order_under_load_whatever_the_sizes() {
    const STREAMS: u64 = 8;
    const MESSAGES: u32 = 250;
    let (sender, mut received) = mpsc::unbounded_channel();
    let handler = Answer(move |request: Incoming| {
        sender.send((request.stream, u32::from_le_bytes(request.body[..4].try_into().unwrap()))).unwrap();
        // Some answers come at once, some later: neither may change the order.
        let waits = request.body.len().is_multiple_of(2);
        async move {
            if waits {
                tokio::task::yield_now().await;
            }
            Bytes::new()
        }
    });
    let (_server, _client, peer) = pair(Arc::new(handler)).await;

    let senders = (1..=STREAMS).map(|stream| {
        let peer = peer.clone();
        tokio::spawn(async move {
            let mut calls = Vec::new();
            for number in 0..MESSAGES {
                let bytes = match (u64::from(number) * 7 + stream) % 11 {
                    0 => 300_000,
                    1 | 2 => 70_000,
                    3 => 65_532,
                    other => usize::try_from(other).unwrap(),
                };
                let mut body = BytesMut::with_capacity(bytes + 4);
                body.put_u32_le(number);
                body.put_bytes(0, bytes);
                let message = request(body.freeze()).stream(stream);
                peer.room(bytes + 4).await;
                if number % 3 == 0 {
                    peer.cast(message).unwrap();
                } else {
                    calls.push(peer.call(message));
                }
            }
            for call in calls {
                call.await.unwrap();
            }
        })
    });
    for sender in senders.collect::<Vec<_>>() {
        sender.await.unwrap();
    }

    let mut next = HashMap::<u64, u32>::new();
    for _ in 0..STREAMS * u64::from(MESSAGES) {
        let (stream, number) = received.recv().await.unwrap();
        let expected = next.entry(stream).or_default();
        assert_eq!(number, *expected, "in stream {stream}");
        *expected += 1;
    }
}
