//! The reference store passes the suite that it is the reference for.

use dna_core::{Memory, testing::StoreUnderTest};

struct InMemory;

impl StoreUnderTest for InMemory {
    type Store = Memory;
    type Guard = ();

    async fn open() -> (Self::Guard, Self::Store) {
        ((), Memory::new())
    }
}

dna_core::store_conformance!(InMemory);
