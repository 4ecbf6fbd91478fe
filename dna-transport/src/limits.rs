//! Every bound of this crate, with its unit in its name: those that the protocol fixes, and the defaults of those that a
//! node chooses.

use std::time::Duration;

/// Longest payload of one frame, in bytes. What is longer is cut into several, so that others get in between.
pub const FRAME_PAYLOAD_BYTES_MAX: usize = 64 * 1024;

/// Longest header of a frame, in bytes, without the length in front of it. That of this version has
/// [`HEAD_BYTES`](crate::wire::HEAD_BYTES).
pub const FRAME_HEAD_BYTES_MAX: usize = u8::MAX as usize;

/// Longest frame, in bytes, without the length in front of it.
pub const FRAME_BYTES_MAX: usize = FRAME_HEAD_BYTES_MAX + FRAME_PAYLOAD_BYTES_MAX;

/// Longest header that a request may carry, in bytes.
pub const REQUEST_HEADER_BYTES_MAX: usize = 1024;

/// How many messages of more than one frame may be under way on one connection in one direction. The next one waits; others
/// of a single frame do not.
pub const LARGE_MESSAGES_MAX: usize = 4;

/// The most empty replies that one frame stands for.
pub const EMPTY_REPLIES_MAX: u32 = 4 * 1024;

/// Longest message of the handshake, in bytes, without the length in front of it.
pub const HANDSHAKE_BYTES_MAX: usize = 4 * 1024;

/// Longest name of a cluster, in bytes.
pub const CLUSTER_BYTES_MAX: usize = u8::MAX as usize;

/// Longest address that a node gives of itself, in bytes.
pub const ADDRESS_BYTES_MAX: usize = u8::MAX as usize;

/// Longest reason that goes with the end of a connection, in bytes. Longer ones are cut.
pub const REASON_BYTES_MAX: usize = 200;

/// Shortest shared secret, in bytes.
pub const SECRET_BYTES_MIN: usize = 16;

/// Longest message, header and body, in bytes: 16 MiB and the longest header. Default of
/// [`Limits::message_bytes`](crate::Limits::message_bytes).
pub const MESSAGE_BYTES_MAX: usize = 16 * 1024 * 1024 + REQUEST_HEADER_BYTES_MAX;

/// Requests in flight with one peer, in each direction. Default of
/// [`Limits::requests_per_peer`](crate::Limits::requests_per_peer).
pub const REQUESTS_PER_PEER_MAX: usize = 4_096;

/// Requests in flight with all peers together, in each direction. Default of
/// [`Limits::requests_per_node`](crate::Limits::requests_per_node).
pub const REQUESTS_PER_NODE_MAX: usize = 32_768;

/// Bytes that wait to be written to one peer. Default of
/// [`Limits::queued_bytes_per_peer`](crate::Limits::queued_bytes_per_peer).
pub const QUEUED_BYTES_PER_PEER_MAX: usize = 64 * 1024 * 1024;

/// Bytes of the requests of one peer whose handlers have not ended. Default of
/// [`Limits::handled_bytes_per_peer`](crate::Limits::handled_bytes_per_peer).
pub const HANDLED_BYTES_PER_PEER_MAX: usize = 64 * 1024 * 1024;

/// Accepted connections that have not finished the handshake. Default of [`Limits::half_open`](crate::Limits::half_open).
pub const HALF_OPEN_MAX: usize = 64;

/// Accepted connections. Default of [`Limits::connections`](crate::Limits::connections).
pub const CONNECTIONS_MAX: usize = 1_024;

/// Peers that a node may know. Default of [`Limits::peers`](crate::Limits::peers).
pub const PEERS_MAX: usize = 1_024;

/// How long a connection may take until it may carry requests, from the attempt on. Default of
/// [`Timing::handshake`](crate::Timing::handshake).
pub const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(5);

/// How long a connection may be silent before it is asked for a sign of life. Default of
/// [`Timing::keep_alive`](crate::Timing::keep_alive).
pub const KEEP_ALIVE: Duration = Duration::from_secs(5);

/// After how many intervals of silence a connection is taken for lost.
pub const SILENT_INTERVALS_MAX: u32 = 3;

/// How long to wait after the first failed attempt to connect. Default of
/// [`Timing::backoff_min`](crate::Timing::backoff_min).
pub const BACKOFF_MIN: Duration = Duration::from_millis(50);

/// How long to wait, at most, after failed attempts to connect. Default of
/// [`Timing::backoff_max`](crate::Timing::backoff_max).
pub const BACKOFF_MAX: Duration = Duration::from_secs(5);

/// How long a request may take where it does not say so itself.
pub const REQUEST_DEADLINE: Duration = Duration::from_secs(30);

/// How exactly deadlines are kept: a request fails at most this long after its deadline.
pub const DEADLINE_PRECISION: Duration = Duration::from_millis(20);

/// How long an ending connection waits for its last words to be read, and how many bytes it reads on meanwhile.
pub(crate) const LINGER: Duration = Duration::from_secs(1);

/// See [`LINGER`].
pub(crate) const LINGER_BYTES_MAX: usize = 1024 * 1024;

/// Bytes that are gathered for one write.
pub(crate) const WRITE_BYTES: usize = 256 * 1024;

/// Bytes up to which all that waits is gathered for one write, if none of it is long.
pub(crate) const WRITE_ALL_BYTES: usize = 1024 * 1024;

/// Bytes that are read at once.
pub(crate) const READ_BYTES: usize = 64 * 1024;

/// Payloads up to this are copied, in bytes: then a message that lives long does not keep a whole read buffer alive, and a
/// write has fewer pieces.
pub(crate) const COPY_BYTES_MAX: usize = 2 * 1024;
