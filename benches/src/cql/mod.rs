//! The store on ScyllaDB and Apache Cassandra, on a server that runs already. DNA and what it is held against take turns,
//! each in a keyspace of its own, which is dropped when its rows have been counted in the database.

mod actors;
mod callers;
mod casts;
mod condition;
mod contender;
mod driver;
mod lag;
mod names;
mod protocol;
mod scale;
mod server;
mod soak;
mod space;
mod subject;
mod watched;

pub(crate) use self::server::Server;
use crate::{bench::Bench, error::Error, row::Board};

/// Runs what was asked for, and leaves no keyspace behind.
pub(crate) async fn run(bench: &Bench, server: &Server, board: &mut Board) -> Result<(), Error> {
    let done = run_all(bench, server, board).await;
    let dropped = server.drop_all().await;
    done.and(dropped)
}

async fn run_all(bench: &Bench, server: &Server, board: &mut Board) -> Result<(), Error> {
    if let Some(seconds) = bench.args.soak {
        return soak::run(bench, server, board, seconds).await;
    }
    if let Some(number) = bench.args.workload.iter().find(|number| ![1, 2, 3, 5].contains(*number)) {
        return Err(Error::NoWorkload(*number));
    }
    for number in (1..=8).filter(|number| bench.args.has_workload(*number)) {
        match number {
            1 => casts::run(bench, server, board).await?,
            2 => callers::run(bench, server, board).await?,
            3 => actors::run(bench, server, board).await?,
            5 => names::run(bench, server, board).await?,
            _ => {}
        }
    }
    Ok(())
}
