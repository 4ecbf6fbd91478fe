//! The attribute stands on the block, not on the type.
#![allow(unused)]

use dna::prelude::*;

#[dna::actor]
struct Cart;

fn main() {}
