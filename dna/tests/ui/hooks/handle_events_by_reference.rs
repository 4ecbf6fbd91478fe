//! `handle_events` takes the events by value.
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

    async fn handle_events(&mut self, events: &Events<Self>) -> dna::Result<()> {
        Ok(())
    }
}

fn main() {}
