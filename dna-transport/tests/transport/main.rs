//! Transports against each other, and against peers that do not keep to the rules: over TCP on 127.0.0.1, or over pipes in
//! memory where the clock has to stand still.
#![allow(clippy::disallowed_methods, reason = "a test starts tasks, and steers the clock")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test may fail by panicking")]

mod bounds;
mod calls;
mod closing;
mod endings;
mod evolution;
mod order;
mod pipes;
mod raw;
mod strangers;
mod support;
#[cfg(feature = "tls")]
mod tls;
