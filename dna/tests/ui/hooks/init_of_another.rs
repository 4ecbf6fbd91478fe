//! `init` returns this actor.
#![allow(unused)]

use dna::prelude::*;

struct Cart;

#[dna::actor]
impl Cart {
    pub async fn get(&self) -> u32 {
        1
    }

    async fn init(_: Context) -> dna::Result<u32> {
        Ok(1)
    }
}

fn main() {}
