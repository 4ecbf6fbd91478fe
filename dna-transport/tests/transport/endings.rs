//! Connections that break, come back, or take the place of others: what callers may conclude.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use dna_transport::{
    CallError, Config, ConnectError, Event, Incoming, Lost, Malformed, Outcome, PeerId, Refusal, Request, Side, Timing,
    Transport,
    wire::{Code, Head, Kind, MORE},
};
use tokio::net::TcpListener;

use crate::{
    raw::{Hello, Raw},
    support::{Answer, Hung, LONG, config, ear, echo, hanging, id, pair, pattern, request, serve, telling},
};

/// A listener of a peer by hand, and a client that knows it.
async fn by_hand(config: Config) -> (TcpListener, Transport, dna_transport::Peer) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = Transport::client(config).unwrap();
    let peer = client.peer(&listener.local_addr().unwrap().to_string()).unwrap();
    (listener, client, peer)
}

#[tokio::test]
async fn a_cut_in_the_middle_of_a_message_tells_what_had_left_from_what_had_not() {
    let (listener, _client, peer) = by_hand(config(2)).await;
    let answered = peer.call(request("answered"));
    let mut first = Raw::accept(&listener, id(1)).await;
    let frame = first.receive().await.unwrap();
    first.reply(frame.head.id, b"yes").await;
    assert_eq!(answered.await.unwrap(), "yes");

    let small = peer.call(request("small"));
    let large = peer.call(request(pattern(16 << 20)).stream(1));
    let behind = peer.call(request("behind").stream(1));
    assert_eq!(first.receive().await.unwrap().payload, "small");
    // A part of the large one is here, and it cannot be all of it.
    assert_eq!(first.receive().await.unwrap().head.flags & MORE, MORE);
    drop(first);

    for lost in [small, large] {
        let error = lost.await.unwrap_err();
        assert!(matches!(error, CallError::ConnectionLost(Lost::HungUp | Lost::Io(_))), "{error}");
        assert_eq!(error.outcome(), Outcome::Unknown);
    }
    // What had not begun goes out on the next connection, and nothing else does.
    let mut second = Raw::accept(&listener, id(1)).await;
    let frame = second.receive().await.unwrap();
    assert_eq!((&frame.payload[..], frame.head.stream), (&b"behind"[..], 1));
    second.reply(frame.head.id, b"late").await;
    assert_eq!(behind.await.unwrap(), "late");
}

#[tokio::test]
async fn what_waits_keeps_its_order_over_connections() {
    let (listener, _client, peer) = by_hand(config(2)).await;
    peer.cast(request("first")).unwrap();
    let mut connection = Raw::accept(&listener, id(1)).await;
    assert_eq!(connection.receive().await.unwrap().payload, "first");
    let large = peer.call(request(pattern(16 << 20)).stream(5));
    assert_eq!(connection.receive().await.unwrap().head.flags & MORE, MORE);
    for number in 0..10u8 {
        peer.cast(request(vec![number]).stream(5)).unwrap();
    }
    drop(connection);
    assert_eq!(large.await.unwrap_err().outcome(), Outcome::Unknown);
    for number in 10..20u8 {
        peer.cast(request(vec![number]).stream(5)).unwrap();
    }
    let mut connection = Raw::accept(&listener, id(1)).await;
    for number in 0..20u8 {
        assert_eq!(connection.receive().await.unwrap().payload[..], [number]);
    }
}

#[tokio::test]
async fn a_node_that_comes_back_is_connected_to_again() {
    let (server, address) = serve(config(1), echo()).await;
    let client = Transport::client(config(2)).unwrap();
    let peer = client.node(id(1), &address).unwrap();
    assert_eq!(peer.call(request("a")).await.unwrap(), "a");
    server.abort();
    server.close(LONG).await;

    let waiting = peer.call(request("b"));
    let again = Transport::serve(config(1), &address, echo()).await.unwrap();
    assert_eq!(waiting.await.unwrap(), "b");
    drop(again);
}

#[tokio::test]
async fn another_node_at_the_address_is_refused() {
    let (_server, address) = serve(config(3), echo()).await;
    let client = Transport::client(config(2)).unwrap();
    let peer = client.node(id(1), &address).unwrap();
    let error = peer.call(request("a")).await.unwrap_err();
    assert_eq!(error, CallError::Refused { side: Side::There, reason: Refusal::WrongNode });
    assert_eq!(error.outcome(), Outcome::NotHandled);
}

#[tokio::test]
async fn a_node_refuses_itself() {
    let (server, address) = serve(config(1), echo()).await;
    let error = server.peer(&address).unwrap().connect().await.unwrap_err();
    assert_eq!(error, ConnectError::Refused { address, side: Side::There, reason: Refusal::SameNode });
}

#[tokio::test]
async fn two_ways_to_one_node_do_not_replace_each_other() {
    let (_server, address) = serve(config(1), echo()).await;
    let client = Transport::client(config(2)).unwrap();
    let (by_address, by_id) = (client.peer(&address).unwrap(), client.node(id(1), &address).unwrap());
    assert_eq!(by_address.call(request("a")).await.unwrap(), "a");
    let error = by_id.call(request("b")).await.unwrap_err();
    assert_eq!(error, CallError::Refused { side: Side::Here, reason: Refusal::Duplicate });
    assert_eq!(by_address.call(request("c")).await.unwrap(), "c");
}

#[tokio::test]
async fn nobody_at_the_address_is_told_to_who_asks_for_a_connection() {
    let client = Transport::client(config(2)).unwrap();
    let (listener, _, peer) = by_hand(config(3)).await;
    let address = peer.address().to_owned();
    drop(listener);
    let error = client.peer(&address).unwrap().connect().await.unwrap_err();
    assert_eq!(error, ConnectError::Unreachable { address, error: std::io::ErrorKind::ConnectionRefused });
}

#[tokio::test]
async fn the_handler_of_a_lost_caller_is_dropped() {
    let (handler, mut hung) = hanging();
    let (_server, client, peer) = pair(handler).await;
    let call = peer.call(request("x"));
    assert_eq!(hung.recv().await.unwrap(), Hung::Began("x".into()));
    client.abort();
    assert_eq!(call.await, Err(CallError::Closed { outcome: Outcome::Unknown }));
    assert_eq!(hung.recv().await.unwrap(), Hung::Dropped("x".into()));
}

#[tokio::test]
async fn a_closed_peer_tells_what_had_left_from_what_had_not() {
    let (listener, client, peer) = by_hand(config(2)).await;
    let left = peer.call(request("left"));
    let mut connection = Raw::accept(&listener, id(1)).await;
    assert_eq!(connection.receive().await.unwrap().payload, "left");
    let waits = peer.call(request("waits"));
    peer.close();
    assert_eq!(left.await, Err(CallError::Closed { outcome: Outcome::Unknown }));
    assert_eq!(waits.await, Err(CallError::Closed { outcome: Outcome::NotHandled }));
    assert_eq!(peer.call(request("late")).await, Err(CallError::Closed { outcome: Outcome::NotHandled }));
    // The transport has forgotten it: the same address is a new peer.
    let again = client.peer(peer.address()).unwrap();
    let call = again.call(request("again"));
    let mut connection = Raw::accept(&listener, id(1)).await;
    let frame = connection.receive().await.unwrap();
    connection.reply(frame.head.id, b"").await;
    call.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_was_closed_can_be_connected_to_again_at_once() {
    let (_server, address) = serve(config(1), echo()).await;
    let client = Transport::client(config(2)).unwrap();
    for _ in 0..50 {
        let peer = client.peer(&address).unwrap();
        assert_eq!(peer.call(request("x")).await.unwrap(), "x");
        peer.close();
    }
}

#[tokio::test]
async fn what_waits_goes_on_waiting_while_the_handshake_is_slow() {
    let timing = Timing { handshake: Duration::from_millis(50), ..Timing::default() };
    let (observer, heard) = ear();
    let (listener, _client, peer) = by_hand(config(2).timing(timing).observer(observer)).await;
    let call = peer.call(request("x"));
    let silent = listener.accept().await.unwrap();
    let refused = |event| if let Event::ConnectRefused { reason, .. } = event { Some(reason) } else { None };
    assert_eq!(heard.next(refused).await, Refusal::TooSlow);
    drop((silent, listener));
    let address = peer.address().to_owned();
    let _server = Transport::serve(config(1), &address, echo()).await.unwrap();
    assert_eq!(call.await.unwrap(), "x");
}

#[tokio::test]
async fn a_newer_connection_of_a_peer_discards_what_is_unread_of_the_older() {
    let (handler, mut received) = telling();
    let (observer, heard) = ear();
    let (_server, address) = serve(config(1).observer(observer), handler).await;
    let mut older = Raw::dial(&address, &Hello::of(id(7))).await;
    older.send(Head::new(Kind::Cast, 1), b"older").await;
    assert_eq!(received.recv().await.unwrap().body, "older");

    let mut newer = Raw::dial(&address, &Hello::of(id(7))).await;
    older.send(Head::new(Kind::Cast, 2), b"unread").await;
    newer.send(Head::new(Kind::Cast, 1), b"newer").await;
    assert_eq!(received.recv().await.unwrap().body, "newer");

    let end = older.receive_other().await.unwrap();
    assert_eq!((end.head.kind, end.head.code), (Kind::Close, Code::REPLACED));
    let why = heard.next(|event| if let Event::Left { why, .. } = event { Some(why) } else { None }).await;
    assert_eq!(why, Lost::Replaced);
    newer.send(Head::new(Kind::Cast, 2), b"last").await;
    assert_eq!(received.recv().await.unwrap().body, "last");
}

#[tokio::test]
async fn a_peer_that_breaks_the_protocol_is_told_how_before_it_is_cut() {
    let (observer, heard) = ear();
    let (_server, address) = serve(config(1).observer(observer), echo()).await;
    let (continued, unknown_flag) = (0b10, 0b1000);
    let flagged = |kind, id, flags| Head { flags, ..Head::new(kind, id) };
    let mut with_header = Head::new(Kind::Request, 1);
    with_header.request_header = 5;
    for (head, expected) in [
        (Head::new(Kind::Reply, 1), Malformed::Side(3)),
        (flagged(Kind::Request, 3, continued), Malformed::NotBegun(3)),
        (flagged(Kind::Cancel, 3, MORE), Malformed::Flags { kind: 5, flags: MORE }),
        (flagged(Kind::Cast, 3, unknown_flag), Malformed::Flags { kind: 2, flags: unknown_flag }),
        (with_header, Malformed::RequestHeader { bytes: 5 }),
    ] {
        let mut raw = Raw::dial(&address, &Hello::of(id(7))).await;
        raw.send(head, b"four").await;
        let end = raw.receive_other().await.unwrap();
        assert_eq!((end.head.kind, end.head.code), (Kind::Close, Code::MALFORMED), "{expected}");
        assert_eq!(String::from_utf8_lossy(&end.payload), expected.to_string());
        assert_eq!(raw.receive().await, None);
        let why = heard.next(|event| if let Event::Left { why, .. } = event { Some(why) } else { None }).await;
        assert_eq!(why, Lost::Malformed(expected));
    }
}

#[tokio::test]
async fn an_acceptor_that_breaks_the_protocol_costs_its_callers_the_connection() {
    let (listener, _client, peer) = by_hand(config(2)).await;
    let call = peer.call(request("x"));
    let mut connection = Raw::accept(&listener, id(1)).await;
    connection.receive().await.unwrap();
    connection.send(Head::new(Kind::Request, 1), b"").await;
    assert_eq!(call.await, Err(CallError::ConnectionLost(Lost::Malformed(Malformed::Side(1)))));
    let end = connection.receive_other().await.unwrap();
    assert_eq!((end.head.kind, end.head.code), (Kind::Close, Code::MALFORMED));
}

#[tokio::test]
async fn the_reason_that_a_peer_gives_reaches_the_caller() {
    let (listener, _client, peer) = by_hand(config(2)).await;
    let call = peer.call(request("x"));
    let mut connection = Raw::accept(&listener, id(1)).await;
    connection.receive().await.unwrap();
    let mut head = Head::new(Kind::Close, 0);
    head.code = Code(999);
    connection.send(head, b"no more\x1b[2Jtoday").await;
    let told = Lost::Told("no more [2Jtoday".to_owned());
    assert_eq!(call.await, Err(CallError::ConnectionLost(told)));
}

#[tokio::test]
async fn a_silent_peer_is_taken_for_lost() {
    let timing = Timing { keep_alive: Duration::from_millis(20), ..Timing::default() };
    let (listener, _client, peer) = by_hand(config(2).timing(timing)).await;
    let call = peer.call(request("x"));
    let mut connection = Raw::accept(&listener, id(1)).await;
    assert_eq!(connection.receive().await.unwrap().payload, "x");
    assert_eq!(connection.receive().await.unwrap().head.kind, Kind::Ping);
    assert_eq!(call.await, Err(CallError::ConnectionLost(Lost::Silent)));
}

#[tokio::test]
async fn a_ping_is_answered() {
    let (_server, address) = serve(config(1), echo()).await;
    let mut raw = Raw::dial(&address, &Hello::of(id(7))).await;
    raw.send(Head::new(Kind::Ping, 0), b"").await;
    assert_eq!(raw.receive().await.unwrap().head.kind, Kind::Pong);
}

#[tokio::test]
async fn a_cast_whose_time_is_over_before_there_is_a_connection_is_told() {
    let (observer, heard) = ear();
    let (listener, _client, peer) = by_hand(config(2).observer(observer)).await;
    drop(listener);
    for _ in 0..3 {
        peer.cast(Request::new("x").within(Duration::from_millis(20))).unwrap();
    }
    let dropped = |event| if let Event::CastsDropped { count, .. } = event { Some(count) } else { None };
    let mut count = 0;
    while count < 3 {
        count += heard.next(dropped).await;
    }
    assert_eq!(count, 3);
    assert_eq!(peer.load().queued_bytes, 0);
}

#[tokio::test]
async fn a_large_reply_that_is_cancelled_half_way_makes_room_for_the_next() {
    let large = pattern(2 << 20);
    let handler = Answer(move |request: Incoming| {
        let reply = if request.body == "large" { large.clone() } else { request.body };
        std::future::ready(reply)
    });
    let (_server, _client, peer) = pair(Arc::new(handler)).await;
    peer.connect().await.unwrap();
    for turns in 0..60 {
        let large = (0..6).map(|_| peer.call(request("large"))).collect::<Vec<_>>();
        let small = (0..50).map(|_| peer.call(request("small"))).collect::<Vec<_>>();
        for _ in 0..turns {
            tokio::task::yield_now().await;
        }
        drop(large);
        for call in small {
            assert_eq!(call.await.unwrap(), "small");
        }
    }
    assert_eq!(peer.call(request("large")).await.unwrap().len(), 2 << 20);
}

#[tokio::test]
async fn a_cast_runs_on_when_its_sender_is_gone() {
    let (sender, mut done) = tokio::sync::mpsc::unbounded_channel();
    let (open, gate) = tokio::sync::watch::channel(false);
    let handler = Answer(move |request: Incoming| {
        let (sender, mut gate) = (sender.clone(), gate.clone());
        async move {
            sender.send("began").unwrap();
            gate.wait_for(|open| *open).await.unwrap();
            sender.send("ended").unwrap();
            drop(request);
            Bytes::new()
        }
    });
    let (observer, heard) = ear();
    let (_server, address) = serve(config(1).observer(observer), Arc::new(handler)).await;
    let client = Transport::client(Config::new("test", PeerId([2; 16]))).unwrap();
    client.peer(&address).unwrap().cast(request("x")).unwrap();
    assert_eq!(done.recv().await.unwrap(), "began");
    client.abort();
    heard.next(|event| matches!(event, Event::Left { .. }).then_some(())).await;
    open.send_replace(true);
    assert_eq!(done.recv().await.unwrap(), "ended");
}
