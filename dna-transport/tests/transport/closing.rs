//! The end of a transport in good order, seen from both sides.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use dna_transport::{
    CallError, Event, Incoming, Lost, Outcome, PeerError, Tcp, Transport,
    wire::{Code, Head, Kind},
};
use tokio::sync::{mpsc, watch};

use crate::{
    raw::{Hello, Raw},
    support::{Answer, Hung, LONG, config, ear, echo, hanging, id, pair, request, serve, telling},
};

/// Answers when the gate opens. Tells when a message comes.
fn gated() -> (Arc<impl dna_transport::Handler>, mpsc::UnboundedReceiver<()>, watch::Sender<bool>) {
    let (open, gate) = watch::channel(false);
    let (sender, began) = mpsc::unbounded_channel();
    let handler = Answer(move |request: Incoming| {
        let mut gate = gate.clone();
        sender.send(()).unwrap();
        async move {
            gate.wait_for(|open| *open).await.unwrap();
            request.body
        }
    });
    (Arc::new(handler), began, open)
}

#[tokio::test]
async fn a_server_that_closes_answers_what_is_under_way_and_takes_nothing_new() {
    let (handler, mut began, open) = gated();
    let (observer, heard) = ear();
    let (server, address) = serve(config(1), handler).await;
    let client = Transport::client(config(2).observer(observer)).unwrap();
    let peer = client.peer(&address).unwrap();
    let under_way = peer.call(request("under way"));
    began.recv().await.unwrap();

    let closing = tokio::spawn({
        let server = server.clone();
        async move { server.close(LONG).await }
    });
    // The client learns of it by a frame; from then on it sends nothing there.
    let refused = loop {
        tokio::task::yield_now().await;
        match peer.cast(request("new")) {
            Ok(()) => {}
            Err(error) => break error,
        }
    };
    assert_eq!(refused, CallError::PeerClosing);
    assert_eq!(peer.call(request("new")).await, Err(CallError::PeerClosing));
    assert_eq!(CallError::PeerClosing.outcome(), Outcome::NotHandled);

    open.send_replace(true);
    assert_eq!(under_way.await.unwrap(), "under way");
    closing.await.unwrap();
    let why = heard.next(|event| if let Event::Disconnected { why, .. } = event { Some(why) } else { None }).await;
    assert_eq!(why, Lost::Done);
}

#[tokio::test]
async fn a_request_that_crosses_the_goodbye_is_sent_back_unread() {
    let (handler, mut began, open) = gated();
    let (server, address) = serve(config(1), handler).await;
    let mut raw = Raw::dial(&address, &Hello::of(id(7))).await;
    raw.send(Head::new(Kind::Request, 1), b"a").await;
    began.recv().await.unwrap();
    let closing = tokio::spawn(async move { server.close(LONG).await });
    assert_eq!(raw.receive_other().await.unwrap().head.kind, Kind::GoAway);

    raw.send(Head::new(Kind::Request, 2), b"b").await;
    let error = raw.receive_other().await.unwrap();
    assert_eq!((error.head.kind, error.head.id, error.head.code), (Kind::Error, 2, Code::CLOSING));
    raw.send(Head::new(Kind::GoAway, 0), b"").await;
    open.send_replace(true);
    assert_eq!(raw.receive_other().await.unwrap().payload, "a");
    let end = raw.receive_other().await.unwrap();
    assert_eq!((end.head.kind, end.head.code), (Kind::Close, Code::DONE));
    drop(raw);
    closing.await.unwrap();
    assert!(began.try_recv().is_err(), "the handler was not called with the second one");
}

#[tokio::test]
async fn a_client_that_closes_sends_what_is_queued_and_waits_for_its_replies() {
    let (handler, mut received) = telling();
    let (_server, client, peer) = pair(handler).await;
    let casts = 100u8;
    for number in 0..casts {
        peer.cast(request(vec![number; 10_000]).stream(1)).unwrap();
    }
    let call = peer.call(request("last").stream(1));
    let (reply, ()) = tokio::join!(call, client.close(LONG));
    reply.unwrap();
    for number in 0..casts {
        assert_eq!(received.recv().await.unwrap().body[0], number);
    }
    assert_eq!(received.recv().await.unwrap().body, "last");
    assert_eq!(peer.call(request("late")).await, Err(CallError::Closed { outcome: Outcome::NotHandled }));
    assert_eq!(client.peer("127.0.0.1:1").unwrap_err(), PeerError::Closed);
}

#[tokio::test]
async fn what_is_not_done_by_the_deadline_is_cut_off() {
    let (handler, mut hung) = hanging();
    let (server, _client, peer) = pair(handler).await;
    let call = peer.call(request("x"));
    assert_eq!(hung.recv().await.unwrap(), Hung::Began("x".into()));
    server.close(Duration::from_millis(50)).await;
    assert_eq!(hung.recv().await.unwrap(), Hung::Dropped("x".into()));
    assert_eq!(call.await, Err(CallError::ConnectionLost(Lost::Told("the node ends".to_owned()))));
}

#[tokio::test]
async fn a_transport_without_connections_closes_at_once() {
    let (server, _) = serve(config(1), echo()).await;
    server.close(LONG).await;
    server.close(LONG).await;
}

#[tokio::test]
async fn the_last_handle_takes_the_transport_with_it() {
    let (server, client, peer) = pair(echo()).await;
    assert_eq!(peer.call(request("a")).await.unwrap(), "a");
    let clone = client.clone();
    drop(client);
    assert_eq!(peer.call(request("b")).await.unwrap(), "b");
    drop(clone);
    assert_eq!(peer.call(request("c")).await, Err(CallError::Closed { outcome: Outcome::NotHandled }));
    server.close(LONG).await;
}

#[tokio::test]
async fn a_listener_serves_one_transport_after_the_other() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let listener: Arc<dyn dna_transport::Listener> = Arc::new(Tcp::listener(listener).unwrap());
    let address = listener.local_address().unwrap().to_string();
    let client = Transport::client(config(9)).unwrap();
    for number in 1..=3 {
        let handler = Answer(move |_| std::future::ready(Bytes::from(vec![number])));
        let server = Transport::serve_on(config(number), Arc::clone(&listener), Arc::new(handler)).unwrap();
        let peer = client.node(id(number), &address).unwrap();
        assert_eq!(peer.call(request("who")).await.unwrap()[..], [number]);
        peer.close();
        server.close(LONG).await;
    }
}
