//! Pipes in memory instead of sockets, and a clock that stands still while anything has work: a `Network` of one's own, and
//! what takes time.

use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::{Buf, BytesMut};
use dna_transport::{
    CallError, Event, Incoming, Limits, Listener, Lost, Network, Outcome, Refusal, Request, Socket, Transport,
    limits::LARGE_MESSAGES_MAX,
    wire::{Assembly, FrameCodec, Head, Kind},
};
use futures_util::future::BoxFuture;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    sync::{Mutex, mpsc},
    time::timeout,
};

use crate::{
    raw::{Hello, frame, proof},
    support::{Answer, Hung, config, ear, echo, hanging, id, pattern, telling},
};

/// What a pipe holds.
const PIPE_BYTES: usize = 64 * 1024;

type Door = mpsc::UnboundedSender<DuplexStream>;

/// Addresses are `127.0.0.1:n`; nothing leaves the process.
#[derive(Debug, Default)]
struct Pipes(parking_lot::Mutex<HashMap<String, Door>>);

#[derive(Debug)]
struct PipeListener {
    address: SocketAddr,
    incoming: Mutex<mpsc::UnboundedReceiver<DuplexStream>>,
}

impl Pipes {
    fn open(&self, address: &str) -> io::Result<DuplexStream> {
        let (near, far) = duplex(PIPE_BYTES);
        let doors = self.0.lock();
        let door = doors.get(address).filter(|door| door.send(far).is_ok());
        door.map(|_| near).ok_or_else(|| io::ErrorKind::ConnectionRefused.into())
    }
}

impl Network for Pipes {
    fn listen<'a>(&'a self, address: &'a str) -> BoxFuture<'a, io::Result<Box<dyn Listener>>> {
        let (door, incoming) = mpsc::unbounded_channel();
        self.0.lock().insert(address.to_owned(), door);
        let listener = PipeListener { address: address.parse().unwrap(), incoming: Mutex::new(incoming) };
        Box::pin(std::future::ready(Ok(Box::new(listener) as Box<dyn Listener>)))
    }

    fn connect<'a>(&'a self, address: &'a str) -> BoxFuture<'a, io::Result<Box<dyn Socket>>> {
        Box::pin(std::future::ready(self.open(address).map(|pipe| Box::new(pipe) as Box<dyn Socket>)))
    }
}

impl Listener for PipeListener {
    fn local_address(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }

    fn accept(&self) -> BoxFuture<'_, io::Result<(Box<dyn Socket>, SocketAddr)>> {
        Box::pin(async {
            let pipe = self.incoming.lock().await.recv().await.ok_or(io::ErrorKind::BrokenPipe)?;
            Ok((Box::new(pipe) as Box<dyn Socket>, self.address))
        })
    }
}

const ADDRESS: &str = "127.0.0.1:1";

fn on(pipes: &Arc<Pipes>, number: u8) -> dna_transport::Config {
    let mut config = config(number);
    config.network = Arc::clone(pipes) as Arc<dyn Network>;
    config.seed = Some(1);
    config
}

/// The next message of the handshake.
async fn hear(pipe: &mut DuplexStream) -> Vec<u8> {
    let length = pipe.read_u32_le().await.unwrap();
    let mut bytes = vec![0; usize::try_from(length).unwrap()];
    pipe.read_exact(&mut bytes).await.unwrap();
    bytes
}

/// A connection by hand that has been let in.
async fn dial(pipes: &Pipes) -> DuplexStream {
    let mut pipe = pipes.open(ADDRESS).unwrap();
    for message in [Hello::of(id(7)).bytes(), proof(3)] {
        pipe.write_u32_le(u32::try_from(message.len()).unwrap()).await.unwrap();
        pipe.write_all(&message).await.unwrap();
        hear(&mut pipe).await;
    }
    pipe
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_kept_alive() {
    let pipes = Arc::new(Pipes::default());
    let (observer, heard) = ear();
    let _server = Transport::serve(on(&pipes, 1), ADDRESS, echo()).await.unwrap();
    let client = Transport::client(on(&pipes, 2).observer(observer)).unwrap();
    let peer = client.peer(ADDRESS).unwrap();
    let remote = peer.connect().await.unwrap();
    heard.next(|event| matches!(event, Event::Connected { .. }).then_some(())).await;
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    assert_eq!(peer.call(Request::new("x")).await.unwrap(), "x");
    assert!(Arc::ptr_eq(&remote, &peer.connect().await.unwrap()), "the connection is still the first one");
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_is_busy_for_long_is_not_taken_for_lost() {
    let pipes = Arc::new(Pipes::default());
    let handler = Answer(|request: Incoming| async move {
        tokio::time::sleep(Duration::from_secs(600)).await;
        request.body
    });
    let _server = Transport::serve(on(&pipes, 1), ADDRESS, Arc::new(handler)).await.unwrap();
    let client = Transport::client(on(&pipes, 2)).unwrap();
    let peer = client.peer(ADDRESS).unwrap();
    let call = peer.call(Request::new("x").within(Duration::from_secs(1_000)));
    assert_eq!(call.await.unwrap(), "x");
}

#[tokio::test(start_paused = true)]
async fn casts_that_are_not_read_for_long_do_not_end_the_connection() {
    let pipes = Arc::new(Pipes::default());
    let (sender, mut done) = mpsc::unbounded_channel();
    let handler = Answer(move |request: Incoming| {
        let sender = sender.clone();
        async move {
            tokio::time::sleep(Duration::from_secs(60)).await;
            sender.send(request.body.clone()).unwrap();
            request.body
        }
    });
    let limits = Limits { requests_per_peer: 1, ..Limits::default() };
    let _server = Transport::serve(on(&pipes, 1).limits(limits), ADDRESS, Arc::new(handler)).await.unwrap();
    let client = Transport::client(on(&pipes, 2)).unwrap();
    let peer = client.peer(ADDRESS).unwrap();
    let remote = peer.connect().await.unwrap();
    for number in 0..20u8 {
        let mut body = vec![0; 40_000];
        body[0] = number;
        peer.cast(Request::new(body).within(Duration::from_secs(10_000))).unwrap();
    }
    for number in 0..20u8 {
        assert_eq!(done.recv().await.unwrap()[0], number);
    }
    assert!(Arc::ptr_eq(&remote, &peer.connect().await.unwrap()), "the connection is still the first one");
}

#[tokio::test(start_paused = true)]
async fn a_late_reply_is_an_error_that_does_not_know() {
    let pipes = Arc::new(Pipes::default());
    let (handler, mut hung) = hanging();
    let _server = Transport::serve(on(&pipes, 1), ADDRESS, handler).await.unwrap();
    let client = Transport::client(on(&pipes, 2)).unwrap();
    let peer = client.peer(ADDRESS).unwrap();
    let error = peer.call(Request::new("x").within(Duration::from_millis(50))).await.unwrap_err();
    assert_eq!(error, CallError::DeadlineExceeded { outcome: Outcome::Unknown });
    assert!(!error.is_retryable());
    assert_eq!(hung.recv().await.unwrap(), Hung::Began("x".into()));
    assert_eq!(hung.recv().await.unwrap(), Hung::Dropped("x".into()));
}

#[tokio::test(start_paused = true)]
async fn strangers_that_say_nothing_are_bounded_and_sent_away() {
    let pipes = Arc::new(Pipes::default());
    let limits = Limits { half_open: 3, ..Limits::default() };
    let (observer, heard) = ear();
    let _server = Transport::serve(on(&pipes, 1).limits(limits).observer(observer), ADDRESS, echo()).await.unwrap();
    let refused = || heard.next(|event| if let Event::AcceptRefused { reason, .. } = event { reason } else { None });
    let mut silent = (0..3).map(|_| pipes.open(ADDRESS).unwrap()).collect::<Vec<_>>();
    for _ in 0..20 {
        let mut one_more = pipes.open(ADDRESS).unwrap();
        assert_eq!(hear(&mut one_more).await[..6], *b"DNAT\x05\x07");
        assert_eq!(refused().await, Refusal::Busy);
    }
    for silent in &mut silent {
        assert_eq!(hear(silent).await[..6], *b"DNAT\x05\x09");
        assert_eq!(refused().await, Refusal::TooSlow);
    }
    // Their places are free again, though they have not hung up.
    let client = Transport::client(on(&pipes, 2)).unwrap();
    assert_eq!(client.peer(ADDRESS).unwrap().call(Request::new("x")).await.unwrap(), "x");
    drop(silent);
}

#[tokio::test(start_paused = true)]
async fn deadlines_are_kept_to_the_coarse_clock_and_never_early() {
    let pipes = Arc::new(Pipes::default());
    let handler = Answer(|_: Incoming| std::future::pending());
    let _server = Transport::serve(on(&pipes, 1), ADDRESS, Arc::new(handler)).await.unwrap();
    let client = Transport::client(on(&pipes, 2)).unwrap();
    let peer = client.peer(ADDRESS).unwrap();
    peer.connect().await.unwrap();
    for millis in [0, 1, 19, 20, 21, 500, 30_000] {
        tokio::time::sleep(Duration::from_micros(7_300)).await;
        let within = Duration::from_millis(millis);
        let begin = tokio::time::Instant::now();
        let error = peer.call(Request::new("x").within(within)).await.unwrap_err();
        let taken = begin.elapsed();
        assert!(matches!(error, CallError::DeadlineExceeded { .. }));
        assert!(taken >= within, "{taken:?} is early for {within:?}");
        assert!(taken <= within + Duration::from_millis(45), "{taken:?} is late for {within:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn attempts_to_connect_grow_apart() {
    let pipes = Arc::new(Pipes::default());
    let (observer, heard) = ear();
    let client = Transport::client(on(&pipes, 2).observer(observer)).unwrap();
    let peer = client.peer(ADDRESS).unwrap();
    let call = peer.call(Request::new("x").within(Duration::from_secs(600)));
    let mut last = tokio::time::Instant::now();
    let mut waits = Vec::new();
    for _ in 0..12 {
        heard.next(|event| matches!(event, Event::ConnectFailed { .. }).then_some(())).await;
        let now = tokio::time::Instant::now();
        waits.push(now - last);
        last = now;
    }
    for (number, wait) in (0..).zip(&waits[1..]) {
        let longest = Duration::from_millis(50 * 2u64.pow(number)).min(Duration::from_secs(5));
        // The timer ticks in milliseconds.
        let slack = Duration::from_millis(2);
        assert!(*wait >= longest / 2 && *wait <= longest + slack, "attempt {number}: {wait:?} of {longest:?}");
    }
    let _server = Transport::serve(on(&pipes, 1), ADDRESS, echo()).await.unwrap();
    assert_eq!(call.await.unwrap(), "x");
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_does_not_read_its_replies_is_not_read_from() {
    const REPLY: usize = 10_000;
    const QUEUED: usize = 100_000;
    let pipes = Arc::new(Pipes::default());
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&calls);
    let handler = Answer(move |_: Incoming| {
        counter.fetch_add(1, Ordering::SeqCst);
        std::future::ready(pattern(REPLY))
    });
    let limits = Limits { queued_bytes_per_peer: QUEUED, ..Limits::default() };
    let _server = Transport::serve(on(&pipes, 1).limits(limits), ADDRESS, Arc::new(handler)).await.unwrap();
    let mut pipe = dial(&pipes).await;
    let mut sent = 0u64;
    let write_one = async |pipe: &mut DuplexStream, number| {
        let mut frame = frame(Head::new(Kind::Request, number), b"");
        while frame.has_remaining() {
            pipe.write_buf(&mut frame).await.unwrap();
        }
    };
    // The clock moves on only when nobody has anything to do: then all is full.
    while sent < 10_000 && timeout(Duration::from_secs(1), write_one(&mut pipe, sent + 1)).await.is_ok() {
        sent += 1;
    }
    let handled = calls.load(Ordering::SeqCst);
    assert!(sent < 10_000, "the writer was held up");
    // What is queued, one write under way, and what the pipe holds.
    let bound = (QUEUED + 256 * 1024 + PIPE_BYTES) / REPLY + 2;
    assert!(handled <= bound, "{handled} replies were made, {bound} expected at most");
    assert!(handled >= QUEUED / REPLY, "{handled}");

    // Once it reads, all that were sent whole are answered.
    let mut read = BytesMut::new();
    let mut answered = 0;
    while answered < sent {
        while let Some(frame) = FrameCodec::new(1).next(&mut read).unwrap() {
            answered += u64::from(frame.head.kind == Kind::Reply);
        }
        if answered < sent {
            assert!(pipe.read_buf(&mut read).await.unwrap() > 0);
        }
    }
    assert_eq!(calls.load(Ordering::SeqCst), usize::try_from(sent).unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_reply_is_over_before_the_next_large_one_begins() {
    let pipes = Arc::new(Pipes::default());
    let handler = Answer(|request: Incoming| {
        let reply = if request.body.is_empty() { pattern(1 << 20) } else { request.body };
        std::future::ready(reply)
    });
    let _server = Transport::serve(on(&pipes, 1), ADDRESS, Arc::new(handler)).await.unwrap();
    let mut pipe = dial(&pipes).await;
    let one_more = u64::try_from(LARGE_MESSAGES_MAX).unwrap() + 1;
    for number in 1..=one_more {
        pipe.write_all(&frame(Head::new(Kind::Request, number), b"")).await.unwrap();
    }
    for number in 100..1_100 {
        pipe.write_all(&frame(Head::new(Kind::Request, number), &pattern(1_000))).await.unwrap();
    }
    pipe.write_all(&frame(Head::new(Kind::Cancel, 1), b"")).await.unwrap();
    // The clock moves on when all of this has been read, and the replies are stuck.
    tokio::time::sleep(Duration::from_secs(1)).await;

    let (mut read, mut assembly, mut replies) = (BytesMut::new(), Assembly::new(1 << 20), 0);
    while replies < 1_000 + one_more - 1 {
        assert!(pipe.read_buf(&mut read).await.unwrap() > 0);
        while let Some(frame) = FrameCodec::new(1).next(&mut read).unwrap() {
            match frame.head.kind {
                Kind::Reply => replies += u64::from(assembly.add(frame).unwrap().is_some()),
                Kind::Error => assert!(frame.head.id == 1 && assembly.drop_message(1)),
                _ => {}
            }
        }
    }
    assert_eq!(assembly.bytes(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_reads_nothing_fills_only_its_own_queue() {
    let pipes = Arc::new(Pipes::default());
    let (door, mut incoming) = mpsc::unbounded_channel();
    pipes.0.lock().insert("127.0.0.1:2".to_owned(), door);
    let _server = Transport::serve(on(&pipes, 1), ADDRESS, echo()).await.unwrap();
    let limits = Limits { queued_bytes_per_peer: 100_000, ..Limits::default() };
    let client = Transport::client(on(&pipes, 2).limits(limits)).unwrap();
    let (stuck, fine) = (client.peer("127.0.0.1:2").unwrap(), client.peer(ADDRESS).unwrap());
    let mut casts = 0;
    while stuck.cast(Request::new(pattern(1_000))).is_ok() {
        casts += 1;
    }
    assert_eq!(casts, 100_000 / 1_064);
    let late = stuck.call(Request::new("").within(Duration::from_secs(1)));
    assert_eq!(late.await.unwrap_err().outcome(), Outcome::NotHandled);
    assert_eq!(fine.call(Request::new("x")).await.unwrap(), "x");
    assert!(stuck.load().queued_bytes <= 100_000);
    drop(incoming.recv().await);
}

#[tokio::test(start_paused = true)]
async fn a_connection_on_which_nothing_is_heard_is_lost_on_both_sides() {
    let pipes = Arc::new(Pipes::default());
    let (observer, heard) = ear();
    let (handler, mut received) = telling();
    let _server = Transport::serve(on(&pipes, 1).observer(observer), ADDRESS, handler).await.unwrap();
    let mut pipe = dial(&pipes).await;
    pipe.write_all(&frame(Head::new(Kind::Cast, 1), b"x")).await.unwrap();
    assert_eq!(received.recv().await.unwrap().body, "x");
    let begin = tokio::time::Instant::now();
    let why = heard.next(|event| if let Event::Left { why, .. } = event { Some(why) } else { None }).await;
    assert_eq!(why, Lost::Silent);
    let taken = begin.elapsed();
    assert!((15..=21).contains(&taken.as_secs()), "{taken:?}");
}
