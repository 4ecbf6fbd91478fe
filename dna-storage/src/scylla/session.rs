//! How a session comes about, and what is looked up before it is used.

use std::{collections::HashMap, num::NonZeroUsize, time::Duration};

use dna_core::limits::CLOCK_OFFSET_MAX;
use scylla::{
    client::{PoolSize, execution_profile::ExecutionProfile, session::Session, session_builder::SessionBuilder},
    cluster::{ClusterState, metadata::Strategy},
    errors::{DbError, ExecutionError, RequestAttemptError},
    statement::Consistency as Level,
};

use super::{
    answer::first,
    config::ScyllaConfig,
    consistency::{Consistency, Replicas, choose},
    error::ScyllaError,
    schema,
};
use crate::journaled::{wall_micros, within};

/// How many copies a keyspace has in a datacenter, where it has nodes enough: what an error tells to create.
pub(super) const REPLICAS: usize = 3;

const KEYSPACE_BYTES_MAX: usize = 48;
const CLOCK: &str = "SELECT toUnixTimestamp(now()) FROM system.local WHERE key = 'local'";
const FEATURES: &str = "SELECT supported_features FROM system.local WHERE key = 'local'";

/// Opens a session. Whether the keyspace is there and fit is not looked at.
pub(super) async fn open(config: &ScyllaConfig, pool: PoolSize) -> Result<Session, ScyllaError> {
    if !is_keyspace_name(&config.keyspace) {
        return Err(ScyllaError::KeyspaceName { keyspace: config.keyspace.clone() });
    }
    let profile = ExecutionProfile::builder()
        // For the few statements of its own: each prepared one says what it needs.
        .consistency(Level::LocalOne)
        .request_timeout(Some(config.request_timeout))
        .build();
    let mut builder = SessionBuilder::new()
        .known_nodes(&config.contact_points)
        .connection_timeout(config.connect_timeout)
        .pool_size(pool)
        .keyspaces_to_fetch([config.keyspace.as_str()])
        .default_execution_profile_handle(profile.into_handle());
    if let Some((user, password)) = &config.credentials {
        builder = builder.user(user, password);
    }
    #[cfg(feature = "tls")]
    if let Some(tls) = &config.tls {
        builder = builder.tls_context(Some(tls.clone()));
    }
    if let Some(datacenter) = &config.datacenter {
        builder = builder.prefer_datacenter(datacenter.clone());
    }
    #[cfg(feature = "testing")]
    if let Some(translator) = config.faults.translator() {
        builder = builder.address_translator(translator);
    }
    match within(config.connect_timeout, builder.build()).await {
        Some(Ok(session)) => check_datacenter(config, session),
        Some(Err(error)) => {
            Err(ScyllaError::Connect { contact_points: config.contact_points.clone(), reason: error.into() })
        }
        None => Err(ScyllaError::ConnectTimeout {
            contact_points: config.contact_points.clone(),
            timeout: config.connect_timeout,
        }),
    }
}

/// The pool of a session that does the work.
pub(super) fn work_pool(config: &ScyllaConfig) -> PoolSize {
    PoolSize::PerShard(NonZeroUsize::new(config.connections_per_shard).unwrap_or(NonZeroUsize::MIN))
}

fn check_datacenter(config: &ScyllaConfig, session: Session) -> Result<Session, ScyllaError> {
    let known = datacenters(&session.get_cluster_state());
    match &config.datacenter {
        Some(datacenter) if !known.contains_key(datacenter) => {
            Err(ScyllaError::Datacenter { datacenter: datacenter.clone(), known: known.into_keys().collect() })
        }
        _ => Ok(session),
    }
}

/// The datacenters of the cluster, and how many nodes each has.
fn datacenters(cluster: &ClusterState) -> Replicas {
    let mut nodes = Replicas::new();
    for node in cluster.get_nodes_info() {
        *nodes.entry(node.datacenter.clone().unwrap_or_default()).or_default() += 1;
    }
    nodes
}

/// Looks whether the keyspace of a session is fit, and which consistency it needs.
pub(super) async fn probe(config: &ScyllaConfig, session: &Session) -> Result<Consistency, ScyllaError> {
    let name = &config.keyspace;
    let cluster = session.get_cluster_state();
    let Some(keyspace) = cluster.get_keyspace(name) else {
        let statement = create_keyspace(config, session, REPLICAS).await?;
        return Err(ScyllaError::NoKeyspace { keyspace: name.clone(), statement });
    };
    if keyspace.tablet_based && !features(session).await?.lwt_with_tablets {
        let statement = create_keyspace(config, session, REPLICAS).await?;
        return Err(ScyllaError::Tablets { keyspace: name.clone(), statement });
    }
    schema::check(name, keyspace)?;
    let consistency = choose(config.consistency, name, &replicas(&keyspace.strategy, &cluster))?;
    let clock = database_clock(session).await?;
    let apart = clock.apart();
    if apart > CLOCK_OFFSET_MAX {
        return Err(ScyllaError::Clock { apart });
    }
    Ok(consistency)
}

fn replicas(strategy: &Strategy, cluster: &ClusterState) -> Replicas {
    match strategy {
        Strategy::NetworkTopologyStrategy { datacenter_repfactors, .. } => into_replicas(datacenter_repfactors),
        // Places its copies without regard to datacenters: each may have some.
        _ => datacenters(cluster),
    }
}

fn into_replicas(counts: &HashMap<String, usize>) -> Replicas {
    counts.iter().map(|(name, count)| (name.clone(), *count)).collect()
}

/// The statement that creates the keyspace in the datacenter that was named, or the only one.
pub(super) async fn create_keyspace(
    config: &ScyllaConfig,
    session: &Session,
    replicas_max: usize,
) -> Result<String, ScyllaError> {
    let known = datacenters(&session.get_cluster_state());
    let datacenter = match (&config.datacenter, known.len()) {
        (Some(datacenter), _) => Some(datacenter),
        (None, 1) => known.keys().next(),
        (None, _) => None,
    };
    let Some((name, nodes)) = datacenter.and_then(|name| known.get_key_value(name)) else {
        return Err(ScyllaError::DatacenterNotSaid { known: known.into_keys().collect() });
    };
    let replicas = Replicas::from([(name.clone(), replicas_max.min(*nodes).max(1))]);
    let features = features(session).await?;
    let no_tablets = features.tablets && !features.lwt_with_tablets;
    Ok(schema::create_keyspace(&config.keyspace, &replicas, no_tablets))
}

/// What of ScyllaDB's features matters here.
struct Features {
    tablets: bool,
    lwt_with_tablets: bool,
}

impl Features {
    fn read(list: &str) -> Self {
        let has = |name: &str| list.split(',').any(|feature| feature.trim() == name);
        Features { tablets: has("TABLETS"), lwt_with_tablets: has("LWT_WITH_TABLETS") }
    }
}

async fn features(session: &Session) -> Result<Features, ScyllaError> {
    match session.query_unpaged(FEATURES, ()).await {
        Ok(answer) => {
            let list = first::<(Option<String>,)>(answer).map_err(|_| ScyllaError::answer(FEATURES))?;
            Ok(Features::read(list.and_then(|(list,)| list).as_deref().unwrap_or_default()))
        }
        // Cassandra has no such column.
        Err(ExecutionError::LastAttemptError(RequestAttemptError::DbError(DbError::Invalid, _))) => {
            Ok(Features::read(""))
        }
        Err(error) => Err(ScyllaError::statement(FEATURES, error)),
    }
}

/// A look at the database's clock, between two looks at the one here. All in microseconds since 1970.
#[derive(Debug, Clone, Copy)]
pub(super) struct ClockReading {
    before: u64,
    pub(super) database: u64,
    pub(super) after: u64,
}

impl ClockReading {
    /// How far the clocks are apart at the least.
    pub(super) fn apart(self) -> Duration {
        let behind = self.before.saturating_sub(self.database);
        let ahead = self.database.saturating_sub(self.after);
        Duration::from_micros(behind.max(ahead))
    }
}

/// Asks a node of the database for its clock.
pub(super) async fn database_clock(session: &Session) -> Result<ClockReading, ScyllaError> {
    let before = wall_micros();
    let answer = session.query_unpaged(CLOCK, ()).await.map_err(|error| ScyllaError::statement(CLOCK, error))?;
    let millis = first::<(i64,)>(answer).map_err(|_| ScyllaError::answer(CLOCK))?;
    let after = wall_micros();
    let millis = millis.and_then(|(millis,)| u64::try_from(millis).ok()).ok_or_else(|| ScyllaError::answer(CLOCK))?;
    Ok(ClockReading { before, database: millis.saturating_mul(1000), after })
}

/// Whether a name may stand in a statement as it is.
fn is_keyspace_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    name.len() <= KEYSPACE_BYTES_MAX
        && name.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase())
        && name.bytes().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_keyspace_name_is_short_and_plain() {
        for name in ["dna", "d", "shop_2", &"a".repeat(48)] {
            assert!(is_keyspace_name(name), "{name}");
        }
        for name in ["", "_dna", "2shop", "Dna", "dna.x", "dna\"", "a b", "ä", &"a".repeat(49)] {
            assert!(!is_keyspace_name(name), "{name}");
        }
    }

    #[test]
    fn clocks_are_apart_by_what_the_time_of_the_request_does_not_explain() {
        let apart = |before, database, after| ClockReading { before, database, after }.apart().as_micros();
        assert_eq!(apart(100, 90, 200), 10);
        assert_eq!(apart(100, 150, 200), 0);
        assert_eq!(apart(100, 250, 200), 50);
    }

    #[test]
    fn tablets_and_their_transactions_are_two_features() {
        let features = Features::read("CDC,TABLETS,VIEWS_WITH_TABLETS");
        assert!(features.tablets && !features.lwt_with_tablets);
        assert!(Features::read("LWT_WITH_TABLETS, TABLETS").lwt_with_tablets);
        assert!(!Features::read("").tablets);
    }
}
