//! Framed TCP between the nodes of a cluster: authenticated connections, many requests on each, streams that keep their
//! order, and errors that tell whether a request may be sent again. Knows bytes, not what they mean.
//!
//! ```
//! use std::{sync::Arc, time::Duration};
//!
//! use bytes::Bytes;
//! use dna_transport::{Config, Handler, Incoming, PeerId, Request, Transport};
//!
//! struct Echo;
//!
//! impl Handler for Echo {
//!     async fn call(self: Arc<Self>, request: Incoming) -> Bytes {
//!         request.body
//!     }
//! }
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let server = Transport::serve(Config::new("shop", PeerId([1; 16])), "127.0.0.1:0", Arc::new(Echo)).await?;
//! let address = server.address().ok_or("it listens")?.to_string();
//!
//! let client = Transport::client(Config::new("shop", PeerId([2; 16])))?;
//! let peer = client.peer(&address)?;
//! let reply = peer.call(Request::new("hello").within(Duration::from_secs(5))).await?;
//! assert_eq!(reply, "hello");
//!
//! client.close(Duration::from_secs(5)).await;
//! server.close(Duration::from_secs(5)).await;
//! # Ok(())
//! # }
//! ```
//!
//! - [`Transport`] is a node's end: it listens, and knows the peers. [`Config`] has its settings, with every bound
//!   ([`Limits`]) and every time ([`Timing`]).
//! - [`Peer`] is a node to send to: [`Peer::call`] for an answer, [`Peer::cast`] without. Who makes very many calls has
//!   them told to an [`Asker`] by [`Peer::ask`].
//! - [`Handler`] answers what comes in.
//! - [`CallError::outcome`] tells whether a failed call may be sent again: [`Outcome::NotHandled`] or [`Outcome::Unknown`].
//! - [`Security`] keeps strangers out.
//!
//! What is on the wire stands in [`wire`] and [`handshake`].

mod accept;
mod batch;
mod call;
mod config;
mod dial;
mod error;
mod event;
mod handler;
pub mod handshake;
pub mod limits;
mod link;
mod network;
mod outbox;
mod peer;
mod peer_id;
mod request;
mod schedule;
mod seam;
mod security;
mod serve;
mod shared;
#[cfg(feature = "testing")]
pub mod testing;
#[cfg(feature = "tls")]
mod tls;
mod transport;
pub mod wire;

pub use call::Call;
pub use config::{Config, Limits, Timing};
pub use error::{CallError, ConnectError, Limit, Lost, Outcome, PeerError, Side, StartError};
pub use event::{Event, Observer};
pub use handler::{Answer, Handler, Incoming};
pub use handshake::{Refusal, Remote, TlsFailure};
pub use network::{Listener, Network, Socket, Tcp};
pub use peer::{Asker, CallEnd, Load, Peer};
pub use peer_id::PeerId;
pub use request::Request;
pub use security::{Secret, SecretTooShort, Security};
#[cfg(feature = "tls")]
pub use tls::{Tls, TlsError, TlsMaterial};
pub use transport::Transport;
pub use wire::Malformed;
