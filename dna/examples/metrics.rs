//! What a Prometheus server would fetch: `cargo run --example metrics`.
//!
//! The libraries tell the recorder of the `metrics` crate; which one that is, is the program's choice. This one keeps what
//! it is told for Prometheus. With its feature `http-listener`, `PrometheusBuilder::new().install()` serves it on port 9000.
#![allow(clippy::print_stdout, reason = "it shows what it does")]
#![allow(clippy::disallowed_methods, reason = "it waits for time to pass")]

use std::time::Duration;

use dna::prelude::*;
use metrics_exporter_prometheus::PrometheusBuilder;

struct Account {
    balance: Value<u64>,
}

#[dna::actor]
impl Account {
    async fn init(ctx: Context) -> dna::Result<Self> {
        Ok(Account { balance: ctx.open("balance")? })
    }

    pub async fn deposit(&mut self, amount: u64) -> dna::Result<u64> {
        let balance = self.balance.get().await?.unwrap_or(0) + amount;
        self.balance.set(balance);
        Ok(balance)
    }

    pub async fn withdraw(&mut self, _amount: u64) -> dna::Result<u64> {
        Err(dna::Error::new("the bank is closed"))
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Before the first node starts, so that it describes its metrics to this one.
    let prometheus = PrometheusBuilder::new().install_recorder()?;
    let node = Node::builder().store(Memory::new()).actor::<Account>().start().await?;
    for n in 0..1000 {
        Account::client(format!("account {}", n % 50)).deposit(1).await?;
    }
    let refused = Account::client("account 0").withdraw(1).await;
    println!("one call fails: {}", refused.err().map_or_else(String::new, |error| error.to_string()));
    // A node tells once a second.
    tokio::time::sleep(Duration::from_millis(1200)).await;
    for line in prometheus.render().lines().filter(|line| !line.ends_with(" 0") && !line.starts_with("# TYPE")) {
        println!("{line}");
    }
    node.shutdown().await?;
    Ok(())
}
