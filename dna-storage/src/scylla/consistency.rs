//! The consistency levels of a keyspace: one choice for all of it, and for all of its nodes.

use std::collections::BTreeMap;

use scylla::statement;

use super::error::ScyllaError;

/// Which quorum every read and write of a store asks for.
///
/// Conditional writes go through Paxos among the replicas of the same scope. The two scopes are separate Paxos groups,
/// so that all nodes of a keyspace have to use the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Consistency {
    /// `LOCAL_QUORUM`, `LOCAL_SERIAL`: a quorum in the one datacenter that the keyspace is replicated in.
    Local,
    /// `QUORUM`, `SERIAL`: a quorum of all replicas, in however many datacenters they are.
    Global,
}

impl Consistency {
    /// Of plain reads and writes, and of the commit of a conditional one.
    pub(super) fn plain(self) -> statement::Consistency {
        match self {
            Consistency::Local => statement::Consistency::LocalQuorum,
            Consistency::Global => statement::Consistency::Quorum,
        }
    }

    /// Of the condition of a conditional write.
    pub(super) fn serial(self) -> statement::SerialConsistency {
        match self {
            Consistency::Local => statement::SerialConsistency::LocalSerial,
            Consistency::Global => statement::SerialConsistency::Serial,
        }
    }

    /// Of a read that settles what Paxos has begun.
    pub(super) fn serial_read(self) -> statement::Consistency {
        match self {
            Consistency::Local => statement::Consistency::LocalSerial,
            Consistency::Global => statement::Consistency::Serial,
        }
    }

    /// The names of its levels: what nodes have to agree on.
    pub fn as_str(self) -> &'static str {
        match self {
            Consistency::Local => "LOCAL_QUORUM/LOCAL_SERIAL",
            Consistency::Global => "QUORUM/SERIAL",
        }
    }
}

/// How many copies of a row the keyspace keeps in each datacenter.
pub(super) type Replicas = BTreeMap<String, usize>;

/// The levels for a keyspace: those that were asked for, if they are safe for it.
pub(super) fn choose(
    asked: Option<Consistency>,
    keyspace: &str,
    replicas: &Replicas,
) -> Result<Consistency, ScyllaError> {
    let datacenters: Vec<String> =
        replicas.iter().filter(|(_, count)| **count > 0).map(|(name, _)| name.clone()).collect();
    match (asked, datacenters.len()) {
        (Some(Consistency::Global), _) => Ok(Consistency::Global),
        (None | Some(Consistency::Local), 0 | 1) => Ok(Consistency::Local),
        (None, _) => Err(ScyllaError::ConsistencyNotSaid { keyspace: keyspace.to_owned(), datacenters }),
        (Some(Consistency::Local), _) => {
            Err(ScyllaError::LocalConsistency { keyspace: keyspace.to_owned(), datacenters })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_datacenter_is_local_unless_it_is_said_and_several_have_to_be_said() {
        let one = Replicas::from([("dc1".to_owned(), 3), ("dc2".to_owned(), 0)]);
        let two = Replicas::from([("dc1".to_owned(), 3), ("dc2".to_owned(), 3)]);
        let chosen = |asked, replicas| choose(asked, "dna", replicas).ok();

        assert_eq!(chosen(None, &one), Some(Consistency::Local));
        assert_eq!(chosen(Some(Consistency::Local), &one), Some(Consistency::Local));
        assert_eq!(chosen(Some(Consistency::Global), &one), Some(Consistency::Global));
        assert_eq!(chosen(Some(Consistency::Global), &two), Some(Consistency::Global));
        assert!(matches!(choose(None, "dna", &two), Err(ScyllaError::ConsistencyNotSaid { .. })));
        let refused = choose(Some(Consistency::Local), "dna", &two);
        assert!(matches!(refused, Err(ScyllaError::LocalConsistency { .. })));
    }
}
