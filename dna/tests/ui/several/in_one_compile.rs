//! One compile tells everything that is wrong, and nothing twice.
#![allow(unused)]

use dna::prelude::*;

struct Cart;

#[dna::actor(name = "", colour = "red", max_batch_messages = 0)]
impl Cart {
    async fn init(&self) {}

    pub async fn get(self, sku: &str) -> &u32 {
        unreachable!()
    }

    pub(crate) async fn put<T>(&mut self, (a, b): (T, impl Copy)) {}

    pub fn client(&self) {}

    pub async fn sound(&self) -> u32 {
        1
    }
}

fn calls(cart: CartClient) {
    let _ = cart.sound();
    let _ = CartMessage::Sound;
}

fn main() {}
