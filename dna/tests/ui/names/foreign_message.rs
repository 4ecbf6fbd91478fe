//! Another actor's message cannot be scheduled.
#![allow(unused)]

use dna::prelude::*;

struct Cart;

#[dna::actor]
impl Cart {
    async fn init(ctx: Context<Self>) -> dna::Result<Self> {
        ctx.schedule(std::time::Duration::from_secs(1), ShelfMessage::Fill);
        Ok(Cart)
    }

    pub async fn get(&self) -> u32 {
        1
    }
}

struct Shelf;

#[dna::actor]
impl Shelf {
    async fn init(_: Context) -> dna::Result<Self> {
        Ok(Shelf)
    }

    pub async fn fill(&mut self) {}
}

fn main() {}
