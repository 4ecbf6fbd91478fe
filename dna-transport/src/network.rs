//! The port to sockets: how a transport listens and connects. TCP is the one implementation here; a simulated network is
//! one more.

use std::{fmt, io, net::SocketAddr};

use futures_util::future::BoxFuture;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
};

/// A connection as a stream of bytes in both directions.
pub trait Socket: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> Socket for S {}

/// Makes sockets.
pub trait Network: fmt::Debug + Send + Sync + 'static {
    /// Listens on `address`, a host and a port.
    ///
    /// To be correct:
    /// - what connects after it has returned is accepted, or waits to be;
    /// - it is an error if somebody else listens there.
    fn listen<'a>(&'a self, address: &'a str) -> BoxFuture<'a, io::Result<Box<dyn Listener>>>;

    /// Connects to `address`, a host and a port. The caller ends it by dropping the future when it takes too long.
    ///
    /// To be correct: bytes arrive as they were written and in that order, or the socket ends with an error or early.
    fn connect<'a>(&'a self, address: &'a str) -> BoxFuture<'a, io::Result<Box<dyn Socket>>>;
}

/// Where connections come in. It may outlive the transports that accept from it, one after the other.
pub trait Listener: fmt::Debug + Send + Sync + 'static {
    /// The address that it listens on.
    ///
    /// # Errors
    /// What the system says.
    fn local_address(&self) -> io::Result<SocketAddr>;

    /// The next connection, and the address that it comes from.
    ///
    /// To be correct: dropping the future loses no connection. After an error the next call may succeed.
    fn accept(&self) -> BoxFuture<'_, io::Result<(Box<dyn Socket>, SocketAddr)>>;
}

/// TCP by tokio.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tcp;

impl Tcp {
    /// A listener that the program has bound itself. It is made non-blocking.
    ///
    /// # Errors
    /// What the system says; outside of a tokio runtime with I/O.
    pub fn listener(listener: std::net::TcpListener) -> io::Result<impl Listener> {
        listener.set_nonblocking(true)?;
        TcpListener::from_std(listener)
    }
}

impl Network for Tcp {
    fn listen<'a>(&'a self, address: &'a str) -> BoxFuture<'a, io::Result<Box<dyn Listener>>> {
        Box::pin(async move {
            let listener = TcpListener::bind(address).await?;
            Ok(Box::new(listener) as Box<dyn Listener>)
        })
    }

    fn connect<'a>(&'a self, address: &'a str) -> BoxFuture<'a, io::Result<Box<dyn Socket>>> {
        Box::pin(async move {
            let socket = TcpStream::connect(address).await?;
            // Writes are gathered before they get here.
            socket.set_nodelay(true)?;
            Ok(Box::new(socket) as Box<dyn Socket>)
        })
    }
}

impl Listener for TcpListener {
    fn local_address(&self) -> io::Result<SocketAddr> {
        self.local_addr()
    }

    fn accept(&self) -> BoxFuture<'_, io::Result<(Box<dyn Socket>, SocketAddr)>> {
        Box::pin(async move {
            let (socket, from) = TcpListener::accept(self).await?;
            socket.set_nodelay(true)?;
            Ok((Box::new(socket) as Box<dyn Socket>, from))
        })
    }
}
