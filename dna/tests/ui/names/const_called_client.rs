//! `client` is taken, for consts too.
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

    #[allow(non_upper_case_globals)]
    const client: u32 = 1;
}

fn main() {}
