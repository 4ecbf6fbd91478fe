//! The error of `init` becomes a `dna::Error`.
#![allow(unused)]

use dna::prelude::*;

struct Cart;

#[dna::actor]
impl Cart {
    pub async fn get(&self) -> u32 {
        1
    }

    async fn init(_: Context) -> Result<Self, u32> {
        Ok(Cart)
    }
}

fn main() {}
