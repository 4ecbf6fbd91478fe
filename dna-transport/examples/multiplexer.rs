//! Framed remote calls without actors, many at a time on one connection: `cargo run -p dna-transport --example multiplexer`.
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::{error::Error, sync::Arc, time::Duration};

use bytes::Bytes;
use dna_transport::{Config, Handler, Incoming, PeerId, Request, Secret, Security, Transport};
use futures_util::{StreamExt, stream::FuturesUnordered};

/// Adds up the numbers in a text, or repeats it as often as its header says.
struct Service;

impl Handler for Service {
    async fn call(self: Arc<Self>, request: Incoming) -> Bytes {
        match &request.header[..] {
            b"sum" => {
                let text = String::from_utf8_lossy(&request.body);
                text.split(' ').filter_map(|number| number.parse::<u64>().ok()).sum::<u64>().to_string().into()
            }
            b"megabytes" => vec![b'x'; 16 << 20].into(),
            _ => std::future::pending().await,
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let security = Security::secret(Secret::new("take 32 bytes from a random source")?);
    let config = |id| Config::new("example", PeerId([id; 16])).security(security.clone());

    let server = Transport::serve(config(1), "127.0.0.1:0", Arc::new(Service)).await?;
    let address = server.address().ok_or("it listens")?.to_string();
    let client = Transport::client(config(2))?;
    let peer = client.node(server.id(), &address)?;

    // A thousand calls share one connection, and are answered in whatever order they are done.
    let calls = (0..1_000u64).map(|n| peer.call(Request::new(format!("{n} {n}")).header("sum")));
    let replies = calls.collect::<FuturesUnordered<_>>();
    let sum = replies.fold(0, async |sum, reply| sum + String::from_utf8_lossy(&reply.unwrap_or_default()).len()).await;
    println!("1000 replies with {sum} digits");

    // A small call is not held up by a large reply that is on its way.
    let large = peer.call(Request::new("").header("megabytes"));
    let small = peer.call(Request::new("20 22").header("sum"));
    let first = tokio::select! {
        large = large => large?.len().to_string() + " bytes",
        small = small => String::from_utf8_lossy(&small?).into_owned(),
    };
    println!("the first of the two replies: {first}");

    // A failed call tells whether it may be sent again.
    let late = peer.call(Request::new("").within(Duration::from_millis(100))).await;
    let error = late.err().ok_or("nobody answers this one")?;
    println!("{error}: {:?}", error.outcome());

    client.close(Duration::from_secs(5)).await;
    server.close(Duration::from_secs(5)).await;
    Ok(())
}
