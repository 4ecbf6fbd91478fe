//! `plain` is for what looks like a `Result`.
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

    #[dna(plain)]
    pub async fn put(&mut self) -> u32 {
        1
    }
}

fn main() {}
