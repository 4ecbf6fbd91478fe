//! A macro in the block would hide methods.
#![allow(unused)]

use dna::prelude::*;

struct Cart;

macro_rules! methods {
    () => {
        pub async fn hidden(&self) {}
    };
}

#[dna::actor]
impl Cart {
    async fn init(_: Context) -> dna::Result<Self> {
        Ok(Cart)
    }

    pub async fn get(&self) -> u32 {
        1
    }

    methods!();
}

fn main() {}
