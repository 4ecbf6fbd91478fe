//! The first bytes of a connection: both sides say who they are, and prove that they belong here, before a frame is read.
//! Knows a socket, not what comes behind.
//!
//! The side that connects is the dialer, the other one the acceptor. With TLS all of this runs inside of it.
//!
//! ```text
//! dialer                                       acceptor
//!    | hello: who I am, a nonce                    |
//!    |-------------------------------------------->|  refuses, or
//!    |      challenge: who I am, a nonce           |
//!    |<--------------------------------------------|
//!    | proof over all of this                      |
//!    |-------------------------------------------->|  refuses, or
//!    |      welcome: proof over all of this        |
//!    |<--------------------------------------------|
//! ```
//!
//! The dialer proves first, so that a stranger learns nothing that it could try secrets against. A proof is HMAC-SHA-256
//! with the shared secret over the name of the role, the bytes of the hello and those of the challenge, each after its
//! length: so over both nonces, both identities, the cluster and the versions. It holds for this connection and this
//! role alone, and is compared in constant time. Without a secret it is 32 zero bytes, which only a node without a secret
//! takes.
//!
//! # Format
//!
//! All numbers are little-endian. Each message stands behind its length (4 bytes, at most
//! [`HANDSHAKE_BYTES_MAX`](crate::limits::HANDSHAKE_BYTES_MAX)) and begins with the magic `DNAT` and the number of its
//! kind (1 byte). A text is one byte of length and UTF-8. What stands behind the last field is skipped: a later version
//! may add to it, and the proof covers it.
//!
//! | hello (1) | bytes | | challenge (2) | bytes | |
//! |---|---:|---|---|---:|---|
//! | lowest version | 1 | that the dialer speaks | version | 1 | the highest that both speak |
//! | highest version | 1 | | proof | 1 | 1 if the acceptor has a secret |
//! | proof | 1 | 1 if the dialer has a secret | id | 16 | the acceptor's |
//! | id | 16 | the dialer's | nonce | 32 | random |
//! | nonce | 32 | random | message bytes | 4 | longest request that the acceptor takes |
//! | message bytes | 4 | longest reply that the dialer takes | requests | 4 | how many may be in flight |
//! | expected | 1 | 1 if the dialer wants a certain node | address | text | that the acceptor gives of itself |
//! | expected id | 16 | its id, or zeros | | | |
//! | cluster | text | | | | |
//! | address | text | that the dialer gives of itself | | | |
//!
//! | proof (3), welcome (4) | bytes | | refusal (5) | bytes | |
//! |---|---:|---|---|---:|---|
//! | proof | 32 | | reason | 1 | below |
//! | | | | lowest version | 1 | that the refusing side speaks |
//! | | | | highest version | 1 | |
//!
//! | reason | | reason | | reason | |
//! |---:|---|---:|---|---:|---|
//! | 1 | no handshake of this protocol | 4 | authentication | 7 | too many connections |
//! | 2 | no common version | 5 | another node was wanted | 8 | closing |
//! | 3 | another cluster | 6 | the node itself | 9 | too slow |
//! | 10 | connected already | | | | |

mod accept;
mod dial;
mod proof;
mod refusal;
mod say;
#[cfg(test)]
mod tests;
mod text;

pub(crate) use accept::{accept, refuse_unheard};
pub(crate) use dial::dial;
pub(crate) use refusal::HandshakeError;
pub use refusal::{Refusal, TlsFailure};
pub(crate) use say::Local;
pub use say::Remote;
#[cfg(feature = "testing")]
pub(crate) use say::decode_any;
