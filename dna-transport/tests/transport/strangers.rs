//! Who does not belong here is kept out, is told why, and costs little.

use std::{sync::Arc, time::Duration};

use dna_transport::{
    CallError, Config, ConnectError, Event, Limits, Refusal, Secret, Security, Side, StartError, Timing, Transport,
    limits::HANDSHAKE_BYTES_MAX,
    wire::{Head, Kind},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::{
    raw::{Hello, Raw, proof},
    support::{Heard, config, ear, echo, id, request, serve, telling},
};

fn secret(text: &str) -> Security {
    Security::secret(Secret::new(text).unwrap())
}

const OURS: &str = "a secret of thirty-two bytes or so";
const THEIRS: &str = "another secret of about that size";

async fn refused_there(heard: &Heard) -> (Side, Option<Refusal>) {
    heard
        .next(|event| if let Event::AcceptRefused { side, reason, .. } = event { Some((side, reason)) } else { None })
        .await
}

/// What both sides say when `dialer` connects to `acceptor`.
async fn refusals(dialer: Config, acceptor: Config) -> ((Side, Refusal), (Side, Option<Refusal>)) {
    let (observer, heard) = ear();
    let (_server, address) = serve(acceptor.observer(observer), echo()).await;
    let client = Transport::client(dialer).unwrap();
    let peer = client.peer(&address).unwrap();
    let ConnectError::Refused { side, reason, .. } = peer.connect().await.unwrap_err() else { panic!("a refusal") };
    let error = peer.call(request("x")).await.unwrap_err();
    assert_eq!(error, CallError::Refused { side, reason });
    ((side, reason), refused_there(&heard).await)
}

#[tokio::test]
async fn the_same_secret_lets_in() {
    let (_server, address) = serve(config(1).security(secret(OURS)), echo()).await;
    let client = Transport::client(config(2).security(secret(OURS))).unwrap();
    assert_eq!(client.peer(&address).unwrap().call(request("x")).await.unwrap(), "x");
}

#[tokio::test]
async fn a_wrong_secret_is_refused_on_both_sides() {
    let refused = refusals(config(2).security(secret(THEIRS)), config(1).security(secret(OURS))).await;
    let reason = Refusal::Authentication;
    assert_eq!(refused, ((Side::There, reason), (Side::Here, Some(reason))));
}

#[tokio::test]
async fn a_secret_on_one_side_alone_is_refused_on_both_sides() {
    let reason = Refusal::Authentication;
    for (dialer, acceptor) in
        [(config(2).security(secret(OURS)), config(1)), (config(2), config(1).security(secret(OURS)))]
    {
        assert_eq!(refusals(dialer, acceptor).await, ((Side::There, reason), (Side::Here, Some(reason))));
    }
}

#[tokio::test]
async fn another_cluster_is_refused_on_both_sides() {
    let refused = refusals(Config::new("other", id(2)), config(1)).await;
    assert_eq!(refused, ((Side::There, Refusal::Cluster), (Side::Here, Some(Refusal::Cluster))));
}

#[tokio::test]
async fn an_acceptor_that_does_not_know_the_secret_is_refused_by_the_dialer() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = Transport::client(config(2).security(secret(OURS))).unwrap();
    let peer = client.peer(&listener.local_addr().unwrap().to_string()).unwrap();
    let acceptor = async {
        let (socket, _) = listener.accept().await.unwrap();
        let mut raw = Raw::of(socket);
        raw.hear().await.unwrap();
        let mut challenge = b"DNAT\x02\x01\x01".to_vec();
        challenge.extend([1; 16]);
        challenge.extend([8; 32]);
        challenge.extend([0, 0, 1, 0, 1, 0, 0, 0, 0]);
        raw.say(&challenge).await;
        let theirs = raw.hear().await.unwrap();
        // The dialer's own proof, sent back, is none.
        let mut reflected = proof(4);
        reflected[5..].copy_from_slice(&theirs[5..]);
        raw.say(&reflected).await;
        raw.hear().await.unwrap()
    };
    let (refused, error) = tokio::join!(acceptor, peer.connect());
    assert_eq!(refused[..6], *b"DNAT\x05\x04");
    let ConnectError::Refused { side, reason, .. } = error.unwrap_err() else { panic!("a refusal") };
    assert_eq!((side, reason), (Side::Here, Refusal::Authentication));
}

#[tokio::test]
async fn a_recorded_handshake_lets_nobody_in() {
    let (observer, heard) = ear();
    let (handler, mut received) = telling();
    let (_server, address) = serve(config(1).security(secret(OURS)).observer(observer), handler).await;
    // One that stands in between writes down what the dialer says.
    let middle = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = Transport::client(config(2).security(secret(OURS))).unwrap();
    let peer = client.peer(&middle.local_addr().unwrap().to_string()).unwrap();
    let recording = async {
        let (dialer, _) = middle.accept().await.unwrap();
        let (mut dialer, mut acceptor) = (Raw::of(dialer), Raw::connect(&address).await);
        let mut said = Vec::new();
        for _ in 0..2 {
            said.push(dialer.hear().await.unwrap());
            acceptor.say(said.last().unwrap()).await;
            dialer.say(&acceptor.hear().await.unwrap()).await;
        }
        (said, dialer, acceptor)
    };
    let (connected, (said, dialer, acceptor)) = tokio::join!(peer.connect(), recording);
    assert_eq!(connected.unwrap().id, id(1));
    drop((dialer, acceptor));

    let mut replay = Raw::connect(&address).await;
    replay.say(&said[0]).await;
    replay.hear().await.unwrap();
    replay.say(&said[1]).await;
    assert_eq!(replay.hear().await.unwrap()[..6], *b"DNAT\x05\x04");
    assert_eq!(refused_there(&heard).await, (Side::Here, Some(Refusal::Authentication)));
    assert_eq!(replay.hear().await, None);
    assert!(received.try_recv().is_err());
}

#[tokio::test]
async fn a_stranger_does_not_end_the_connection_of_the_peer_that_it_claims_to_be() {
    let (_server, address) = serve(config(1).security(secret(OURS)), echo()).await;
    let client = Transport::client(config(2).security(secret(OURS))).unwrap();
    let peer = client.peer(&address).unwrap();
    let remote = peer.connect().await.unwrap();
    let mut stranger = Raw::connect(&address).await;
    stranger.say(&Hello { has_secret: 1, ..Hello::of(id(2)) }.bytes()).await;
    stranger.hear().await.unwrap();
    stranger.say(&proof(3)).await;
    assert_eq!(stranger.hear().await.unwrap()[..6], *b"DNAT\x05\x04");
    assert_eq!(peer.call(request("x")).await.unwrap(), "x");
    assert!(Arc::ptr_eq(&remote, &peer.connect().await.unwrap()), "the connection is still the first one");
}

#[tokio::test]
async fn listening_beyond_loopback_needs_something_against_strangers() {
    let error = Transport::serve(config(1), "0.0.0.0:0", echo()).await.unwrap_err();
    assert!(matches!(error, StartError::Insecure { .. }));
    assert!(error.to_string().contains("`Security::secret`"), "{error}");
    for address in ["127.0.0.1:0", "[::1]:0", "[::ffff:127.0.0.1]:0"] {
        match Transport::serve(config(1), address, echo()).await {
            Ok(_) | Err(StartError::Address { .. }) => {}
            Err(error) => panic!("{address}: {error}"),
        }
    }
}

#[test]
fn a_secret_has_a_shortest_length_and_is_not_shown() {
    assert_eq!(Secret::new([7; 15]).unwrap_err().bytes, 15);
    let secret = Secret::new([7; 16]).unwrap();
    assert!(!format!("{:?}", Security::secret(secret)).contains('7'));
}

#[tokio::test]
async fn garbage_is_refused_and_the_node_goes_on() {
    let (observer, heard) = ear();
    let (_server, address) = serve(config(1).observer(observer), echo()).await;
    for garbage in [
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n".to_vec(),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(),
        vec![0xff; 10_000],
        vec![0; 10_000],
        [&5u32.to_le_bytes()[..], b"DNAT\x01"].concat(),
        [&5u32.to_le_bytes()[..], b"DNAT\x09"].concat(),
        [&4096u32.to_le_bytes()[..], &[b'D'; 4096]].concat(),
    ] {
        let mut socket = TcpStream::connect(&address).await.unwrap();
        socket.write_all(&garbage).await.unwrap();
        assert_eq!(refused_there(&heard).await, (Side::Here, Some(Refusal::NotThisProtocol)), "{garbage:?}");
        drop(socket);
    }
    let client = Transport::client(config(2)).unwrap();
    assert_eq!(client.peer(&address).unwrap().call(request("x")).await.unwrap(), "x");
}

#[tokio::test]
async fn a_message_of_the_handshake_has_a_longest_length() {
    let (_server, address) = serve(config(1), echo()).await;
    let mut hello = Hello::of(id(7));
    hello.trailing = vec![1; HANDSHAKE_BYTES_MAX - hello.bytes().len()];
    let mut raw = Raw::dial(&address, &hello).await;
    raw.send(Head::new(Kind::Request, 1), b"x").await;
    assert_eq!(raw.receive_other().await.unwrap().payload, "x");

    let mut raw = Raw::connect(&address).await;
    // Nothing of it has to come for it to be refused.
    let length = u32::try_from(HANDSHAKE_BYTES_MAX + 1).unwrap();
    raw.socket.write_all(&length.to_le_bytes()).await.unwrap();
    assert_eq!(raw.hear().await.unwrap()[..6], *b"DNAT\x05\x01");
}

#[tokio::test]
async fn an_acceptor_that_says_nothing_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let timing = Timing { handshake: Duration::from_millis(50), ..Timing::default() };
    let client = Transport::client(config(2).timing(timing)).unwrap();
    let peer = client.peer(&listener.local_addr().unwrap().to_string()).unwrap();
    let ConnectError::Refused { side, reason, .. } = peer.connect().await.unwrap_err() else { panic!("a refusal") };
    assert_eq!((side, reason), (Side::Here, Refusal::TooSlow));
}

#[tokio::test]
async fn a_peer_that_is_too_many_is_sent_away_but_one_that_comes_again_is_not() {
    let limits = Limits { connections: 2, ..Limits::default() };
    let (_server, address) = serve(config(1).limits(limits), echo()).await;
    let _one = Raw::dial(&address, &Hello::of(id(7))).await;
    let mut two = Raw::dial(&address, &Hello::of(id(8))).await;
    let mut three = Raw::connect(&address).await;
    three.say(&Hello::of(id(9)).bytes()).await;
    three.hear().await.unwrap();
    three.say(&proof(3)).await;
    assert_eq!(three.hear().await.unwrap()[..6], *b"DNAT\x05\x07");

    let mut again = Raw::dial(&address, &Hello::of(id(7))).await;
    again.send(Head::new(Kind::Request, 1), b"x").await;
    assert_eq!(again.receive_other().await.unwrap().payload, "x");
    two.send(Head::new(Kind::Request, 1), b"y").await;
    assert_eq!(two.receive_other().await.unwrap().payload, "y");
}

#[tokio::test]
async fn a_frame_before_the_welcome_is_no_frame() {
    let (handler, mut received) = telling();
    let (_server, address) = serve(config(1).security(secret(OURS)), handler).await;
    let mut raw = Raw::connect(&address).await;
    raw.say(&Hello { has_secret: 1, ..Hello::of(id(7)) }.bytes()).await;
    raw.send(Head::new(Kind::Cast, 1), b"too early").await;
    raw.hear().await.unwrap();
    assert_eq!(raw.hear().await.unwrap()[..6], *b"DNAT\x05\x01");
    let mut rest = Vec::new();
    raw.socket.read_to_end(&mut rest).await.ok();
    assert!(received.try_recv().is_err());
}
