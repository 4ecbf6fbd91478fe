//! What keeps a node from handling messages of an actor type: it does not know the type, or in another version.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::engine::NodeAddress;

/// How many members an error names.
const NAMED_MEMBERS_MAX: usize = 32;

/// An actor type that the owner of a shard does not know, or in another version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TypeMismatch {
    /// The type's name.
    pub kind: String,
    /// The version of the caller.
    pub version: u32,
    /// The owner of the actor's shard, if there is one.
    pub owner: Option<NodeAddress>,
    /// The version that the owner knows, if it knows the type.
    pub owners_version: Option<u32>,
    /// The members that know the type, as far as the caller's node has seen: 32 at the most, those of the caller's version
    /// first.
    pub known_by: Vec<KnownBy>,
    /// How many more there are.
    pub more: usize,
}

/// A member of a cluster that knows an actor type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct KnownBy {
    /// The member.
    pub node: NodeAddress,
    /// The version in which it knows the type.
    pub version: u32,
}

impl KnownBy {
    /// This member knows it in this version.
    pub fn new(node: NodeAddress, version: u32) -> Self {
        KnownBy { node, version }
    }
}

impl TypeMismatch {
    /// A type that is called in this version. `owner` is the owner of the actor's shard, with the version that it knows;
    /// `known_by` all members that know the type.
    pub fn new(
        kind: impl Into<String>,
        version: u32,
        owner: Option<(NodeAddress, Option<u32>)>,
        mut known_by: Vec<KnownBy>,
    ) -> Self {
        known_by.sort_by_key(|known| known.version != version);
        let more = known_by.len().saturating_sub(NAMED_MEMBERS_MAX);
        known_by.truncate(NAMED_MEMBERS_MAX);
        let (owner, owners_version) = owner.map_or((None, None), |(owner, version)| (Some(owner), version));
        TypeMismatch { kind: kind.into(), version, owner, owners_version, known_by, more }
    }

    /// Whether it may pass without anybody being changed: some member knows the type in the caller's version.
    pub(crate) fn is_passing(&self) -> bool {
        self.known_by.iter().any(|known| known.version == self.version)
    }
}

impl fmt::Display for TypeMismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TypeMismatch { kind, version, owner, owners_version, known_by, more } = self;
        match (owner, owners_version) {
            (Some(owner), Some(known)) => write!(
                f,
                "the actor type `{kind}` is called in version {version}, and the node {owner}, which owns the actor's \
                 shard, knows version {known}; "
            )?,
            (Some(owner), None) => write!(
                f,
                "the actor type `{kind}` is called in version {version}, and the node {owner}, which owns the actor's \
                 shard, does not know it; "
            )?,
            (None, _) => write!(f, "the actor type `{kind}` is called in version {version}, and nobody serves it; ")?,
        }
        if known_by.is_empty() {
            return write!(f, "no member of the cluster knows it: register it with `.actor::<{kind}>()`");
        }
        f.write_str("known by ")?;
        for (index, KnownBy { node, version }) in known_by.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{node} (version {version})")?;
        }
        if *more > 0 {
            write!(f, " and {more} more")?;
        }
        f.write_str(": have all nodes know it in the same version, and try again")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::NodeId;

    fn at(byte: u8) -> NodeAddress {
        NodeAddress::new(NodeId::from_bytes([byte; 16]), ([127, 0, 0, byte], 7400).into())
    }

    #[test]
    fn the_message_names_the_type_the_versions_and_the_members_that_know_it() {
        let known = vec![KnownBy::new(at(1), 1), KnownBy::new(at(2), 2)];
        let message = TypeMismatch::new("Order", 2, Some((at(1), Some(1))), known).to_string();
        let expected = [
            "`Order` is called in version 2".to_owned(),
            format!("the node {}, which owns the actor's shard, knows version 1", at(1)),
            format!("known by {} (version 2), {} (version 1)", at(2), at(1)),
        ];
        for part in expected {
            assert!(message.contains(&part), "{message}");
        }
        let message = TypeMismatch::new("Order", 1, Some((at(1), None)), vec![]).to_string();
        assert!(message.contains("does not know it; no member of the cluster knows it"), "{message}");
        let message = TypeMismatch::new("Order", 1, None, vec![]).to_string();
        assert!(message.contains("nobody serves it"), "{message}");
    }

    #[test]
    fn as_many_members_are_named_as_may_be_and_the_others_counted() {
        for (members, more) in [(NAMED_MEMBERS_MAX, 0), (NAMED_MEMBERS_MAX + 1, 1)] {
            let mismatch = TypeMismatch::new("Order", 1, None, vec![KnownBy::new(at(1), 1); members]);
            assert_eq!((mismatch.known_by.len(), mismatch.more), (NAMED_MEMBERS_MAX, more));
            assert_eq!(mismatch.to_string().contains(" and 1 more"), more == 1);
        }
    }

    #[test]
    fn it_passes_where_somebody_knows_the_callers_version() {
        let known = |version| vec![KnownBy::new(at(1), version)];
        assert!(TypeMismatch::new("Order", 2, None, known(2)).is_passing());
        assert!(!TypeMismatch::new("Order", 2, None, known(1)).is_passing());
        assert!(!TypeMismatch::new("Order", 2, None, vec![]).is_passing());
    }
}
