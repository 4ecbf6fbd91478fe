//! What several test binaries share: repeatable random choices, and random commits with their model.
#![allow(dead_code, unreachable_pub, reason = "no test binary uses all of it")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that fails is to panic")]

pub mod model;
pub mod random;
