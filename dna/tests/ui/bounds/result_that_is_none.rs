//! What is called `Result` is one.
#![allow(unused)]

use dna::prelude::*;

struct Cart;

mod own {
    #[derive(serde::Serialize, serde::Deserialize)]
    pub struct Result;
}

#[dna::actor]
impl Cart {
    async fn init(_: Context) -> dna::Result<Self> {
        Ok(Cart)
    }

    pub async fn get(&self) -> u32 {
        1
    }

    pub async fn take(&mut self) -> own::Result {
        own::Result
    }
}

fn main() {}
