//! What is sent to a peer.

use std::time::Duration;

use bytes::Bytes;

use crate::limits::REQUEST_DEADLINE;

/// A message to a peer: a body, and how to send it.
#[derive(Debug, Clone)]
pub struct Request {
    pub(crate) stream: u64,
    pub(crate) header: Bytes,
    pub(crate) body: Bytes,
    pub(crate) within: Duration,
}

impl Request {
    /// With this body, no header, no stream, and a deadline of [`REQUEST_DEADLINE`].
    pub fn new(body: impl Into<Bytes>) -> Self {
        Request { stream: 0, header: Bytes::new(), body: body.into(), within: REQUEST_DEADLINE }
    }

    /// Bytes that travel before the body, as a part of their own: for what is said about the body, so that the body need
    /// not be copied to say it. At most [`REQUEST_HEADER_BYTES_MAX`](crate::limits::REQUEST_HEADER_BYTES_MAX).
    #[must_use]
    pub fn header(self, header: impl Into<Bytes>) -> Self {
        Request { header: header.into(), ..self }
    }

    /// The messages of one stream to one peer reach its handler in the order in which they were sent, calls and casts
    /// alike. Streams do not wait for each other, and what has no stream (0, the default) waits for nothing.
    #[must_use]
    pub fn stream(self, stream: u64) -> Self {
        Request { stream, ..self }
    }

    /// How long it may take from now on. A call then has failed if it has no reply; a cast is not sent any more.
    #[must_use]
    pub fn within(self, within: Duration) -> Self {
        Request { within, ..self }
    }
}
