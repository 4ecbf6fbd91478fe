//! An argument is decoded.
#![allow(unused)]

use dna::prelude::*;

struct Cart;

#[derive(serde::Serialize)]
struct Half;

#[dna::actor]
impl Cart {
    async fn init(_: Context) -> dna::Result<Self> {
        Ok(Cart)
    }

    pub async fn get(&self) -> u32 {
        1
    }

    pub async fn put(&mut self, half: Half) {}
}

fn main() {}
