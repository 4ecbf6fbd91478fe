//! What a node lets be set.

use std::{sync::Arc, time::Duration};

use crate::limits;

/// The settings of a node. The limits are bounds on memory and waiting; each has an error of its own when it is hit.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Settings {
    /// The namespace of all addresses: `default` if not set.
    pub namespace: Arc<str>,
    /// How long a call may take, unless it says otherwise: [`limits::CALL_TIMEOUT`].
    pub call_timeout: Duration,
    /// How long an actor may be idle before it is passivated: [`limits::IDLE_TIMEOUT`].
    pub idle_timeout: Duration,
    /// How long a shutdown lets actors finish what they have begun: [`limits::SHUTDOWN_TIMEOUT`].
    pub shutdown_timeout: Duration,
    /// How many activations stay: [`limits::ACTIVE_ACTORS_MAX`]. Beyond that the least recently used idle ones are
    /// passivated; actors that are at work are not.
    pub max_active: usize,
    /// How many bytes the caches of all actors may hold: [`limits::CACHE_BYTES_MAX`]. Beyond that the least recently
    /// used idle actors are passivated.
    pub cache_bytes_max: usize,
    /// How many messages may be queued in all mailboxes: [`limits::QUEUED_MESSAGES_MAX`]. Beyond that calls are
    /// answered `Overloaded` at once.
    pub queued_messages_max: usize,
    /// How many messages one mailbox admits: [`limits::MAILBOX_MESSAGES_MAX`]. Beyond that callers wait for room.
    pub mailbox_messages_max: usize,
    /// How many messages one batch takes: [`limits::BATCH_MESSAGES_MAX`].
    pub max_batch_messages: usize,
    /// Whether messages and replies between actors of one node are encoded and decoded as if they crossed the network,
    /// so that faults in their serde implementations show in tests.
    #[cfg(feature = "testing")]
    pub encode_messages: bool,
    /// Wrong, to see that a test misses it: replies and what handlers send leave before they are durable.
    #[cfg(feature = "testing")]
    pub opens_gate: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            namespace: "default".into(),
            call_timeout: limits::CALL_TIMEOUT,
            idle_timeout: limits::IDLE_TIMEOUT,
            shutdown_timeout: limits::SHUTDOWN_TIMEOUT,
            max_active: limits::ACTIVE_ACTORS_MAX,
            cache_bytes_max: limits::CACHE_BYTES_MAX,
            queued_messages_max: limits::QUEUED_MESSAGES_MAX,
            mailbox_messages_max: limits::MAILBOX_MESSAGES_MAX,
            max_batch_messages: limits::BATCH_MESSAGES_MAX,
            #[cfg(feature = "testing")]
            encode_messages: false,
            #[cfg(feature = "testing")]
            opens_gate: false,
        }
    }
}

impl Settings {
    /// Whether local messages are encoded and decoded.
    pub(crate) fn encodes_messages(&self) -> bool {
        #[cfg(feature = "testing")]
        return self.encode_messages;
        #[cfg(not(feature = "testing"))]
        return false;
    }

    /// Whether the output gate holds nothing back.
    pub(crate) fn opens_gate(&self) -> bool {
        #[cfg(feature = "testing")]
        return self.opens_gate;
        #[cfg(not(feature = "testing"))]
        return false;
    }
}
