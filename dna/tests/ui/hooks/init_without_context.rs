//! `init` takes the context.
#![allow(unused)]

use dna::prelude::*;

struct Cart;

#[dna::actor]
impl Cart {
    pub async fn get(&self) -> u32 {
        1
    }

    async fn init() -> dna::Result<Self> {
        Ok(Cart)
    }
}

fn main() {}
