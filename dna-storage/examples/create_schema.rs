//! Creates a keyspace, if it does not exist, and the tables of a cluster in it.
//!
//! ```sh
//! cargo run -p dna-storage --features scylla --example create_schema -- 127.0.0.1:9042 shop
//! ```
//!
//! A row gets three copies, or as many as the database has nodes.
#![allow(clippy::print_stdout, reason = "what was done is for whoever runs this")]

use std::{process::ExitCode, time::Duration};

use dna_storage::{Scylla, ScyllaConfig};

const USAGE: &str = "usage: create_schema <contact point, host:port> <keyspace>";
const REPLICAS_MAX: usize = 3;
/// A table of a server that has just started may take its time.
const TIMEOUT: Duration = Duration::from_secs(60);

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [contact_point, keyspace] = args.as_slice() else {
        println!("{USAGE}");
        // To ask how this is used is no failure.
        return if args.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    };
    let config = ScyllaConfig::new([contact_point], keyspace).connect_timeout(TIMEOUT).request_timeout(TIMEOUT);
    match Scylla::create_schema(&config, Some(REPLICAS_MAX)).await {
        Ok(statements) => {
            statements.iter().for_each(|statement| println!("{statement};"));
            println!("the keyspace `{keyspace}` is ready on {contact_point}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            println!("the schema was not created: {error}");
            ExitCode::FAILURE
        }
    }
}
