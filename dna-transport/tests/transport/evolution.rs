//! One version of the protocol back and forth: a node that knows more talks to this one, and one that knows too much, or too
//! little, is told.

use bytes::{BufMut, BytesMut};
use dna_transport::{
    Lost, Transport,
    wire::{Code, Head, Kind, Malformed},
};
use tokio::{io::AsyncWriteExt, net::TcpListener};

use crate::{
    raw::{Hello, Raw},
    support::{config, ear, echo, id, request, serve},
};

/// A hello of a later version that still speaks the first one.
fn newer() -> Hello {
    Hello { versions: [1, 2], trailing: b"fields of version 2".to_vec(), ..Hello::of(id(7)) }
}

/// A frame with a longer header, as a later version may have it.
fn longer_frame(kind: u8, flags: u8, id: u64, payload: &[u8]) -> BytesMut {
    let mut bytes = BytesMut::new();
    bytes.put_u32_le(u32::try_from(28 + 9 + payload.len()).unwrap());
    bytes.put_slice(&[1, 28 + 9, kind, flags]);
    bytes.put_u64_le(id);
    bytes.put_u64_le(0);
    bytes.put_u32_le(u32::MAX);
    bytes.put_u32_le(0);
    bytes.put_slice(b"extension");
    bytes.put_slice(payload);
    bytes
}

#[tokio::test]
async fn a_newer_dialer_that_keeps_to_the_common_version_is_understood() {
    let (_server, address) = serve(config(1), echo()).await;
    let mut raw = Raw::dial(&address, &newer()).await;
    // A kind that may be skipped, with a payload; flags that may be ignored; a longer header.
    raw.socket.write_all(&longer_frame(128, 0b1111_1111, 5, b"what is this")).await.unwrap();
    raw.socket.write_all(&longer_frame(255, 0, 6, b"")).await.unwrap();
    raw.socket.write_all(&longer_frame(1, 0b1111_0000, 7, b"hello")).await.unwrap();
    let reply = raw.receive_other().await.unwrap();
    assert_eq!((reply.head.kind, reply.head.id, &reply.payload[..]), (Kind::Reply, 7, &b"hello"[..]));
}

#[tokio::test]
async fn a_newer_acceptor_that_keeps_to_the_common_version_is_understood() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = Transport::client(config(2)).unwrap();
    let peer = client.peer(&listener.local_addr().unwrap().to_string()).unwrap();
    let call = peer.call(request("hello"));
    let mut raw = Raw::accept(&listener, id(1)).await;
    let id = raw.receive().await.unwrap().head.id;
    raw.socket.write_all(&longer_frame(200, 0, 0, &[7; 1000])).await.unwrap();
    raw.socket.write_all(&longer_frame(3, 0b0101_0000, id, b"re")).await.unwrap();
    assert_eq!(call.await.unwrap(), "re");
}

#[tokio::test]
async fn an_error_of_a_later_version_is_passed_on_as_its_number() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = Transport::client(config(2)).unwrap();
    let peer = client.peer(&listener.local_addr().unwrap().to_string()).unwrap();
    let call = peer.call(request("hello"));
    let mut raw = Raw::accept(&listener, id(1)).await;
    let mut head = Head::new(Kind::Error, raw.receive().await.unwrap().head.id);
    head.code = Code(500);
    raw.send(head, b"").await;
    assert_eq!(call.await, Err(dna_transport::CallError::Other(500)));
}

#[tokio::test]
async fn what_needs_a_new_version_ends_the_connection() {
    for (kind, flags, expected) in
        [(127, 0, Malformed::Kind(127)), (1, 0b0100, Malformed::Flags { kind: 1, flags: 0b0100 })]
    {
        let (observer, heard) = ear();
        let (_server, address) = serve(config(1).observer(observer), echo()).await;
        let mut raw = Raw::dial(&address, &newer()).await;
        raw.socket.write_all(&longer_frame(kind, flags, 1, b"")).await.unwrap();
        assert_eq!(raw.receive_other().await.unwrap().head.code, Code::MALFORMED);
        let left = |event| if let dna_transport::Event::Left { why, .. } = event { Some(why) } else { None };
        assert_eq!(heard.next(left).await, Lost::Malformed(expected));
    }
}

#[tokio::test]
async fn a_frame_of_another_version_than_was_agreed_ends_the_connection() {
    let (_server, address) = serve(config(1), echo()).await;
    let mut raw = Raw::dial(&address, &newer()).await;
    let mut frame = longer_frame(1, 0, 1, b"x");
    frame[4] = 2;
    raw.socket.write_all(&frame).await.unwrap();
    assert_eq!(raw.receive_other().await.unwrap().head.code, Code::MALFORMED);
}

#[tokio::test]
async fn no_common_version_is_refused_with_the_versions_there_are() {
    let (_server, address) = serve(config(1), echo()).await;
    for versions in [[2, 3], [0, 0], [255, 255], [3, 2]] {
        let mut raw = Raw::connect(&address).await;
        raw.say(&Hello { versions, ..Hello::of(id(7)) }.bytes()).await;
        assert_eq!(raw.hear().await.unwrap(), b"DNAT\x05\x02\x01\x01", "{versions:?}");
        assert_eq!(raw.hear().await, None);
    }
}

#[tokio::test]
async fn an_acceptor_that_speaks_only_other_versions_is_refused_with_them() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = Transport::client(config(2)).unwrap();
    let peer = client.peer(&listener.local_addr().unwrap().to_string()).unwrap();
    let acceptor = async {
        let mut raw = Raw::of(listener.accept().await.unwrap().0);
        raw.hear().await.unwrap();
        // With something behind the fields that this version knows.
        raw.say(b"DNAT\x05\x02\x04\x06 and more").await;
    };
    let ((), error) = tokio::join!(acceptor, peer.connect());
    let text = error.unwrap_err().to_string();
    assert!(text.contains("the refusing side speaks 4 to 6"), "{text}");
}
