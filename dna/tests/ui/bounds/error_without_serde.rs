//! An error is encoded.
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

    pub async fn take(&mut self) -> Result<u32, Opaque> {
        Ok(1)
    }
}

fn main() {}
