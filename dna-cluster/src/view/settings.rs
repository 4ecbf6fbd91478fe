//! What all nodes of a cluster must agree on.

use std::{collections::BTreeMap, fmt, num::NonZeroU32, time::Duration};

pub use dna_core::Placement;

/// What all nodes of a cluster must agree on. Set by the node that creates it; a node that differs is refused.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Settings {
    /// How many shards there are.
    pub shards: NonZeroU32,
    /// All that the store needs to be alike, in its own words: its consistency levels, for one.
    pub agreement: String,
    /// How long a node may answer after the last heartbeat that succeeded was sent.
    pub lease: Duration,
    /// How the names of each actor type find their shard. A node adds those that the cluster does not know yet.
    pub placements: BTreeMap<String, Placement>,
}

/// Two nodes that do not agree.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{setting} is {here} here and {there} in the cluster; make this node's the same")]
pub struct Difference {
    /// What they differ in.
    pub setting: String,
    /// What this node says.
    pub here: String,
    /// What the cluster says.
    pub there: String,
}

impl Settings {
    /// The first thing in which a node with these settings would differ from a cluster with those.
    pub fn difference(&self, cluster: &Settings) -> Option<Difference> {
        let milliseconds = |lease: Duration| format!("{} ms", lease.as_millis());
        differing("the number of shards", &self.shards, &cluster.shards)
            .or_else(|| differing("the consistency", &self.agreement, &cluster.agreement))
            .or_else(|| differing("the lease", &milliseconds(self.lease), &milliseconds(cluster.lease)))
            .or_else(|| {
                self.placements.iter().find_map(|(kind, here)| {
                    let there = cluster.placements.get(kind)?;
                    differing(&format!("the placement of `{kind}`"), here, there)
                })
            })
    }
}

fn differing<T: PartialEq + fmt::Display>(setting: &str, here: &T, there: &T) -> Option<Difference> {
    let (setting, differ) = (setting.to_owned(), here != there);
    differ.then(|| Difference { setting, here: here.to_string(), there: there.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        Settings {
            shards: NonZeroU32::new(256).unwrap(),
            agreement: "LOCAL_QUORUM/LOCAL_SERIAL".to_owned(),
            lease: Duration::from_secs(3),
            placements: [("Cart".to_owned(), Placement::Hash)].into(),
        }
    }

    #[test]
    fn a_difference_names_the_setting_and_both_values() {
        let here = settings();
        let with = |change: fn(&mut Settings)| {
            let mut there = settings();
            change(&mut there);
            here.difference(&there).map(|difference| difference.to_string())
        };

        let remedy = "make this node's the same";
        for (change, expected) in [
            (
                (|there| there.shards = NonZeroU32::new(64).unwrap()) as fn(&mut Settings),
                "the number of shards is 256 here and 64 in the cluster",
            ),
            (
                |there| there.agreement = "QUORUM/SERIAL".to_owned(),
                "the consistency is LOCAL_QUORUM/LOCAL_SERIAL here and QUORUM/SERIAL in the cluster",
            ),
            (|there| there.lease = Duration::from_millis(4500), "the lease is 3000 ms here and 4500 ms in the cluster"),
            (
                |there| there.placements = [("Cart".to_owned(), Placement::Local)].into(),
                "the placement of `Cart` is hash here and local in the cluster",
            ),
        ] {
            assert_eq!(with(change).unwrap(), format!("{expected}; {remedy}"));
        }
    }

    #[test]
    fn types_that_only_one_side_knows_are_no_difference() {
        let mut there = settings();
        there.placements = [("Order".to_owned(), Placement::Local)].into();
        assert_eq!(settings().difference(&there), None);
        assert_eq!(settings().difference(&settings()), None);
    }
}
