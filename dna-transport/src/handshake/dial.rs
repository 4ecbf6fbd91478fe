//! The handshake of the side that connects.

use tokio::io::{AsyncRead, AsyncWrite};

use super::{
    HandshakeError, Local, Refusal, Remote,
    proof::{Role, is_proof, proof},
    say::{Challenge, Hello, Proving, encode_refusal, read, write},
};
use crate::{
    PeerId,
    wire::{VERSION_HIGHEST, VERSION_LOWEST},
};

/// Says who this node is, and learns who the other one is. `nonce` must be new and unguessable. `claims` is asked whether
/// there may be a connection to that node.
pub(crate) async fn dial(
    socket: &mut (impl AsyncRead + AsyncWrite + Unpin),
    local: &Local,
    expected: Option<PeerId>,
    nonce: [u8; 32],
    claims: &mut (impl FnMut(PeerId) -> bool + Send),
) -> Result<Remote, HandshakeError> {
    let result = exchange(socket, local, expected, nonce, claims).await;
    if let Err(HandshakeError::Here(refusal)) = &result {
        // That the other side cannot be told changes nothing.
        write(socket, &encode_refusal(*refusal)).await.ok();
    }
    result
}

async fn exchange(
    socket: &mut (impl AsyncRead + AsyncWrite + Unpin),
    local: &Local,
    expected: Option<PeerId>,
    nonce: [u8; 32],
    claims: &mut (impl FnMut(PeerId) -> bool + Send),
) -> Result<Remote, HandshakeError> {
    let hello = Hello {
        lowest: VERSION_LOWEST,
        highest: VERSION_HIGHEST,
        has_secret: local.secret.is_some(),
        id: local.id,
        nonce,
        message_bytes: u32::try_from(local.message_bytes).unwrap_or(u32::MAX),
        expected,
        cluster: local.cluster.clone(),
        address: local.address.clone(),
    };
    let hello = hello.encode();
    write(socket, &hello).await?;

    let challenge_bytes = read(socket).await?;
    let challenge = Challenge::decode(&challenge_bytes)?;
    if !(VERSION_LOWEST..=VERSION_HIGHEST).contains(&challenge.version) {
        let refusal = Refusal::Version { lowest: VERSION_LOWEST, highest: VERSION_HIGHEST };
        return Err(HandshakeError::Here(refusal));
    }
    if challenge.has_secret != local.secret.is_some() {
        return Err(HandshakeError::Here(Refusal::Authentication));
    }
    if challenge.id == local.id {
        return Err(HandshakeError::Here(Refusal::SameNode));
    }
    if expected.is_some_and(|expected| expected != challenge.id) {
        return Err(HandshakeError::Here(Refusal::WrongNode));
    }
    if !claims(challenge.id) {
        return Err(HandshakeError::Here(Refusal::Duplicate));
    }

    let secret = local.secret.as_ref();
    write(socket, &Proving::Proof.encode(proof(secret, Role::Dialer, &hello, &challenge_bytes))).await?;
    let welcome = Proving::Welcome.decode(&read(socket).await?)?;
    if !is_proof(secret, Role::Acceptor, &hello, &challenge_bytes, &welcome) {
        return Err(HandshakeError::Here(Refusal::Authentication));
    }
    Ok(Remote {
        id: challenge.id,
        address: challenge.address,
        version: challenge.version,
        message_bytes: usize::try_from(challenge.message_bytes).unwrap_or(usize::MAX),
        requests: usize::try_from(challenge.requests).unwrap_or(usize::MAX),
    })
}
