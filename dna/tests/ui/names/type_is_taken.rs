//! The generated names are free.
#![allow(unused)]

use dna::prelude::*;

struct Cart;

struct CartClient;

#[dna::actor]
impl Cart {
    async fn init(_: Context) -> dna::Result<Self> {
        Ok(Cart)
    }

    pub async fn get(&self) -> u32 {
        1
    }
}

fn main() {}
