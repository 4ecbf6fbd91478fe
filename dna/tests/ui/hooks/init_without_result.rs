//! `init` may fail.
#![allow(unused)]

use dna::prelude::*;

struct Cart;

#[dna::actor]
impl Cart {
    pub async fn get(&self) -> u32 {
        1
    }

    async fn init(_: Context) -> Self {
        Cart
    }
}

fn main() {}
