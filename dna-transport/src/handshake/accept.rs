//! The handshake of the side that was connected to.

use futures_util::FutureExt;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

use super::{
    HandshakeError, Local, Refusal, Remote,
    proof::{Role, is_proof, proof},
    say::{Challenge, Hello, Proving, encode_refusal, framed, read, write},
};
use crate::wire::{VERSION_HIGHEST, VERSION_LOWEST};

/// A dialer that has proved who it is and has not been told so yet.
pub(crate) struct Greeting {
    pub(crate) remote: Remote,
    welcome: Vec<u8>,
}

impl Greeting {
    /// Lets the dialer in. From here on it may send frames.
    pub(crate) async fn welcome(
        self,
        socket: &mut (impl AsyncRead + AsyncWrite + Unpin),
    ) -> Result<Remote, HandshakeError> {
        write(socket, &self.welcome).await?;
        Ok(self.remote)
    }

    /// Sends the dialer away.
    pub(crate) async fn refuse(
        self,
        socket: &mut (impl AsyncRead + AsyncWrite + Unpin),
        refusal: Refusal,
    ) -> HandshakeError {
        write(socket, &encode_refusal(refusal)).await.ok();
        HandshakeError::Here(refusal)
    }
}

/// Learns who the dialer is. `nonce` must be new and unguessable.
pub(crate) async fn accept(
    socket: &mut (impl AsyncRead + AsyncWrite + Unpin),
    local: &Local,
    nonce: [u8; 32],
) -> Result<Greeting, HandshakeError> {
    let result = exchange(socket, local, nonce).await;
    if let Err(HandshakeError::Here(refusal)) = &result {
        // That the other side cannot be told changes nothing.
        write(socket, &encode_refusal(*refusal)).await.ok();
    }
    result
}

/// Sends a dialer away before it has said a word, without waiting for it.
pub(crate) fn refuse_unheard(socket: &mut (impl AsyncRead + AsyncWrite + Unpin), refusal: Refusal) {
    // A new socket has room for these bytes.
    socket.write_all(&framed(&encode_refusal(refusal))).now_or_never();
}

async fn exchange(
    socket: &mut (impl AsyncRead + AsyncWrite + Unpin),
    local: &Local,
    nonce: [u8; 32],
) -> Result<Greeting, HandshakeError> {
    let hello_bytes = read(socket).await?;
    let hello = Hello::decode(&hello_bytes)?;
    let version = judge(&hello, local).map_err(HandshakeError::Here)?;

    let challenge = Challenge {
        version,
        has_secret: local.secret.is_some(),
        id: local.id,
        nonce,
        message_bytes: u32::try_from(local.message_bytes).unwrap_or(u32::MAX),
        requests: u32::try_from(local.requests).unwrap_or(u32::MAX),
        address: local.address.clone(),
    };
    let challenge = challenge.encode();
    write(socket, &challenge).await?;

    let secret = local.secret.as_ref();
    let proven = Proving::Proof.decode(&read(socket).await?)?;
    if !is_proof(secret, Role::Dialer, &hello_bytes, &challenge, &proven) {
        return Err(HandshakeError::Here(Refusal::Authentication));
    }
    let remote = Remote {
        id: hello.id,
        address: hello.address,
        version,
        message_bytes: usize::try_from(hello.message_bytes).unwrap_or(usize::MAX),
        requests: 0,
    };
    Ok(Greeting { remote, welcome: Proving::Welcome.encode(proof(secret, Role::Acceptor, &hello_bytes, &challenge)) })
}

/// The version to speak with this dialer.
fn judge(hello: &Hello, local: &Local) -> Result<u8, Refusal> {
    let version = hello.highest.min(VERSION_HIGHEST);
    if version < hello.lowest.max(VERSION_LOWEST) {
        return Err(Refusal::Version { lowest: VERSION_LOWEST, highest: VERSION_HIGHEST });
    }
    if hello.cluster != local.cluster {
        return Err(Refusal::Cluster);
    }
    if hello.has_secret != local.secret.is_some() {
        return Err(Refusal::Authentication);
    }
    if hello.id == local.id {
        return Err(Refusal::SameNode);
    }
    if hello.expected.is_some_and(|expected| expected != local.id) {
        return Err(Refusal::WrongNode);
    }
    Ok(version)
}
