//! What of a store on a CQL database can be set.

use std::{fmt, time::Duration};

use super::{consistency::Consistency, header::SLOTS};
use crate::journaled::JournaledOptions;

/// How long a session may take to come about, unless it is set.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long one request may take before its answer is no longer waited for, unless it is set. The request goes on at the
/// server.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a commit tries to get a definite answer before it answers `Unknown`, unless it is set. The last try may take
/// as long as a request besides.
pub const COMMIT_TIMEOUT: Duration = Duration::from_secs(10);

/// How many connections a node of the database gets, or each shard of it on ScyllaDB, unless it is set.
pub const CONNECTIONS_PER_SHARD: usize = 2;

/// Where a store on ScyllaDB or Apache Cassandra is, and how it is reached.
///
/// ```
/// use dna_storage::ScyllaConfig;
///
/// let config = ScyllaConfig::new(["10.0.0.1:9042", "10.0.0.2:9042"], "shop").credentials("dna", "secret");
/// assert!(!format!("{config:?}").contains("secret"));
/// ```
#[derive(Clone)]
pub struct ScyllaConfig {
    pub(super) contact_points: Vec<String>,
    pub(super) keyspace: String,
    pub(super) credentials: Option<(String, String)>,
    #[cfg(feature = "tls")]
    pub(super) tls: Option<std::sync::Arc<rustls::ClientConfig>>,
    pub(super) datacenter: Option<String>,
    pub(super) consistency: Option<Consistency>,
    pub(super) connect_timeout: Duration,
    pub(super) request_timeout: Duration,
    pub(super) commit_timeout: Duration,
    pub(super) connections_per_shard: usize,
    pub(super) journaled: JournaledOptions,
    #[cfg(feature = "testing")]
    pub(super) faults: super::faults::ScyllaFaults,
}

impl ScyllaConfig {
    /// A store in `keyspace` of the cluster that any of these nodes, as `host:port`, belongs to.
    pub fn new<S: Into<String>>(contact_points: impl IntoIterator<Item = S>, keyspace: impl Into<String>) -> Self {
        ScyllaConfig {
            contact_points: contact_points.into_iter().map(Into::into).collect(),
            keyspace: keyspace.into(),
            credentials: None,
            #[cfg(feature = "tls")]
            tls: None,
            datacenter: None,
            consistency: None,
            connect_timeout: CONNECT_TIMEOUT,
            request_timeout: REQUEST_TIMEOUT,
            commit_timeout: COMMIT_TIMEOUT,
            connections_per_shard: CONNECTIONS_PER_SHARD,
            journaled: journaled(JournaledOptions::default()),
            #[cfg(feature = "testing")]
            faults: super::faults::ScyllaFaults::default(),
        }
    }

    /// The name and password to log in with; none unless they are set.
    #[must_use]
    pub fn credentials(mut self, user: impl Into<String>, password: impl Into<String>) -> Self {
        self.credentials = Some((user.into(), password.into()));
        self
    }

    /// Connections are encrypted, and the server's certificate is checked, as this says; in the clear unless it is set.
    /// The certificate has to name the address that is connected to. With a certificate of its own in it, this side
    /// shows that as well.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn tls(mut self, config: std::sync::Arc<rustls::ClientConfig>) -> Self {
        self.tls = Some(config);
        self
    }

    /// The datacenter whose nodes are asked first; any node unless it is set.
    #[must_use]
    pub fn datacenter(mut self, datacenter: impl Into<String>) -> Self {
        self.datacenter = Some(datacenter.into());
        self
    }

    /// The consistency of everything. Unless it is set, it is [`Local`](Consistency::Local) for a keyspace that is
    /// replicated in one datacenter, and connecting is refused for any other. All nodes have to use the same.
    #[must_use]
    pub fn consistency(mut self, consistency: Consistency) -> Self {
        self.consistency = Some(consistency);
        self
    }

    /// [`CONNECT_TIMEOUT`]
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// [`REQUEST_TIMEOUT`]
    #[must_use]
    pub fn request_timeout(mut self, timeout: Duration) -> Self {
        self.request_timeout = timeout;
        self
    }

    /// [`COMMIT_TIMEOUT`]
    #[must_use]
    pub fn commit_timeout(mut self, timeout: Duration) -> Self {
        self.commit_timeout = timeout;
        self
    }

    /// [`CONNECTIONS_PER_SHARD`]
    #[must_use]
    pub fn connections_per_shard(mut self, connections: usize) -> Self {
        self.connections_per_shard = connections;
        self
    }

    /// How much may wait to be stored as rows, and how long a commit waits for that. No more entries wait than a journal
    /// has slots, 256; the floor of the timestamps is that of the view.
    #[must_use]
    pub fn journaled(mut self, options: JournaledOptions) -> Self {
        self.journaled = journaled(options);
        self
    }

    /// What is to go wrong.
    #[cfg(feature = "testing")]
    #[must_use]
    pub fn faults(mut self, faults: super::faults::ScyllaFaults) -> Self {
        self.faults = faults;
        self
    }
}

fn journaled(options: JournaledOptions) -> JournaledOptions {
    let slots = usize::try_from(SLOTS).unwrap_or(usize::MAX);
    JournaledOptions { lag_entries_max: options.lag_entries_max.min(slots), stamp_floor: 0, ..options }
}

impl fmt::Debug for ScyllaConfig {
    /// Shows no password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScyllaConfig")
            .field("contact_points", &self.contact_points)
            .field("keyspace", &self.keyspace)
            .field("user", &self.credentials.as_ref().map(|(user, _)| user))
            .field("datacenter", &self.datacenter)
            .field("consistency", &self.consistency)
            .field("connect_timeout", &self.connect_timeout)
            .field("request_timeout", &self.request_timeout)
            .field("commit_timeout", &self.commit_timeout)
            .field("connections_per_shard", &self.connections_per_shard)
            .finish_non_exhaustive()
    }
}
