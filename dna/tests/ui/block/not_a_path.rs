//! An actor is a struct or an enum.
#![allow(unused)]

use dna::prelude::*;

struct Cart;

#[dna::actor]
impl (u32, u32) {
    async fn init(_: Context) -> dna::Result<Self> {
        unreachable!()
    }

    pub async fn get(&self) -> u32 {
        1
    }
}

fn main() {}
