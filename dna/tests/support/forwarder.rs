//! What stands between two nodes, and breaks when it is told to.
#![allow(dead_code, unreachable_pub, reason = "each test uses some of it")]
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

use std::{net::SocketAddr, pin::pin};

use futures_util::future::Either;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// An address of loopback that nobody listens on.
pub async fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

/// Carries what comes to another address. With each cut the connections of that time break.
pub async fn forward(front: TcpListener, back: SocketAddr, cuts: watch::Receiver<()>) {
    while let Ok((mut from, _)) = front.accept().await {
        let mut cuts = cuts.clone();
        cuts.mark_unchanged();
        tokio::spawn(async move {
            let mut to = TcpStream::connect(back).await.unwrap();
            let carried = tokio::io::copy_bidirectional(&mut from, &mut to);
            // It ends with an error where a node aborts its connections.
            let _ = futures_util::future::select(pin!(carried), pin!(cuts.changed())).await;
        });
    }
}

/// The same, up to a moment from which on nothing arrives any more, and nobody is told.
pub async fn forward_until_it_stalls(front: TcpListener, back: SocketAddr, stalls: watch::Receiver<bool>) {
    while let Ok((mut from, _)) = front.accept().await {
        let mut stalls = stalls.clone();
        tokio::spawn(async move {
            let mut to = TcpStream::connect(back).await.unwrap();
            let stalled = pin!(async { stalls.wait_for(|stalls| *stalls).await.is_ok() });
            let carried = pin!(tokio::io::copy_bidirectional(&mut from, &mut to));
            if let Either::Right((true, _)) = futures_util::future::select(carried, stalled).await {
                std::future::pending::<()>().await;
            }
        });
    }
}
