//! An actor has an `init`.
#![allow(unused)]

use dna::prelude::*;

struct Cart;

#[dna::actor]
impl Cart {
    pub async fn get(&self) -> u32 {
        1
    }
}

fn main() {}
