//! Shards: how names are divided among the nodes of a cluster. Knows nothing of who owns which.

use std::{
    fmt,
    num::{NonZeroU16, NonZeroU32},
};

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::{Xxh3Default, xxh3_64};

use crate::name::ActorName;

/// Names of up to so many bytes, with their namespace, their type and the lengths, are hashed in one piece.
const SHORT_BYTES: usize = 128;

/// The part of a cluster's names that moves from node to node as one.
///
/// Numbered from 0; how many there are is set when the cluster is created.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Shard(pub u32);

impl Shard {
    /// The shard of an actor's name, in a cluster of `shards` shards.
    ///
    /// XXH3-64 with seed 0 over namespace, type and name as UTF-8, each after its length as a little-endian `u32`,
    /// modulo the number of shards. It never changes: where the rows' owner is depends on it.
    #[allow(clippy::cast_possible_truncation, reason = "a remainder is smaller than its divisor, which is a u32")]
    pub fn of(actor: &ActorName, shards: NonZeroU32) -> Self {
        let parts = [actor.namespace(), actor.kind(), actor.name()];
        let hash = short_hash(parts).unwrap_or_else(|| {
            let mut hash = Xxh3Default::new();
            for part in parts {
                hash.update(&prefix(part));
                hash.update(part.as_bytes());
            }
            hash.digest()
        });
        Shard((hash % u64::from(shards.get())) as u32)
    }

    /// Which of a node's journals the groups of this shard go to, if it has `lanes` of them.
    #[allow(clippy::cast_possible_truncation, reason = "a remainder is smaller than its divisor, which is a u16")]
    pub fn lane(self, lanes: NonZeroU16) -> u16 {
        (self.0 % u32::from(lanes.get())) as u16
    }
}

/// The length of a part, which is no longer than its limit, as it stands before it.
fn prefix(part: &str) -> [u8; 4] {
    u32::try_from(part.len()).unwrap_or(u32::MAX).to_le_bytes()
}

/// The hash of a short name, which a hash of pieces takes ten times as long for.
fn short_hash(parts: [&str; 3]) -> Option<u64> {
    let mut whole = [0; SHORT_BYTES];
    let mut rest = &mut whole[..];
    for part in parts {
        let length = prefix(part);
        rest.split_off_mut(..length.len())?.copy_from_slice(&length);
        rest.split_off_mut(..part.len())?.copy_from_slice(part.as_bytes());
    }
    let length = SHORT_BYTES - rest.len();
    Some(xxh3_64(whole.get(..length)?))
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "shard {}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed with the reference implementation of XXH3 in C, through its Python binding.
    #[rustfmt::skip]
    const GOLDEN: &[(&str, &str, &str, u32, u32)] = &[
        ("default", "Cart", "alice", 1, 0),
        ("default", "Cart", "alice", 256, 243),
        ("default", "Cart", "alice", 1000, 571),
        ("default", "Cart", "alice", 4294967295, 1100515886),
        ("default", "Cart", "bob", 1, 0),
        ("default", "Cart", "bob", 256, 16),
        ("default", "Cart", "bob", 1000, 208),
        ("default", "Cart", "bob", 4294967295, 2699051768),
        ("n", "T", "x", 1, 0),
        ("n", "T", "x", 256, 226),
        ("n", "T", "x", 1000, 458),
        ("n", "T", "x", 4294967295, 2537836573),
        ("shop", "Order", "Zürich/№ 7", 1, 0),
        ("shop", "Order", "Zürich/№ 7", 256, 225),
        ("shop", "Order", "Zürich/№ 7", 1000, 961),
        ("shop", "Order", "Zürich/№ 7", 4294967295, 2936648946),
        ("default", "Cart", "日本語\u{0}", 1, 0),
        ("default", "Cart", "日本語\u{0}", 256, 254),
        ("default", "Cart", "日本語\u{0}", 1000, 366),
        ("default", "Cart", "日本語\u{0}", 4294967295, 4179214581),
    ];

    #[test]
    fn names_have_the_shards_that_they_always_had() {
        for &(namespace, kind, name, shards, expected) in GOLDEN {
            let actor = ActorName::new(namespace, kind, name).unwrap();
            let shard = Shard::of(&actor, NonZeroU32::new(shards).unwrap());
            assert_eq!(shard, Shard(expected), "{actor} of {shards}");
        }
    }

    #[test]
    fn parts_that_run_into_each_other_are_told_apart() {
        let shards = NonZeroU32::MAX;
        let shard = |namespace, kind, name| Shard::of(&ActorName::new(namespace, kind, name).unwrap(), shards);
        assert_ne!(shard("ab", "c", "d"), shard("a", "bc", "d"));
        assert_ne!(shard("a", "bc", "d"), shard("a", "b", "cd"));
    }

    #[test]
    fn a_lane_is_the_remainder_of_the_shard() {
        let lanes = NonZeroU16::new(3).unwrap();
        assert_eq!([0, 1, 2, 3, 65_537].map(|shard| Shard(shard).lane(lanes)), [0, 1, 2, 0, 2]);
        assert_eq!(Shard(u32::MAX).lane(NonZeroU16::MIN), 0);
    }
}
