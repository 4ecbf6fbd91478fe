//! The messages of the handshake as values, and what the two sides know of each other.

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::{
    HandshakeError, Refusal,
    proof::PROOF_BYTES,
    text::{Fields, put_text},
};
use crate::{
    PeerId,
    limits::HANDSHAKE_BYTES_MAX,
    security::Secret,
    wire::{VERSION_HIGHEST, VERSION_LOWEST},
};

const MAGIC: [u8; 4] = *b"DNAT";
const HELLO: u8 = 1;
const CHALLENGE: u8 = 2;
const PROOF: u8 = 3;
const WELCOME: u8 = 4;
const REFUSAL: u8 = 5;

/// What this node says of itself.
#[derive(Debug)]
pub(crate) struct Local {
    pub(crate) id: PeerId,
    pub(crate) cluster: String,
    pub(crate) address: String,
    pub(crate) secret: Option<Secret>,
    /// The longest message that it takes, in bytes.
    pub(crate) message_bytes: usize,
    /// How many requests of one peer it takes at a time.
    pub(crate) requests: usize,
}

/// What the other node has said of itself, and what was agreed on.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Remote {
    /// Its identity.
    pub id: PeerId,
    /// The address that it gives of itself; empty if it does not listen.
    pub address: String,
    /// The version of the protocol that both speak.
    pub version: u8,
    /// The longest message that it takes, in bytes.
    pub message_bytes: usize,
    /// How many requests it takes at a time.
    pub requests: usize,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Hello {
    pub(super) lowest: u8,
    pub(super) highest: u8,
    pub(super) has_secret: bool,
    pub(super) id: PeerId,
    pub(super) nonce: [u8; 32],
    pub(super) message_bytes: u32,
    pub(super) expected: Option<PeerId>,
    pub(super) cluster: String,
    pub(super) address: String,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Challenge {
    pub(super) version: u8,
    pub(super) has_secret: bool,
    pub(super) id: PeerId,
    pub(super) nonce: [u8; 32],
    pub(super) message_bytes: u32,
    pub(super) requests: u32,
    pub(super) address: String,
}

fn start(kind: u8) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.push(kind);
    bytes
}

/// The fields of a message of `kind`, or what the other side refuses with.
fn open(bytes: &[u8], kind: u8) -> Result<Fields<'_>, HandshakeError> {
    let mut fields = Fields(bytes);
    let magic = fields.array::<4>().map_err(HandshakeError::Here)?;
    let found = fields.u8().map_err(HandshakeError::Here)?;
    if magic == MAGIC && found == kind {
        return Ok(fields);
    }
    if magic == MAGIC && found == REFUSAL {
        let [number, lowest, highest] = fields.array::<3>().map_err(HandshakeError::Here)?;
        return Err(HandshakeError::There(Refusal::from_number(number, lowest, highest)));
    }
    Err(HandshakeError::Here(Refusal::NotThisProtocol))
}

impl Hello {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = start(HELLO);
        bytes.extend([self.lowest, self.highest, u8::from(self.has_secret)]);
        bytes.extend(self.id.0);
        bytes.extend(self.nonce);
        bytes.extend(self.message_bytes.to_le_bytes());
        bytes.push(u8::from(self.expected.is_some()));
        bytes.extend(self.expected.map_or([0; 16], |id| id.0));
        put_text(&mut bytes, &self.cluster);
        put_text(&mut bytes, &self.address);
        bytes
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, HandshakeError> {
        let mut fields = open(bytes, HELLO)?;
        let mut read = || {
            Ok(Hello {
                lowest: fields.u8()?,
                highest: fields.u8()?,
                has_secret: fields.flag()?,
                id: PeerId(fields.array()?),
                nonce: fields.array()?,
                message_bytes: fields.u32()?,
                expected: {
                    let is_expected = fields.flag()?;
                    let id = PeerId(fields.array()?);
                    is_expected.then_some(id)
                },
                cluster: fields.text()?.to_owned(),
                address: fields.text()?.to_owned(),
            })
        };
        read().map_err(HandshakeError::Here)
    }
}

impl Challenge {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = start(CHALLENGE);
        bytes.extend([self.version, u8::from(self.has_secret)]);
        bytes.extend(self.id.0);
        bytes.extend(self.nonce);
        bytes.extend(self.message_bytes.to_le_bytes());
        bytes.extend(self.requests.to_le_bytes());
        put_text(&mut bytes, &self.address);
        bytes
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, HandshakeError> {
        let mut fields = open(bytes, CHALLENGE)?;
        let mut read = || {
            Ok(Challenge {
                version: fields.u8()?,
                has_secret: fields.flag()?,
                id: PeerId(fields.array()?),
                nonce: fields.array()?,
                message_bytes: fields.u32()?,
                requests: fields.u32()?,
                address: fields.text()?.to_owned(),
            })
        };
        read().map_err(HandshakeError::Here)
    }
}

/// The two messages that carry nothing but a proof.
#[derive(Debug, Clone, Copy)]
pub(super) enum Proving {
    Proof,
    Welcome,
}

impl Proving {
    fn number(self) -> u8 {
        match self {
            Proving::Proof => PROOF,
            Proving::Welcome => WELCOME,
        }
    }

    pub(super) fn encode(self, proof: [u8; PROOF_BYTES]) -> Vec<u8> {
        let mut bytes = start(self.number());
        bytes.extend(proof);
        bytes
    }

    pub(super) fn decode(self, bytes: &[u8]) -> Result<[u8; PROOF_BYTES], HandshakeError> {
        open(bytes, self.number())?.array().map_err(HandshakeError::Here)
    }
}

pub(super) fn encode_refusal(refusal: Refusal) -> Vec<u8> {
    let mut bytes = start(REFUSAL);
    bytes.extend([refusal.number(), VERSION_LOWEST, VERSION_HIGHEST]);
    bytes
}

/// Decodes bytes as every message in turn.
#[cfg(feature = "testing")]
pub(crate) fn decode_any(bytes: &[u8]) -> bool {
    let hello = Hello::decode(bytes).is_ok_and(|hello| Hello::decode(&hello.encode()).is_ok_and(|same| same == hello));
    let challenge = Challenge::decode(bytes)
        .is_ok_and(|challenge| Challenge::decode(&challenge.encode()).is_ok_and(|same| same == challenge));
    let proving = [Proving::Proof, Proving::Welcome].into_iter().any(|kind| kind.decode(bytes).is_ok());
    hello || challenge || proving
}

/// Reads one message. Nothing is allocated before its length is known to be small, and nothing behind it is read.
pub(super) async fn read(socket: &mut (impl AsyncRead + Unpin)) -> Result<Vec<u8>, HandshakeError> {
    let mut length = [0; 4];
    socket.read_exact(&mut length).await?;
    let length = usize::try_from(u32::from_le_bytes(length)).unwrap_or(usize::MAX);
    if length > HANDSHAKE_BYTES_MAX {
        return Err(HandshakeError::Here(Refusal::NotThisProtocol));
    }
    let mut bytes = vec![0; length];
    socket.read_exact(&mut bytes).await?;
    Ok(bytes)
}

pub(super) fn framed(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
    [&length.to_le_bytes(), message].concat()
}

pub(super) async fn write(socket: &mut (impl AsyncWrite + Unpin), message: &[u8]) -> Result<(), HandshakeError> {
    socket.write_all(&framed(message)).await?;
    socket.flush().await?;
    Ok(())
}
