//! `plain` is for messages.
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

    #[dna(plain)]
    async fn on_stop(&mut self) {}
}

fn main() {}
