//! A placement is one of those that there are.
#![allow(unused)]

use dna::prelude::*;

struct Cart;

#[dna::actor(placement = "nearby")]
impl Cart {
    async fn init(_: Context) -> dna::Result<Self> {
        Ok(Cart)
    }

    pub async fn get(&self) -> u32 {
        1
    }
}

fn main() {}
