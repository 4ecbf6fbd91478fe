//! How the names of an actor type find their shards.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How a name finds its shard. On a node alone it makes no difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Placement {
    /// By the hash of the name.
    #[default]
    Hash,
    /// On a shard of the node where its first message arrives, for ever: it moves with that shard.
    Local,
}

impl fmt::Display for Placement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Placement::Hash => "hash",
            Placement::Local => "local",
        })
    }
}
