//! A message has an actor.
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

    pub fn new(count: u32) -> Self {
        let _ = count;
        Cart
    }
}

fn main() {}
