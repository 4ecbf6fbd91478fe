//! A placement needs a value.
#![allow(unused)]

use dna::prelude::*;

struct Cart;

#[dna::actor(placement)]
impl Cart {
    async fn init(_: Context) -> dna::Result<Self> {
        Ok(Cart)
    }

    pub async fn get(&self) -> u32 {
        1
    }
}

fn main() {}
