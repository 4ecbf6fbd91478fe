//! What one node commits through is a store like any other: on a fresh keyspace, opened again over the same journal, with
//! rows stored at once and much later.

use std::{sync::Arc, time::Duration};

use dna_core::{
    NodeId, Timestamp,
    testing::{LaneStore, StoreUnderTest},
};
use dna_storage::{Scylla, journaled::JournaledOptions};

use crate::support::{Keyspace, skipped};

macro_rules! suite {
    ($name:ident, $store:ident, $gather:expr) => {
        mod $name {
            use super::*;

            struct $store;

            impl StoreUnderTest for $store {
                type Store = LaneStore;
                type Guard = (Scylla, Keyspace);

                fn skipped() -> Option<String> {
                    skipped()
                }

                async fn open() -> (Self::Guard, Self::Store) {
                    let keyspace = Keyspace::create().await;
                    let options = JournaledOptions { gather_rows: $gather, ..JournaledOptions::default() };
                    let scylla = Scylla::connect(keyspace.config().journaled(options)).await.unwrap();
                    let journals = scylla.journals(NodeId::new(), 1, Timestamp::ZERO).await.unwrap();
                    ((scylla, keyspace), LaneStore::new(Arc::new(journals), 0))
                }

                async fn reopen((scylla, keyspace): Self::Guard, store: Self::Store) -> (Self::Guard, Self::Store) {
                    let node = store.journals().node();
                    drop(store);
                    let journals = scylla.reopen_journals(node, 1).await.unwrap();
                    ((scylla, keyspace), LaneStore::new(Arc::new(journals), 0))
                }
            }

            dna_core::store_conformance!($store);
        }
    };
}

suite!(stored_at_once, StoredAtOnce, Duration::ZERO);
suite!(stored_later, StoredLater, Duration::from_secs(60));
