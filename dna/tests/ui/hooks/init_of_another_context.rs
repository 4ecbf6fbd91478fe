//! `init` takes the actor's own context.
#![allow(unused)]

use dna::prelude::*;

struct Cart;

#[dna::actor]
impl Cart {
    pub async fn get(&self) -> u32 {
        1
    }

    async fn init(_: Context<u32>) -> dna::Result<Self> {
        Ok(Cart)
    }
}

fn main() {}
