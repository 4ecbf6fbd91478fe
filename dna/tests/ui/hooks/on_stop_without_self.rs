//! `on_stop` has an actor.
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

    async fn on_stop() {}
}

fn main() {}
