//! The attribute stands on the block, not on a module.
#![allow(unused)]

use dna::prelude::*;

#[dna::actor]
mod cart {}

fn main() {}
