//! An actor type borrows nothing.
#![allow(unused)]

use dna::prelude::*;

struct Cart<'a>(&'a str);

#[dna::actor]
impl<'a> Cart<'a> {
    async fn init(_: Context) -> dna::Result<Self> {
        unreachable!()
    }

    pub async fn get(&self) -> u32 {
        1
    }
}

fn main() {}
