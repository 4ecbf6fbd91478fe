//! Everything private, in a function.
#![allow(unused)]

use dna::prelude::*;

fn scope() {
    struct Local;

    #[dna::actor(vis = pub(self))]
    impl Local {
        async fn init(_: Context) -> dna::Result<Self> {
            Ok(Local)
        }

        pub async fn get(&self) -> u32 {
            1
        }
    }

    assert_eq!(Local::KIND, "Local");
}

fn main() {
    scope();
}
