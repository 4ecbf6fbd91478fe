//! An option stands once.
#![allow(unused)]

use dna::prelude::*;

struct Cart;

#[dna::actor(name = "a", name = "b")]
impl Cart {
    async fn init(_: Context) -> dna::Result<Self> {
        Ok(Cart)
    }

    pub async fn get(&self) -> u32 {
        1
    }
}

fn main() {}
