//! A version is an u32.
#![allow(unused)]

use dna::prelude::*;

struct Cart;

#[dna::actor(version = 4294967296)]
impl Cart {
    async fn init(_: Context) -> dna::Result<Self> {
        Ok(Cart)
    }

    pub async fn get(&self) -> u32 {
        1
    }
}

fn main() {}
