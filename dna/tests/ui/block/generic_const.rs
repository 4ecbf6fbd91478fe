//! An actor type has no const parameters.
#![allow(unused)]

use dna::prelude::*;

struct Cart<const N: usize>([u8; N]);

#[dna::actor]
impl<const N: usize> Cart<N> {
    async fn init(_: Context) -> dna::Result<Self> {
        unreachable!()
    }

    pub async fn get(&self) -> u32 {
        1
    }
}

fn main() {}
