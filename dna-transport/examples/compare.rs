//! Calls and casts beside what the sockets alone can do, in one run: `cargo run --release -p dna-transport --example compare`.
//!
//! The bare echo is a frame of a length and a body, over the same kind of tokio socket, read and written by one task on each
//! side, gathered as the transport gathers. With several in flight, the bare side has one task that keeps that many on one
//! connection, or as many tasks with a connection each; the transport has as many tasks on one connection.
#![allow(clippy::print_stdout, reason = "an example shows what it does")]
#![allow(clippy::disallowed_methods, reason = "it measures time and starts tasks, as a program does")]

use std::{
    error::Error,
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::{Buf, Bytes, BytesMut};
use dna_transport::{Config, Handler, Incoming, Peer, PeerId, Request, Transport};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

const WARM_UP: Duration = Duration::from_millis(100);
const MEASURED: Duration = Duration::from_millis(400);
const BODY_BYTES: usize = 32;

type Failure = Box<dyn Error + Send + Sync>;

/// Sends bodies back, and counts casts.
struct Echo(AtomicU64);

impl Handler for Echo {
    async fn call(self: Arc<Self>, request: Incoming) -> Bytes {
        request.body
    }

    async fn cast(self: Arc<Self>, _: Incoming) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// What one row has measured.
struct Row {
    per_second: f64,
    p50: Duration,
}

/// Counts round trips, and the time of each, after a warm-up.
struct Meter {
    begin: Instant,
    times: Vec<Duration>,
}

impl Meter {
    fn start() -> Self {
        Meter { begin: Instant::now() + WARM_UP, times: Vec::new() }
    }

    fn is_over(&self) -> bool {
        self.begin.elapsed() > MEASURED
    }

    fn add(&mut self, sent: Instant) {
        if sent >= self.begin {
            self.times.push(sent.elapsed());
        }
    }

    fn row(meters: Vec<Meter>) -> Row {
        let mut times = meters.into_iter().flat_map(|meter| meter.times).collect::<Vec<_>>();
        times.sort_unstable();
        let p50 = times.get(times.len() / 2).copied().unwrap_or_default();
        #[expect(clippy::cast_precision_loss, reason = "a count of some millions")]
        let count = times.len() as f64;
        Row { per_second: count / MEASURED.as_secs_f64(), p50 }
    }
}

fn put_frame(into: &mut BytesMut, body: &[u8]) {
    into.extend_from_slice(&u32::try_from(body.len()).unwrap_or(u32::MAX).to_le_bytes());
    into.extend_from_slice(body);
}

/// The length of the frame at the front, if it is all there.
fn whole_frame(bytes: &BytesMut) -> Option<usize> {
    let length = usize::try_from(u32::from_le_bytes(*bytes.first_chunk::<4>()?)).ok()?;
    (bytes.len() >= 4 + length).then_some(length)
}

async fn bare_server(listener: TcpListener) -> io::Result<()> {
    loop {
        let (mut socket, _) = listener.accept().await?;
        socket.set_nodelay(true)?;
        tokio::spawn(async move {
            let (mut incoming, mut outgoing) = (BytesMut::with_capacity(1 << 16), BytesMut::new());
            while socket.read_buf(&mut incoming).await.is_ok_and(|bytes| bytes > 0) {
                while let Some(length) = whole_frame(&incoming) {
                    incoming.advance(4);
                    put_frame(&mut outgoing, &incoming.split_to(length));
                }
                if socket.write_all_buf(&mut outgoing).await.is_err() {
                    return;
                }
                incoming.reserve(1 << 16);
            }
        });
    }
}

/// One task that keeps `in_flight` round trips on one connection.
async fn bare_client(address: std::net::SocketAddr, in_flight: usize) -> io::Result<Meter> {
    let mut socket = TcpStream::connect(address).await?;
    socket.set_nodelay(true)?;
    let body = [7; BODY_BYTES];
    let (mut incoming, mut outgoing) = (BytesMut::with_capacity(1 << 16), BytesMut::new());
    let mut meter = Meter::start();
    let mut sent = std::collections::VecDeque::new();
    while !meter.is_over() {
        while sent.len() < in_flight {
            put_frame(&mut outgoing, &body);
            sent.push_back(Instant::now());
        }
        socket.write_all_buf(&mut outgoing).await?;
        socket.read_buf(&mut incoming).await?;
        while let Some(length) = whole_frame(&incoming) {
            incoming.advance(4 + length);
            sent.pop_front().into_iter().for_each(|sent| meter.add(sent));
        }
        incoming.reserve(1 << 16);
    }
    Ok(meter)
}

async fn bare(tasks: usize, in_flight: usize) -> Result<Row, Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let server = tokio::spawn(bare_server(listener));
    let clients = (0..tasks).map(|_| tokio::spawn(bare_client(address, in_flight))).collect::<Vec<_>>();
    let mut meters = Vec::new();
    for client in clients {
        meters.push(client.await??);
    }
    server.abort();
    Ok(Meter::row(meters))
}

async fn calls(peer: &Peer, tasks: usize) -> Result<Row, Failure> {
    let body = Bytes::from(vec![7; BODY_BYTES]);
    let callers = (0..tasks).map(|_| {
        let (peer, body) = (peer.clone(), body.clone());
        tokio::spawn(async move {
            let mut meter = Meter::start();
            while !meter.is_over() {
                let sent = Instant::now();
                peer.call(Request::new(body.clone())).await?;
                meter.add(sent);
            }
            Ok::<_, dna_transport::CallError>(meter)
        })
    });
    let mut meters = Vec::new();
    for caller in callers.collect::<Vec<_>>() {
        meters.push(caller.await??);
    }
    Ok(Meter::row(meters))
}

/// Casts per second that arrive.
async fn casts(peer: &Peer, echo: &Echo) -> Result<f64, Failure> {
    let body = Bytes::from(vec![7; BODY_BYTES]);
    let begin = Instant::now();
    let mut sent = 0u64;
    let before = echo.0.load(Ordering::Relaxed);
    while begin.elapsed() < WARM_UP + MEASURED {
        for _ in 0..64 {
            if peer.cast(Request::new(body.clone())).is_err() {
                peer.room(1 << 20).await;
            } else {
                sent += 1;
            }
        }
        tokio::task::yield_now().await;
    }
    // Casts need not be answered: a call of their stream shows that they are through.
    while echo.0.load(Ordering::Relaxed) - before < sent {
        tokio::task::yield_now().await;
    }
    #[expect(clippy::cast_precision_loss, reason = "a count of some millions")]
    let count = sent as f64;
    Ok(count / begin.elapsed().as_secs_f64())
}

/// Frames per second that one connection carries one way.
async fn bare_one_way() -> Result<f64, Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let server = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await?;
        let (mut incoming, mut count) = (BytesMut::with_capacity(1 << 16), 0u64);
        while socket.read_buf(&mut incoming).await? > 0 {
            while let Some(length) = whole_frame(&incoming) {
                incoming.advance(4 + length);
                count += 1;
            }
            incoming.reserve(1 << 16);
        }
        Ok::<_, io::Error>(count)
    });
    let mut socket = TcpStream::connect(address).await?;
    let (begin, mut outgoing) = (Instant::now(), BytesMut::new());
    while begin.elapsed() < WARM_UP + MEASURED {
        for _ in 0..64 {
            put_frame(&mut outgoing, &[7; BODY_BYTES]);
        }
        socket.write_all_buf(&mut outgoing).await?;
    }
    socket.shutdown().await?;
    let count = server.await??;
    #[expect(clippy::cast_precision_loss, reason = "a count of some millions")]
    let count = count as f64;
    Ok(count / begin.elapsed().as_secs_f64())
}

fn main() -> Result<(), Failure> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?.block_on(async {
        // A handle of a task of the runtime: the main thread is none of its workers.
        tokio::spawn(run()).await??;
        Ok(())
    })
}

async fn run() -> Result<(), Failure> {
    let echo = Arc::new(Echo(AtomicU64::new(0)));
    let server = Transport::serve(Config::new("compare", PeerId([1; 16])), "127.0.0.1:0", Arc::clone(&echo)).await?;
    let address = server.address().ok_or("it listens")?.to_string();
    let client = Transport::client(Config::new("compare", PeerId([2; 16])))?;
    let peer = client.peer(&address)?;

    println!("{BODY_BYTES} B each way, 2 worker threads, both sides in one process");
    for in_flight in [1, 64] {
        let own = calls(&peer, in_flight).await?;
        for (what, bare) in [
            ("one task, one connection", bare(1, in_flight).await?),
            ("a connection a task", bare(in_flight, 1).await?),
        ] {
            println!(
                "{in_flight:>3} in flight: {:>9.0}/s, p50 {:>6.1?}; bare, {what}: {:>9.0}/s, p50 {:>6.1?}: rate × {:.2}, p50 × {:.2}",
                own.per_second,
                own.p50,
                bare.per_second,
                bare.p50,
                own.per_second / bare.per_second,
                own.p50.as_secs_f64() / bare.p50.as_secs_f64(),
            );
            if in_flight == 1 {
                break;
            }
        }
    }
    let (own, bare) = (casts(&peer, &echo).await?, bare_one_way().await?);
    println!("    one way: {own:>9.0}/s; bare: {bare:>9.0}/s: rate × {:.2}", own / bare);

    client.close(Duration::from_secs(5)).await;
    server.close(Duration::from_secs(5)).await;
    Ok(())
}
