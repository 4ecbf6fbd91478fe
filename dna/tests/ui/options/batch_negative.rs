//! A batch has a number of messages.
#![allow(unused)]

use dna::prelude::*;

struct Cart;

#[dna::actor(max_batch_messages = -1)]
impl Cart {
    async fn init(_: Context) -> dna::Result<Self> {
        Ok(Cart)
    }

    pub async fn get(&self) -> u32 {
        1
    }
}

fn main() {}
