//! The two sides of the protocol by hand, byte by byte, for peers that do not keep to it.

use bytes::{Bytes, BytesMut};
use dna_transport::{
    PeerId,
    wire::{Frame, FrameCodec, Head, Kind},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// A socket and what was read from it.
pub(crate) struct Raw {
    pub(crate) socket: TcpStream,
    read: BytesMut,
}

/// The fields of a hello that tests turn.
#[derive(Clone)]
pub(crate) struct Hello {
    pub(crate) magic: [u8; 4],
    pub(crate) versions: [u8; 2],
    pub(crate) has_secret: u8,
    pub(crate) id: PeerId,
    pub(crate) expected: Option<PeerId>,
    pub(crate) cluster: &'static str,
    pub(crate) trailing: Vec<u8>,
}

impl Hello {
    pub(crate) fn of(id: PeerId) -> Self {
        Hello {
            magic: *b"DNAT",
            versions: [1, 1],
            has_secret: 0,
            id,
            expected: None,
            cluster: "test",
            trailing: Vec::new(),
        }
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.magic.to_vec();
        bytes.push(1);
        bytes.extend(self.versions);
        bytes.push(self.has_secret);
        bytes.extend(self.id.0);
        bytes.extend([9; 32]);
        bytes.extend((32u32 << 20).to_le_bytes());
        bytes.push(u8::from(self.expected.is_some()));
        bytes.extend(self.expected.map_or([0; 16], |id| id.0));
        bytes.push(u8::try_from(self.cluster.len()).unwrap());
        bytes.extend(self.cluster.bytes());
        bytes.push(0);
        bytes.extend(&self.trailing);
        bytes
    }
}

/// A message of the handshake without a shared secret.
pub(crate) fn proof(kind: u8) -> Vec<u8> {
    [b"DNAT".as_slice(), &[kind], &[0; 32]].concat()
}

impl Raw {
    pub(crate) async fn connect(address: &str) -> Self {
        Raw::of(TcpStream::connect(address).await.unwrap())
    }

    pub(crate) fn of(socket: TcpStream) -> Self {
        Raw { socket, read: BytesMut::new() }
    }

    /// Connects, and is let in.
    pub(crate) async fn dial(address: &str, hello: &Hello) -> Self {
        let mut raw = Raw::connect(address).await;
        raw.say(&hello.bytes()).await;
        let challenge = raw.hear().await.expect("a challenge");
        assert_eq!(challenge[..5], *b"DNAT\x02");
        raw.say(&proof(3)).await;
        assert_eq!(raw.hear().await.expect("a welcome"), proof(4));
        raw
    }

    /// Accepts a dialer without a secret, as the node `id`.
    pub(crate) async fn accept(listener: &TcpListener, id: PeerId) -> Self {
        let (socket, _) = listener.accept().await.unwrap();
        let mut raw = Raw::of(socket);
        let hello = raw.hear().await.expect("a hello");
        assert_eq!(hello[..5], *b"DNAT\x01");
        let mut challenge = b"DNAT\x02\x01\x00".to_vec();
        challenge.extend(id.0);
        challenge.extend([8; 32]);
        challenge.extend((32u32 << 20).to_le_bytes());
        challenge.extend(1_000u32.to_le_bytes());
        challenge.push(0);
        raw.say(&challenge).await;
        assert_eq!(raw.hear().await.expect("a proof"), proof(3));
        raw.say(&proof(4)).await;
        raw
    }

    /// Sends a message of the handshake.
    pub(crate) async fn say(&mut self, message: &[u8]) {
        let length = u32::try_from(message.len()).unwrap().to_le_bytes();
        self.socket.write_all(&[&length, message].concat()).await.unwrap();
    }

    /// The next message of the handshake, or `None` if the other side hangs up.
    pub(crate) async fn hear(&mut self) -> Option<Vec<u8>> {
        let mut length = [0; 4];
        self.socket.read_exact(&mut length).await.ok()?;
        let mut bytes = vec![0; usize::try_from(u32::from_le_bytes(length)).unwrap()];
        self.socket.read_exact(&mut bytes).await.ok()?;
        Some(bytes)
    }

    pub(crate) async fn send(&mut self, head: Head, payload: &[u8]) {
        self.socket.write_all(&frame(head, payload)).await.unwrap();
    }

    /// The next frame, or `None` if the other side hangs up.
    pub(crate) async fn receive(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = FrameCodec::new(1).next(&mut self.read).unwrap() {
                return Some(frame);
            }
            if self.socket.read_buf(&mut self.read).await.ok()? == 0 {
                return None;
            }
        }
    }

    /// The next frame that is no ping.
    pub(crate) async fn receive_other(&mut self) -> Option<Frame> {
        loop {
            let frame = self.receive().await?;
            if frame.head.kind != Kind::Ping {
                return Some(frame);
            }
        }
    }

    pub(crate) async fn reply(&mut self, id: u64, body: &[u8]) {
        self.send(Head::new(Kind::Reply, id), body).await;
    }
}

pub(crate) fn frame(head: Head, payload: &[u8]) -> Bytes {
    let mut bytes = BytesMut::new();
    head.write(1, payload.len(), &mut bytes);
    bytes.extend_from_slice(payload);
    bytes.freeze()
}
