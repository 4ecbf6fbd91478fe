//! Calls and casts between two nodes that keep to the rules.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use dna_transport::{CallError, Incoming, Outcome, Request, Transport};
use tokio::sync::mpsc;

use crate::support::{Answer, Hung, LONG, config, echo, hanging, id, pair, pattern, request, serve, telling};

#[tokio::test]
async fn a_request_reaches_the_handler_whole_and_its_reply_comes_back() {
    let (sender, mut received) = mpsc::unbounded_channel();
    let handler = Answer(move |request: Incoming| {
        let body = request.body.clone();
        sender.send(request).unwrap();
        std::future::ready([b"re: ", &body[..]].concat().into())
    });
    let (_server, _client, peer) = pair(Arc::new(handler)).await;

    let sent = Request::new("hello").header("about").stream(7).within(LONG);
    assert_eq!(peer.call(sent).await.unwrap(), "re: hello");

    let request = received.recv().await.unwrap();
    assert_eq!((&request.header[..], &request.body[..], request.stream), (&b"about"[..], &b"hello"[..], 7));
    assert_eq!(request.from.id, id(2));
    let within = request.within.unwrap();
    assert!(within <= LONG + Duration::from_millis(1) && within > LONG / 2, "{within:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_of_every_size_come_back_as_they_were() {
    let (_server, _client, peer) = pair(echo()).await;
    for bytes in [0, 1, 2_047, 2_048, 2_049, 65_535, 65_536, 65_537, 131_072, 200_000, 16 << 20] {
        let body = pattern(bytes);
        assert!(peer.call(request(body.clone())).await.unwrap() == body, "{bytes}");
        let with_header = request(body.clone()).header(pattern(1_024));
        assert!(peer.call(with_header).await.unwrap() == body, "{bytes} with a header");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_calls_are_in_flight_and_each_gets_its_own_reply() {
    let (_server, _client, peer) = pair(echo()).await;
    let tasks = (0..64u32).map(|task| {
        let peer = peer.clone();
        tokio::spawn(async move {
            for number in 0..200u32 {
                let body = Bytes::from(format!("{task} {number}"));
                assert_eq!(peer.call(request(body.clone())).await.unwrap(), body);
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    assert_eq!(peer.load().calls, 0);
}

#[tokio::test]
async fn two_nodes_call_each_other_at_the_same_time() {
    let (one, one_address) = serve(config(1), echo()).await;
    let (two, two_address) = serve(config(2), echo()).await;
    let to_two = one.node(id(2), &two_address).unwrap();
    let to_one = two.node(id(1), &one_address).unwrap();
    for number in 0..100u32 {
        let (a, b) = (to_two.call(request(format!("a{number}"))), to_one.call(request(format!("b{number}"))));
        assert_eq!(a.await.unwrap(), format!("a{number}"));
        assert_eq!(b.await.unwrap(), format!("b{number}"));
    }
}

#[tokio::test]
async fn a_cast_arrives_without_an_answer() {
    let (handler, mut received) = telling();
    let (_server, _client, peer) = pair(handler).await;
    peer.cast(Request::new("one").header("h").stream(3)).unwrap();
    let request = received.recv().await.unwrap();
    assert_eq!((&request.header[..], &request.body[..], request.stream), (&b"h"[..], &b"one"[..], 3));
}

#[tokio::test]
async fn handlers_that_wait_do_not_hold_up_others() {
    let (sender, receiver) = tokio::sync::watch::channel(false);
    let handler = Answer(move |request: Incoming| {
        let mut gate = receiver.clone();
        async move {
            if request.body == "wait" {
                gate.wait_for(|open| *open).await.unwrap();
            }
            request.body
        }
    });
    let (_server, _client, peer) = pair(Arc::new(handler)).await;
    // Of the same stream: in order is how handlers begin, not how they end.
    let waiting = peer.call(request("wait").stream(1));
    assert_eq!(peer.call(request("go").stream(1)).await.unwrap(), "go");
    sender.send_replace(true);
    assert_eq!(waiting.await.unwrap(), "wait");
}

#[tokio::test]
async fn a_dropped_call_drops_its_handler() {
    let (handler, mut hung) = hanging();
    let (_server, _client, peer) = pair(handler).await;
    let call = peer.call(request("x"));
    assert_eq!(hung.recv().await.unwrap(), Hung::Began("x".into()));
    drop(call);
    assert_eq!(hung.recv().await.unwrap(), Hung::Dropped("x".into()));
    assert_eq!(peer.load().calls, 0);
}

#[tokio::test]
async fn a_call_that_is_dropped_before_it_left_never_arrives() {
    let (handler, mut received) = telling();
    let (_server, _client, peer) = pair(handler).await;
    // The task that would write it has not had a turn.
    drop(peer.call(request("dropped")));
    peer.call(request("kept")).await.unwrap();
    assert_eq!(received.recv().await.unwrap().body, "kept");
}

#[tokio::test]
async fn a_large_call_that_is_dropped_half_way_leaves_the_connection_in_order() {
    let (handler, mut received) = telling();
    let (_server, _client, peer) = pair(handler).await;
    peer.connect().await.unwrap();
    for round in 0..20u8 {
        let large = peer.call(request(pattern(8 << 20)).stream(1));
        let behind = peer.call(request(vec![round]).stream(1));
        // Some turns for the writer: the large one has begun, and cannot be through.
        for _ in 0..round {
            tokio::task::yield_now().await;
        }
        drop(large);
        behind.await.unwrap();
        let mut last = received.recv().await.unwrap();
        if last.body.len() > 1 {
            last = received.recv().await.unwrap();
        }
        assert_eq!(last.body[..], [round]);
    }
    assert_eq!(peer.load().queued_bytes, 0);
}

#[tokio::test]
async fn a_late_call_that_never_left_says_so() {
    let client = Transport::client(config(2)).unwrap();
    // Nobody listens on this port: it was free a moment ago.
    let address = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().to_string()
    };
    let peer = client.peer(&address).unwrap();
    let error = peer.call(Request::new("x").within(Duration::from_millis(50))).await.unwrap_err();
    assert_eq!(error, CallError::DeadlineExceeded { outcome: Outcome::NotHandled });
    assert!(error.is_retryable());
    assert_eq!(peer.load().queued_bytes, 0);
}

#[tokio::test]
async fn a_panic_is_its_callers_error_alone() {
    let handler = Answer(|request: Incoming| async move {
        assert!(request.body != "at once", "wanted by the test");
        tokio::task::yield_now().await;
        assert!(request.body != "later", "wanted by the test");
        request.body
    });
    let (_server, _client, peer) = pair(Arc::new(handler)).await;
    let (at_once, later, fine) = (peer.call(request("at once")), peer.call(request("later")), peer.call(request("ok")));
    assert_eq!(at_once.await, Err(CallError::Panicked));
    assert_eq!(later.await, Err(CallError::Panicked));
    assert_eq!(fine.await.unwrap(), "ok");
}

#[tokio::test]
async fn a_handler_that_panics_before_it_has_a_future_is_its_callers_error() {
    let has_panicked = Arc::new(AtomicBool::new(false));
    let saw = Arc::clone(&has_panicked);
    let handler = Answer(move |request: Incoming| {
        assert!(saw.swap(true, Ordering::SeqCst), "wanted by the test");
        std::future::ready(request.body)
    });
    let (_server, _client, peer) = pair(Arc::new(handler)).await;
    assert_eq!(peer.call(request("a")).await, Err(CallError::Panicked));
    assert_eq!(peer.call(request("b")).await.unwrap(), "b");
}
