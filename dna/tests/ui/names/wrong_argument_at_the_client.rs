//! A client's method takes what the message takes.
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

    pub async fn put(&mut self, sku: String, count: u32) {}
}

fn main() {
    let cart = Cart::client("alice");
    let _ = cart.put("apple", "three");
}
