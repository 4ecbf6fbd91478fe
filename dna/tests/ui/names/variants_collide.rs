//! Two messages have two variants.
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

    pub async fn put_it(&mut self) {}

    #[allow(non_snake_case)]
    pub async fn putIt(&mut self) {}
}

fn main() {}
