//! The cluster's store in memory: it passes the suites that it is the reference for, it fails them where it breaks a
//! rule, and it does what its faults say.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::indexing_slicing, reason = "tests")]

mod broken_rules;
mod conformance;
mod engine;
mod faults;
mod journals_as_stores;
mod member;
mod member_load;
mod placing;
mod routed;
mod simulation;
mod under_test;
