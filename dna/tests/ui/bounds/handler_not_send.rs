//! A handler goes from thread to thread.
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

    pub async fn wait(&self) {
        let held = std::rc::Rc::new(1);
        std::future::ready(()).await;
        drop(held);
    }
}

fn main() {}
