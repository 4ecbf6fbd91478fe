//! An answer is data, not `!`.
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

    pub async fn put(&mut self) -> ! {
        unreachable!()
    }
}

fn main() {}
