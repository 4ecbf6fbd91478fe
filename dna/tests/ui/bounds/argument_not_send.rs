//! An argument goes to another thread.
#![allow(unused)]

use dna::prelude::*;

struct Cart;

#[derive(serde::Serialize, serde::Deserialize)]
struct Local(std::marker::PhantomData<*const u8>);

#[dna::actor]
impl Cart {
    async fn init(_: Context) -> dna::Result<Self> {
        Ok(Cart)
    }

    pub async fn get(&self) -> u32 {
        1
    }

    pub async fn put(&mut self, local: Local) {}
}

fn main() {}
