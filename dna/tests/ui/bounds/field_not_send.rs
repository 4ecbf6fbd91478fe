//! A field goes from thread to thread.
#![allow(unused)]

use dna::prelude::*;

struct Cart {
    field: std::rc::Rc<u32>,
}

#[dna::actor]
impl Cart {
    async fn init(_: Context) -> dna::Result<Self> {
        Ok(Cart { field: Default::default() })
    }

    pub async fn get(&self) -> u32 {
        let _ = &self.field;
        1
    }
}

fn main() {}
