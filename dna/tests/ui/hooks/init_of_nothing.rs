//! `init` returns the actor.
#![allow(unused)]

use dna::prelude::*;

struct Cart;

#[dna::actor]
impl Cart {
    pub async fn get(&self) -> u32 {
        1
    }

    async fn init(_: Context) -> dna::Result<()> {
        Ok(())
    }
}

fn main() {}
