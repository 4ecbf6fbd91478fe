//! Storage for durable named actors: the modules that an actor keeps its state in.

pub mod modules;

pub use modules::{Kv, Value};
