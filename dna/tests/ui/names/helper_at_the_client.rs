//! A helper is not a message.
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

    fn helper(&self) {}
}

fn main() {
    let cart = Cart::client("alice");
    let _ = cart.helper();
}
