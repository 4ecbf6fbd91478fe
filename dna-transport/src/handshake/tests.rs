//! The bytes of the handshake, pinned.

use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

use super::{
    proof::{Role, is_proof, proof},
    say::{Challenge, Hello, Proving, encode_refusal},
    *,
};
use crate::{PeerId, security::Secret};

fn hello() -> Hello {
    Hello {
        lowest: 1,
        highest: 2,
        has_secret: true,
        id: PeerId([0xaa; 16]),
        nonce: [0xbb; 32],
        message_bytes: 0x0102_0304,
        expected: Some(PeerId([0xcc; 16])),
        cluster: "shop".to_owned(),
        address: "a:1".to_owned(),
    }
}

fn challenge() -> Challenge {
    Challenge {
        version: 1,
        has_secret: true,
        id: PeerId([0xcc; 16]),
        nonce: [0xdd; 32],
        message_bytes: 5,
        requests: 6,
        address: "b:2".to_owned(),
    }
}

#[test]
fn the_bytes_of_the_messages_are_these() {
    let expected =
        [&b"DNAT\x01\x01\x02\x01"[..], &[0xaa; 16], &[0xbb; 32], &[4, 3, 2, 1, 1], &[0xcc; 16], b"\x04shop\x03a:1"]
            .concat();
    assert_eq!(hello().encode(), expected);
    assert_eq!(Hello::decode(&expected).unwrap(), hello());

    let expected = [&b"DNAT\x02\x01\x01"[..], &[0xcc; 16], &[0xdd; 32], &[5, 0, 0, 0, 6, 0, 0, 0], b"\x03b:2"].concat();
    assert_eq!(challenge().encode(), expected);
    assert_eq!(Challenge::decode(&expected).unwrap(), challenge());

    assert_eq!(Proving::Proof.encode([7; 32]), [&b"DNAT\x03"[..], &[7; 32]].concat());
    assert_eq!(Proving::Welcome.encode([7; 32]), [&b"DNAT\x04"[..], &[7; 32]].concat());
    assert_eq!(encode_refusal(Refusal::Cluster), b"DNAT\x05\x03\x01\x01");
}

#[test]
fn what_stands_behind_the_last_field_is_skipped() {
    let longer = |mut bytes: Vec<u8>| {
        bytes.extend(b"of a later version");
        bytes
    };
    assert_eq!(Hello::decode(&longer(hello().encode())).unwrap(), hello());
    assert_eq!(Challenge::decode(&longer(challenge().encode())).unwrap(), challenge());
}

#[test]
fn a_message_that_is_cut_short_is_none() {
    for whole in [hello().encode(), challenge().encode(), Proving::Proof.encode([1; 32])] {
        for bytes in 0..whole.len() {
            let cut = &whole[..bytes];
            assert!(Hello::decode(cut).is_err() && Challenge::decode(cut).is_err(), "{bytes}");
            assert!(Proving::Proof.decode(cut).is_err(), "{bytes}");
        }
    }
}

#[test]
fn every_refusal_reaches_the_other_side_as_it_is() {
    let version = Refusal::Version { lowest: 1, highest: 1 };
    for refusal in [
        Refusal::NotThisProtocol,
        version,
        Refusal::Cluster,
        Refusal::Authentication,
        Refusal::WrongNode,
        Refusal::SameNode,
        Refusal::Busy,
        Refusal::Closing,
        Refusal::TooSlow,
        Refusal::Duplicate,
        Refusal::Other(77),
    ] {
        let Err(HandshakeError::There(there)) = Hello::decode(&encode_refusal(refusal)) else { panic!("{refusal}") };
        assert_eq!(there, refusal);
    }
}

#[test]
fn a_proof_holds_for_its_role_its_messages_and_its_secret_alone() {
    let (secret, other) = (Secret::new([1; 32]).unwrap(), Secret::new([2; 32]).unwrap());
    let right = proof(Some(&secret), Role::Dialer, b"hello", b"challenge");
    assert!(is_proof(Some(&secret), Role::Dialer, b"hello", b"challenge", &right));
    assert!(!is_proof(Some(&secret), Role::Acceptor, b"hello", b"challenge", &right));
    assert!(!is_proof(Some(&secret), Role::Dialer, b"hell", b"ochallenge", &right));
    assert!(!is_proof(Some(&secret), Role::Dialer, b"hello", b"challengf", &right));
    assert!(!is_proof(Some(&other), Role::Dialer, b"hello", b"challenge", &right));
    assert!(!is_proof(None, Role::Dialer, b"hello", b"challenge", &right));
    assert!(!is_proof(Some(&secret), Role::Dialer, b"hello", b"challenge", &[0; 32]));
    assert!(is_proof(None, Role::Dialer, b"hello", b"challenge", &[0; 32]));
}

/// Computed with another implementation of HMAC-SHA-256, over the lengths as u64 and the parts.
#[test]
fn the_bytes_of_a_proof_are_these() {
    let secret = Secret::new(*b"0123456789abcdef0123456789abcdef").unwrap();
    let expected = "f9030da272274cc781f1ccd9bab34c6d24cf6e6d545c8ead18c7561b8d99ec23";
    let hex = |bytes: [u8; 32]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    assert_eq!(hex(proof(Some(&secret), Role::Dialer, b"hello", b"challenge")), expected);
}

#[tokio::test]
async fn nothing_is_read_beyond_the_handshake() {
    let local = |number| Local {
        id: PeerId([number; 16]),
        cluster: "shop".to_owned(),
        address: String::new(),
        secret: Some(Secret::new([1; 32]).unwrap()),
        message_bytes: 1_000,
        requests: 10,
    };
    let (mut dialer, mut acceptor) = duplex(10_000);
    let (one, two) = (local(1), local(2));
    let dialing = async {
        let remote = dial(&mut dialer, &one, Some(two.id), [3; 32], &mut |_| true).await.unwrap();
        dialer.write_all(b"frames").await.unwrap();
        remote
    };
    let accepting = async {
        let remote = accept(&mut acceptor, &two, [4; 32]).await.unwrap().welcome(&mut acceptor).await.unwrap();
        acceptor.write_all(b"replies").await.unwrap();
        remote
    };
    let (there, here) = tokio::join!(dialing, accepting);
    assert_eq!((there.id, there.requests, here.id), (two.id, 10, one.id));
    let (mut frames, mut replies) = ([0; 6], [0; 7]);
    acceptor.read_exact(&mut frames).await.unwrap();
    dialer.read_exact(&mut replies).await.unwrap();
    assert_eq!((&frames, &replies), (b"frames", b"replies"));
}
