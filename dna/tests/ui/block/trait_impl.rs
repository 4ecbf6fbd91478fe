//! An actor is not an implementation of a trait.
#![allow(unused)]

use dna::prelude::*;

struct Cart;

trait Get {
    fn get(&self);
}

#[dna::actor]
impl Get for Cart {
    fn get(&self) {}
}

fn main() {}
