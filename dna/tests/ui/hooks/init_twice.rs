//! There is one `init`.
#![allow(unused)]

use dna::prelude::*;

struct Cart;

#[dna::actor]
impl Cart {
    async fn init(_: Context) -> dna::Result<Self> {
        Ok(Cart)
    }

    pub async fn get(&self) -> u32 {
        1
    }

    async fn init(_: Context<Self>) -> dna::Result<Self> {
        Ok(Cart)
    }
}

fn main() {}
