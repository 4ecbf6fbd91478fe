//! Each bound at its limit and one past it, with its own error.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use dna_transport::{
    CallError, Incoming, Limit, Limits, Outcome, PeerError, Request, Side, StartError, Transport,
    limits::{FRAME_PAYLOAD_BYTES_MAX, LARGE_MESSAGES_MAX, REQUEST_HEADER_BYTES_MAX},
    wire::{CONTINUED, Code, Head, Kind, MORE},
};
use tokio::net::TcpListener;

use crate::{
    raw::{Hello, Raw},
    support::{Answer, Hung, config, echo, hanging, id, pattern, request, serve},
};

fn overloaded(limit: Limit, side: Side) -> CallError {
    CallError::Overloaded { limit, side }
}

/// An address where nobody listens: what is sent there stays in the queue.
fn nowhere() -> String {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

#[tokio::test]
async fn a_message_has_a_longest_length_on_the_sending_side() {
    let limits = Limits { message_bytes: 100_000, ..Limits::default() };
    let (_server, address) = serve(config(1), echo()).await;
    let client = Transport::client(config(2).limits(limits)).unwrap();
    let peer = client.peer(&address).unwrap();
    assert_eq!(peer.call(request(pattern(99_000)).header(pattern(1_000))).await.unwrap().len(), 99_000);
    let error = peer.call(request(pattern(99_001)).header(pattern(1_000))).await.unwrap_err();
    assert_eq!(error, CallError::TooLarge { bytes: 100_001, limit: 100_000 });
    assert_eq!(peer.cast(request(pattern(100_001))), Err(CallError::TooLarge { bytes: 100_001, limit: 100_000 }));
}

#[tokio::test]
async fn a_message_has_a_longest_length_that_the_receiving_side_told() {
    let limits = Limits { message_bytes: 100_000, ..Limits::default() };
    let (_server, address) = serve(config(1).limits(limits), echo()).await;
    let client = Transport::client(config(2)).unwrap();
    let peer = client.peer(&address).unwrap();
    // Queued before the limit is known.
    let (fits, too_large) = (peer.call(request(pattern(100_000))), peer.call(request(pattern(100_001)).stream(1)));
    let behind = peer.call(request("behind").stream(1));
    assert_eq!(fits.await.unwrap().len(), 100_000);
    let error = CallError::TooLarge { bytes: 100_001, limit: 100_000 };
    assert_eq!(too_large.await, Err(error.clone()));
    assert_eq!(behind.await.unwrap(), "behind");
    assert_eq!(peer.call(request(pattern(100_001))).await, Err(error));
}

#[tokio::test]
async fn a_message_that_is_too_long_all_the_same_ends_the_connection() {
    let limits = Limits { message_bytes: 100_000, ..Limits::default() };
    let (_server, address) = serve(config(1).limits(limits), echo()).await;
    let parts = |raw_last: usize| [(MORE, FRAME_PAYLOAD_BYTES_MAX), (CONTINUED, raw_last)];
    let mut raw = Raw::dial(&address, &Hello::of(id(7))).await;
    for (flags, bytes) in parts(100_000 - FRAME_PAYLOAD_BYTES_MAX) {
        raw.send(Head { flags, ..Head::new(Kind::Request, 1) }, &pattern(bytes)).await;
    }
    assert_eq!(raw.receive_other().await.unwrap().head.kind, Kind::Reply);
    raw.receive_other().await.unwrap();
    for (flags, bytes) in parts(100_001 - FRAME_PAYLOAD_BYTES_MAX) {
        raw.send(Head { flags, ..Head::new(Kind::Request, 2) }, &pattern(bytes)).await;
    }
    assert_eq!(raw.receive_other().await.unwrap().head.code, Code::MALFORMED);
}

#[tokio::test]
async fn a_reply_has_a_longest_length() {
    let limits = Limits { message_bytes: 100_000, ..Limits::default() };
    let handler = Answer(|request: Incoming| {
        let bytes = String::from_utf8_lossy(&request.body).parse().unwrap();
        std::future::ready(pattern(bytes))
    });
    let (_server, address) = serve(config(1), Arc::new(handler)).await;
    let client = Transport::client(config(2).limits(limits)).unwrap();
    let peer = client.peer(&address).unwrap();
    assert_eq!(peer.call(request("100000")).await.unwrap().len(), 100_000);
    let error = peer.call(request("100001")).await.unwrap_err();
    assert_eq!((&error, error.outcome()), (&CallError::ReplyTooLarge, Outcome::Unknown));
}

#[tokio::test]
async fn a_header_has_a_longest_length() {
    let (_server, address) = serve(config(1), echo()).await;
    let client = Transport::client(config(2)).unwrap();
    let peer = client.peer(&address).unwrap();
    let limit = REQUEST_HEADER_BYTES_MAX;
    assert_eq!(peer.call(request("x").header(pattern(limit))).await.unwrap(), "x");
    let error = peer.call(request("x").header(pattern(limit + 1))).await.unwrap_err();
    assert_eq!(error, CallError::HeaderTooLarge { bytes: limit + 1, limit });
}

#[tokio::test]
async fn calls_in_flight_with_one_peer_are_bounded() {
    let limits = Limits { requests_per_peer: 3, ..Limits::default() };
    let (handler, _hung) = hanging();
    let (_server, address) = serve(config(1), handler).await;
    let client = Transport::client(config(2).limits(limits)).unwrap();
    let peer = client.peer(&address).unwrap();
    let mut calls = (0..3).map(|_| peer.call(request("x"))).collect::<Vec<_>>();
    let error = peer.call(request("x")).await.unwrap_err();
    assert_eq!(error, overloaded(Limit::RequestsPerPeer, Side::Here));
    assert!(error.is_retryable() && error.outcome() == Outcome::NotHandled);
    // One that is over makes room for one.
    drop(calls.pop());
    peer.room(1).await;
    calls.push(peer.call(request("x")));
    assert_eq!(peer.load().calls, 3);
    assert_eq!(peer.call(request("x")).await, Err(overloaded(Limit::RequestsPerPeer, Side::Here)));
}

#[tokio::test]
async fn calls_in_flight_with_all_peers_are_bounded() {
    let limits = Limits { requests_per_node: 3, ..Limits::default() };
    let client = Transport::client(config(2).limits(limits)).unwrap();
    let (one, two) = (client.peer(&nowhere()).unwrap(), client.peer(&nowhere()).unwrap());
    let calls = [one.call(request("x")), two.call(request("x")), one.call(request("x"))];
    assert_eq!(two.call(request("x")).await, Err(overloaded(Limit::RequestsPerNode, Side::Here)));
    drop(calls);
    let again = [two.call(request("x")), two.call(request("x")), two.call(request("x"))];
    assert_eq!(one.call(request("x")).await, Err(overloaded(Limit::RequestsPerNode, Side::Here)));
    // Every way in which calls end gives their places back.
    two.close();
    for call in again {
        call.await.unwrap_err();
    }
    for _ in 0..10 {
        let late = one.call(Request::new("x").within(Duration::ZERO)).await.unwrap_err();
        assert_eq!(late, CallError::DeadlineExceeded { outcome: Outcome::NotHandled });
    }
}

#[tokio::test]
async fn a_node_refuses_requests_beyond_what_it_handles_at_a_time() {
    for (limits, limit) in [
        (Limits { requests_per_node: 2, ..Limits::default() }, Limit::RequestsPerNode),
        (Limits { handled_bytes_per_peer: 200, ..Limits::default() }, Limit::HandledBytes),
    ] {
        let (handler, mut hung) = hanging();
        let (_server, address) = serve(config(1).limits(limits), handler).await;
        let client = Transport::client(config(2)).unwrap();
        let peer = client.peer(&address).unwrap();
        let (one, two) = (peer.call(request(pattern(100))), peer.call(request(pattern(100))));
        for _ in 0..2 {
            assert_eq!(hung.recv().await.unwrap(), Hung::Began(pattern(100)));
        }
        let error = peer.call(request("x")).await.unwrap_err();
        assert_eq!((&error, error.outcome()), (&overloaded(limit, Side::There), Outcome::NotHandled));
        drop(one);
        assert_eq!(hung.recv().await.unwrap(), Hung::Dropped(pattern(100)));
        let _three = peer.call(request("three"));
        assert_eq!(hung.recv().await.unwrap(), Hung::Began("three".into()));
        drop(two);
    }
}

#[tokio::test]
async fn a_peer_that_does_not_keep_to_its_number_of_requests_is_refused_them() {
    let limits = Limits { requests_per_peer: 2, ..Limits::default() };
    let (handler, _hung) = hanging();
    let (_server, address) = serve(config(1).limits(limits), handler).await;
    let mut raw = Raw::dial(&address, &Hello::of(id(7))).await;
    for number in 1..=3 {
        raw.send(Head::new(Kind::Request, number), b"x").await;
    }
    let error = raw.receive_other().await.unwrap();
    assert_eq!((error.head.kind, error.head.id, error.head.code), (Kind::Error, 3, Code::REQUESTS_PER_PEER));
}

#[tokio::test]
async fn a_node_tells_its_peers_how_many_requests_it_takes() {
    let limits = Limits { requests_per_peer: 2, ..Limits::default() };
    let (handler, _hung) = hanging();
    let (_server, address) = serve(config(1).limits(limits), handler).await;
    let client = Transport::client(config(2)).unwrap();
    let peer = client.peer(&address).unwrap();
    assert_eq!(peer.connect().await.unwrap().requests, 2);
    let _calls = [peer.call(request("x")), peer.call(request("x"))];
    assert_eq!(peer.call(request("x")).await, Err(overloaded(Limit::RequestsPerPeer, Side::Here)));
}

#[tokio::test]
async fn bytes_that_wait_for_one_peer_are_bounded() {
    const OVERHEAD: usize = 64;
    let limits = Limits { queued_bytes_per_peer: 10 * (1_000 + OVERHEAD), ..Limits::default() };
    let client = Transport::client(config(2).limits(limits)).unwrap();
    let peer = client.peer(&nowhere()).unwrap();
    for _ in 0..9 {
        peer.cast(request(pattern(1_000))).unwrap();
    }
    assert_eq!(peer.cast(request(pattern(1_001))), Err(overloaded(Limit::QueuedBytes, Side::Here)));
    let call = peer.call(request(pattern(1_000)));
    assert_eq!(peer.load().queued_bytes, limits.queued_bytes_per_peer);
    assert_eq!(peer.cast(request("")), Err(overloaded(Limit::QueuedBytes, Side::Here)));
    assert_eq!(peer.call(request("")).await, Err(overloaded(Limit::QueuedBytes, Side::Here)));
    // Others are not bounded by it.
    client.peer(&nowhere()).unwrap().cast(request(pattern(1_000))).unwrap();
    drop(call);
    peer.close();
    assert_eq!(peer.load().queued_bytes, 0);
}

#[tokio::test]
async fn room_waits_until_there_is_some() {
    let limits = Limits { queued_bytes_per_peer: 200_000, ..Limits::default() };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = Transport::client(config(2).limits(limits)).unwrap();
    let peer = client.peer(&listener.local_addr().unwrap().to_string()).unwrap();
    peer.cast(request(pattern(199_000))).unwrap();
    let mut room = Box::pin(peer.room(199_000));
    assert!(futures_util::poll!(&mut room).is_pending());
    let mut raw = Raw::accept(&listener, id(1)).await;
    while raw.receive().await.unwrap().head.flags & MORE != 0 {}
    room.await;
    peer.cast(request(pattern(199_000))).unwrap();
}

#[tokio::test]
async fn a_message_longer_than_the_queue_goes_alone() {
    let limits = Limits { queued_bytes_per_peer: 1_000, ..Limits::default() };
    let (_server, address) = serve(config(1), echo()).await;
    let client = Transport::client(config(2).limits(limits)).unwrap();
    let peer = client.peer(&address).unwrap();
    assert_eq!(peer.call(request(pattern(1 << 20))).await.unwrap().len(), 1 << 20);
}

#[tokio::test]
async fn casts_wait_for_those_before_them_unread_and_none_is_lost() {
    for limits in [
        Limits { requests_per_peer: 2, ..Limits::default() },
        Limits { requests_per_node: 2, ..Limits::default() },
        Limits { handled_bytes_per_peer: 5, ..Limits::default() },
    ] {
        let running = Arc::new(AtomicUsize::new(0));
        let (sender, mut began) = tokio::sync::mpsc::unbounded_channel();
        let handler = Answer(move |request: Incoming| {
            sender.send((request.body, running.fetch_add(1, Ordering::SeqCst) + 1)).unwrap();
            let running = Arc::clone(&running);
            async move {
                // Long enough for all that is there to be read, if it were.
                for _ in 0..20 {
                    tokio::task::yield_now().await;
                }
                running.fetch_sub(1, Ordering::SeqCst);
                Bytes::new()
            }
        });
        let (_server, address) = serve(config(1).limits(limits), Arc::new(handler)).await;
        let client = Transport::client(config(2)).unwrap();
        let peer = client.peer(&address).unwrap();
        for number in 10..40u8 {
            peer.cast(request(number.to_string())).unwrap();
        }
        let mut most = 0;
        for number in 10..40u8 {
            let (body, at_a_time) = began.recv().await.unwrap();
            assert_eq!(body, number.to_string());
            most = at_a_time.max(most);
        }
        assert_eq!(most, 2, "with {limits:?}");
    }
}

#[tokio::test]
async fn incomplete_messages_are_bounded() {
    let (_server, address) = serve(config(1), echo()).await;
    let mut raw = Raw::dial(&address, &Hello::of(id(7))).await;
    let begin = |id| Head { flags: MORE, ..Head::new(Kind::Request, id) };
    let last = u64::try_from(LARGE_MESSAGES_MAX).unwrap();
    for number in 1..=last {
        raw.send(begin(number), b"a").await;
    }
    // At the limit all is well; a cancelled one makes room for another.
    raw.send(Head::new(Kind::Cancel, 2), b"").await;
    raw.send(begin(last + 1), b"c").await;
    raw.send(Head { flags: CONTINUED, ..Head::new(Kind::Request, 1) }, b"b").await;
    assert_eq!(raw.receive_other().await.unwrap().payload, "ab");
    raw.send(begin(last + 2), b"d").await;
    raw.send(begin(last + 3), b"e").await;
    assert_eq!(raw.receive_other().await.unwrap().head.code, Code::MALFORMED);
}

#[tokio::test]
async fn peers_are_bounded() {
    let limits = Limits { peers: 2, ..Limits::default() };
    let client = Transport::client(config(2).limits(limits)).unwrap();
    let one = client.peer("127.0.0.1:1").unwrap();
    client.peer("127.0.0.1:2").unwrap();
    client.peer("127.0.0.1:1").unwrap();
    assert_eq!(client.peer("127.0.0.1:3").unwrap_err(), PeerError::TooMany { limit: 2 });
    one.close();
    client.peer("127.0.0.1:3").unwrap();
    let long = "a".repeat(256);
    assert_eq!(client.peer(&long).unwrap_err(), PeerError::AddressTooLong { bytes: 256 });
}

#[tokio::test]
async fn settings_that_cannot_be_are_refused() {
    let bad = |config| Transport::client(config).unwrap_err();
    let limits = Limits { half_open: 0, ..Limits::default() };
    assert!(matches!(bad(config(1).limits(limits)), StartError::Limit("half_open")));
    let mut named = config(1);
    named.cluster = String::new();
    assert!(matches!(bad(named.clone()), StartError::Cluster { bytes: 0 }));
    named.cluster = "a".repeat(256);
    assert!(matches!(bad(named.clone()), StartError::Cluster { bytes: 256 }));
    named.cluster = "a".repeat(255);
    named.address = Some("a".repeat(255));
    Transport::client(named.clone()).unwrap();
    named.address = Some("a".repeat(256));
    assert!(matches!(bad(named), StartError::AddressTooLong { bytes: 256 }));
}

#[test]
fn a_transport_needs_a_runtime() {
    assert!(matches!(Transport::client(config(1)), Err(StartError::NoRuntime)));
}
