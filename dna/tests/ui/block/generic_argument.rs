//! An actor type has no generic arguments.
#![allow(unused)]

use dna::prelude::*;

struct Cart<T>(T);

#[dna::actor]
impl Cart<u32> {
    async fn init(_: Context) -> dna::Result<Self> {
        unreachable!()
    }

    pub async fn get(&self) -> u32 {
        1
    }
}

fn main() {}
