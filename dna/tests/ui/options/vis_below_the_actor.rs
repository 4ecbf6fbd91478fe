//! The generated items are as visible as the actor.
#![allow(unused)]

use dna::prelude::*;

pub struct Cart;

#[dna::actor(vis = pub(self))]
impl Cart {
    async fn init(_: Context) -> dna::Result<Self> {
        Ok(Cart)
    }

    pub async fn get(&self) -> u32 {
        1
    }
}

fn main() {}
