//! An actor type has no type parameters.
#![allow(unused)]

use dna::prelude::*;

struct Cart<T>(T);

#[dna::actor]
impl<T> Cart<T> {
    async fn init(_: Context) -> dna::Result<Self> {
        unreachable!()
    }

    pub async fn get(&self) -> u32 {
        1
    }
}

fn main() {}
