//! The view, cheap to clone and to compare: what never changes in it does not count.

use std::{
    cmp::Ordering,
    fmt,
    hash::{Hash, Hasher},
    sync::Arc,
};

use dna_cluster::{Seen, View};
use dna_core::{NodeId, Shard};

/// A view with its version.
#[derive(Clone)]
pub struct Shown(Arc<(Seen, Vec<u64>)>);

impl Shown {
    pub fn new(version: u64, view: View) -> Self {
        let mut key = vec![version, view.ts().as_micros()];
        for member in view.members() {
            key.extend([number(member.id), u64::from(member.is_active())]);
            key.extend(view.shards_of(member.id).flat_map(|(Shard(shard), epoch)| [1000 + u64::from(shard), epoch]));
        }
        Shown(Arc::new((Seen { version, view }, key)))
    }

    pub fn seen(&self) -> &Seen {
        &self.0.0
    }

    pub fn view(&self) -> &View {
        &self.0.0.view
    }

    pub fn version(&self) -> u64 {
        self.0.0.version
    }

    /// The epoch in which a node owns a shard, if it does.
    pub fn epoch(&self, shard: usize, node: usize) -> Option<u64> {
        let shard = Shard(u32::try_from(shard).unwrap());
        self.view().shards_of(id(node)).find(|(owned, _)| *owned == shard).map(|(_, epoch)| epoch)
    }
}

/// Node `index` of the model.
pub fn id(index: usize) -> NodeId {
    NodeId::from_bytes([u8::try_from(index).unwrap() + 1; 16])
}

fn number(node: NodeId) -> u64 {
    u64::from(node.as_bytes()[0])
}

impl PartialEq for Shown {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.1 == other.0.1
    }
}

impl Eq for Shown {}

impl PartialOrd for Shown {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Shown {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.1.cmp(&other.0.1)
    }
}

impl Hash for Shown {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.1.hash(state);
    }
}

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "view{:?}", self.0.1)
    }
}
