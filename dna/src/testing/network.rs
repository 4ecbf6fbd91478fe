//! The simulated network: who listens where, which ways are cut, and how long bytes take.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    fmt,
    future::poll_fn,
    io,
    net::SocketAddr,
    ops::RangeInclusive,
    sync::{Arc, Weak},
    task::{Poll, Waker},
    time::Duration,
};

use dna_transport::{Listener, Network, Socket};
use futures_util::future::BoxFuture;
use parking_lot::Mutex;

use super::{
    chance::Chance,
    pipe::{self, End},
};

/// Where the first connections come from.
const FIRST_PORT: u16 = 30_000;

/// The network. A clone is the same one.
#[derive(Clone)]
pub(super) struct Net(Arc<Mutex<State>>);

struct State {
    chance: Chance,
    latency: RangeInclusive<Duration>,
    /// Which host has which address.
    hosts: BTreeMap<SocketAddr, usize>,
    listeners: BTreeMap<SocketAddr, Weak<Backlog>>,
    /// From whom to whom nothing gets.
    cuts: BTreeSet<(usize, usize)>,
    /// Who is to be told when a way is open again.
    waiting: Vec<Waker>,
    next_port: u16,
}

/// The network as one host sees it.
#[derive(Debug, Clone)]
pub(super) struct Host {
    pub(super) net: Net,
    pub(super) host: usize,
}

/// Where connections wait to be accepted.
#[derive(Default)]
struct Backlog(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    connections: VecDeque<(End, SocketAddr)>,
    acceptor: Option<Waker>,
}

struct Accepting {
    net: Net,
    address: SocketAddr,
    backlog: Arc<Backlog>,
}

impl Net {
    pub(super) fn new(chance: Chance, latency: RangeInclusive<Duration>) -> Self {
        Net(Arc::new(Mutex::new(State {
            chance,
            latency,
            hosts: BTreeMap::new(),
            listeners: BTreeMap::new(),
            cuts: BTreeSet::new(),
            waiting: Vec::new(),
            next_port: FIRST_PORT,
        })))
    }

    /// This address is that of this host.
    pub(super) fn place(&self, host: usize, address: SocketAddr) {
        self.0.lock().hosts.insert(address, host);
    }

    pub(super) fn set_latency(&self, latency: RangeInclusive<Duration>) {
        self.0.lock().latency = latency;
    }

    /// From now on nothing gets from the one to the other. What was on its way arrives when the way is open again.
    pub(super) fn cut(&self, from: usize, to: usize) {
        self.0.lock().cuts.insert((from, to));
    }

    /// Opens these ways.
    pub(super) fn open(&self, mut is_meant: impl FnMut(usize, usize) -> bool) {
        let waiting = {
            let mut state = self.0.lock();
            state.cuts.retain(|(from, to)| !is_meant(*from, *to));
            std::mem::take(&mut state.waiting)
        };
        waiting.into_iter().for_each(Waker::wake);
    }

    pub(super) fn latency(&self) -> Duration {
        let state = &mut *self.0.lock();
        state.chance.time(&state.latency)
    }

    /// Whether nothing gets there. Who asks is woken when a way is opened.
    pub(super) fn is_cut(&self, from: usize, to: usize, waker: &Waker) -> bool {
        let mut state = self.0.lock();
        let is_cut = state.cuts.contains(&(from, to));
        if is_cut && !state.waiting.iter().any(|waiting| waiting.will_wake(waker)) {
            state.waiting.push(waker.clone());
        }
        is_cut
    }

    /// Ends once something has got from the one to the other.
    async fn pass(&self, from: usize, to: usize) {
        tokio::time::sleep(self.latency()).await;
        poll_fn(|cx| if self.is_cut(from, to, cx.waker()) { Poll::Pending } else { Poll::Ready(()) }).await;
    }

    fn backlog(&self, address: SocketAddr) -> Option<Arc<Backlog>> {
        self.0.lock().listeners.get(&address)?.upgrade()
    }
}

impl Host {
    async fn dial(&self, address: SocketAddr) -> io::Result<Box<dyn Socket>> {
        let unknown = || io::Error::from(io::ErrorKind::HostUnreachable);
        let to = self.net.0.lock().hosts.get(&address).copied().ok_or_else(unknown)?;
        self.net.pass(self.host, to).await;
        let Some(backlog) = self.net.backlog(address) else {
            self.net.pass(to, self.host).await;
            return Err(io::ErrorKind::ConnectionRefused.into());
        };
        let (here, there) = pipe::pair(&self.net, self.host, to);
        let from = {
            let mut state = self.net.0.lock();
            state.next_port = state.next_port.checked_add(1).unwrap_or(FIRST_PORT);
            SocketAddr::from(([127, 0, 0, 1], state.next_port))
        };
        let acceptor = {
            let mut waiting = backlog.0.lock();
            waiting.connections.push_back((there, from));
            waiting.acceptor.take()
        };
        if let Some(acceptor) = acceptor {
            acceptor.wake();
        }
        drop(backlog);
        self.net.pass(to, self.host).await;
        Ok(Box::new(here))
    }
}

fn parsed(address: &str) -> io::Result<SocketAddr> {
    address.parse().map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))
}

impl Network for Host {
    fn listen<'a>(&'a self, address: &'a str) -> BoxFuture<'a, io::Result<Box<dyn Listener>>> {
        Box::pin(async move {
            let address = parsed(address)?;
            let mut state = self.net.0.lock();
            let in_use = state.listeners.get(&address).is_some_and(|backlog| backlog.strong_count() > 0);
            if in_use {
                return Err(io::ErrorKind::AddrInUse.into());
            }
            let backlog = Arc::new(Backlog::default());
            state.listeners.insert(address, Arc::downgrade(&backlog));
            Ok(Box::new(Accepting { net: self.net.clone(), address, backlog }) as Box<dyn Listener>)
        })
    }

    fn connect<'a>(&'a self, address: &'a str) -> BoxFuture<'a, io::Result<Box<dyn Socket>>> {
        Box::pin(async move { self.dial(parsed(address)?).await })
    }
}

impl Listener for Accepting {
    fn local_address(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }

    fn accept(&self) -> BoxFuture<'_, io::Result<(Box<dyn Socket>, SocketAddr)>> {
        Box::pin(poll_fn(|cx| {
            let mut waiting = self.backlog.0.lock();
            match waiting.connections.pop_front() {
                Some((socket, from)) => Poll::Ready(Ok((Box::new(socket) as Box<dyn Socket>, from))),
                None => {
                    waiting.acceptor = Some(cx.waker().clone());
                    Poll::Pending
                }
            }
        }))
    }
}

impl Drop for Accepting {
    fn drop(&mut self) {
        let waiting = std::mem::take(&mut self.backlog.0.lock().connections);
        drop(waiting);
    }
}

impl fmt::Debug for Net {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Net").finish_non_exhaustive()
    }
}

impl fmt::Debug for Accepting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accepting").field("net", &self.net).field("address", &self.address).finish_non_exhaustive()
    }
}
