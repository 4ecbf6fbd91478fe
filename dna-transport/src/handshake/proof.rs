//! The proof of the shared secret.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::security::Secret;

/// Bytes of a proof.
pub(super) const PROOF_BYTES: usize = 32;

/// Who proves. A proof of one role is none of the other, so that it cannot be sent back.
#[derive(Debug, Clone, Copy)]
pub(super) enum Role {
    Dialer,
    Acceptor,
}

/// The proof of `role` over the two first messages. Zeros without a secret.
pub(super) fn proof(secret: Option<&Secret>, role: Role, hello: &[u8], challenge: &[u8]) -> [u8; PROOF_BYTES] {
    match secret.and_then(|secret| over(secret, role, hello, challenge)) {
        Some(mac) => mac.finalize().into_bytes().into(),
        None => [0; PROOF_BYTES],
    }
}

/// Whether it is the proof of `role`. Takes the same time for every wrong one.
pub(super) fn is_proof(
    secret: Option<&Secret>,
    role: Role,
    hello: &[u8],
    challenge: &[u8],
    proof: &[u8; PROOF_BYTES],
) -> bool {
    match secret {
        Some(secret) => over(secret, role, hello, challenge).is_some_and(|mac| mac.verify_slice(proof).is_ok()),
        None => *proof == [0; PROOF_BYTES],
    }
}

fn over(secret: &Secret, role: Role, hello: &[u8], challenge: &[u8]) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.bytes()).ok()?;
    let role: &[u8] = match role {
        Role::Dialer => b"dna-transport dialer",
        Role::Acceptor => b"dna-transport acceptor",
    };
    for part in [role, hello, challenge] {
        mac.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
        mac.update(part);
    }
    Some(mac)
}
