//! The embedded store passes the conformance suite, with either durability, and with its rows stored at once and later.

use std::time::Duration;

use dna_core::testing::StoreUnderTest;
use dna_storage::{Durability, Embedded, EmbeddedOptions, journaled::JournaledOptions};
use tempfile::TempDir;

macro_rules! suite {
    ($name:ident, $store:ident, $options:expr) => {
        mod $name {
            use super::*;

            struct $store;

            impl StoreUnderTest for $store {
                type Store = Embedded;
                type Guard = TempDir;

                async fn open() -> (Self::Guard, Self::Store) {
                    let dir = tempfile::tempdir().unwrap();
                    let store = $options.open(dir.path().join("dna")).unwrap();
                    (dir, store)
                }

                async fn reopen(dir: Self::Guard, store: Self::Store) -> (Self::Guard, Self::Store) {
                    drop(store);
                    let store = $options.open(dir.path().join("dna")).unwrap();
                    (dir, store)
                }
            }

            dna_core::store_conformance!($store);
        }
    };
}

fn options(durability: Durability, gather_rows: Duration) -> EmbeddedOptions {
    let journaled = JournaledOptions { gather_rows, ..JournaledOptions::default() };
    Embedded::options().durability(durability).journaled(journaled)
}

suite!(fsync_at_once, FsyncAtOnce, options(Durability::Fsync, Duration::ZERO));
suite!(fsync_later, FsyncLater, options(Durability::Fsync, Duration::from_secs(60)));
suite!(buffered_at_once, BufferedAtOnce, options(Durability::Buffered, Duration::ZERO));
suite!(buffered, Buffered, Embedded::options().durability(Durability::Buffered));
