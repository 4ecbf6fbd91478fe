//! `cargo xtask scylla-up`, `scylla-down`, `scylla-status`: a CQL server on loopback, by one command. Owns what is
//! started, where its data is and what may be stopped; knows nothing of the tables in it, which another program creates.
//!
//! Decisions (which engine, which settings, what conflicts) are pure functions; `up`, `down` and `status` do what they
//! say. An instance has a name, and below `target/scylla/<name>` its record, its configuration, its logs and its data.

mod cassandra;
mod cql;
mod docker;
mod down;
mod engine;
mod error;
mod java;
mod maven;
mod options;
mod place;
mod process;
mod progress;
mod server;
mod settings;
mod state;
mod status;
mod up;

pub(crate) use self::{
    down::run as down,
    error::Error,
    options::{DownOptions, StatusOptions, UpOptions},
    status::run as status,
    up::{fetch, run as up},
};
