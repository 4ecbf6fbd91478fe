//! An answer is encoded.
#![allow(unused)]

use dna::prelude::*;

struct Cart;

struct Opaque;

#[dna::actor]
impl Cart {
    async fn init(_: Context) -> dna::Result<Self> {
        Ok(Cart)
    }

    pub async fn get(&self) -> u32 {
        1
    }

    pub async fn take(&mut self) -> Option<Opaque> {
        None
    }
}

fn main() {}
