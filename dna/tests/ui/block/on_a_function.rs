//! The attribute stands on the block, not on a function.
#![allow(unused)]

use dna::prelude::*;

#[dna::actor]
pub fn cart() {}

fn main() {}
