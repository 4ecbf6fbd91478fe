//! A placement is a string.
#![allow(unused)]

use dna::prelude::*;

struct Cart;

#[dna::actor(placement = local)]
impl Cart {
    async fn init(_: Context) -> dna::Result<Self> {
        Ok(Cart)
    }

    pub async fn get(&self) -> u32 {
        1
    }
}

fn main() {}
