//! A block has no where clause.
#![allow(unused)]

use dna::prelude::*;

struct Cart;

#[dna::actor]
impl Cart
where
    u32: Copy,
 {
    async fn init(_: Context) -> dna::Result<Self> {
        Ok(Cart)
    }

    pub async fn get(&self) -> u32 {
        1
    }
}

fn main() {}
