//! `Self` in arguments and answers is the actor's type, also where it is generated to.
#![allow(unused)]

use dna::prelude::*;

#[derive(Clone, serde::Serialize, serde::Deserialize)]
struct Cart {
    lines: Vec<String>,
}

#[dna::actor]
impl Cart {
    async fn init(_: Context) -> dna::Result<Self> {
        Ok(Cart { lines: Vec::new() })
    }

    pub fn merge(&mut self, other: Self, more: Vec<Self>) {
        self.lines.extend(other.lines);
    }

    pub fn copy(&self) -> Option<Self> {
        Some(self.clone())
    }

    pub fn swap(&mut self, other: Self) -> Result<Self, Box<Self>> {
        Ok(std::mem::replace(self, other))
    }
}

fn main() {
    let cart = Cart { lines: vec!["apple".to_owned()] };
    let message = CartMessage::Merge { other: cart.clone(), more: vec![cart.clone()] };
    let CartReply::Copy(copy) = CartReply::Copy(Some(cart)) else { return };
    assert_eq!(copy.map(|cart| cart.lines), Some(vec!["apple".to_owned()]));
}
