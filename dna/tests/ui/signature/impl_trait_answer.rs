//! An answer has a type with a name.
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

    pub fn list(&self) -> impl Iterator<Item = u32> {
        [1].into_iter()
    }
}

fn main() {}
