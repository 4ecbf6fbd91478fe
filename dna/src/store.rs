//! What a node may be given as its store.

use std::sync::Arc;

#[cfg(feature = "cluster")]
use dna_core::ClusterStore;
use dna_core::Store;

/// What keeps the state of a node's actors: a [`Store`], which serves this node alone, or, with the feature `cluster`,
/// the store of a cluster.
///
/// `Kind` tells the two apart and is always inferred.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a store that a node can be given",
    note = "a node takes a `Store`, or, with the feature `cluster` of `dna`, a `ClusterStore` or an `Arc<dyn ClusterStore>`"
)]
pub trait NodeStore<Kind> {
    #[doc(hidden)]
    fn into_chosen(self) -> Chosen;
}

/// The store that a node was given.
#[doc(hidden)]
#[non_exhaustive]
pub enum Chosen {
    /// It serves one node.
    Single(Arc<dyn Store>),
    /// It serves a cluster.
    #[cfg(feature = "cluster")]
    Cluster(Arc<dyn ClusterStore>),
}

/// The kind of a [`Store`].
#[derive(Debug)]
pub enum Single {}

/// The kind of a `ClusterStore`.
#[cfg(feature = "cluster")]
#[derive(Debug)]
pub enum Cluster {}

/// The kind of a shared `ClusterStore`.
#[cfg(feature = "cluster")]
#[derive(Debug)]
pub enum SharedCluster {}

impl<S: Store> NodeStore<Single> for S {
    fn into_chosen(self) -> Chosen {
        Chosen::Single(Arc::new(self))
    }
}

#[cfg(feature = "cluster")]
impl<S: ClusterStore> NodeStore<Cluster> for S {
    fn into_chosen(self) -> Chosen {
        Chosen::Cluster(Arc::new(self))
    }
}

#[cfg(feature = "cluster")]
impl NodeStore<SharedCluster> for Arc<dyn ClusterStore> {
    fn into_chosen(self) -> Chosen {
        Chosen::Cluster(self)
    }
}
