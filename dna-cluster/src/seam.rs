//! The seam to the system: clocks, randomness, waiting, threads, tasks and the listener enter this crate here and nowhere
//! else, so that a simulation can take their place.
#![allow(clippy::disallowed_methods, reason = "this is the seam that the rule points to")]

#[cfg(feature = "testing")]
use std::sync::atomic::{AtomicU64, Ordering};
use std::{
    future::Future,
    io,
    net::{SocketAddr, TcpListener},
    sync::Arc,
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

#[cfg(feature = "testing")]
use dna_core::testing::Spawner;
use dna_core::{NodeId, Timestamp};
use dna_transport::{Listener, Tcp};
#[cfg(feature = "testing")]
pub(crate) use foldhash::fast::FixedState as RandomState;
/// How maps whose keys are chosen by others hash them. Under test the same in every run, since what a map holds comes out in
/// the order of the hashes.
#[cfg(not(feature = "testing"))]
pub(crate) use foldhash::fast::RandomState;
use rustix::time::{ClockId, clock_gettime};
use tokio::runtime;
#[cfg(feature = "testing")]
use tokio::time::Instant;

use crate::{config::Config, moment::Moment};

/// One that goes on while the machine is suspended.
#[cfg(any(target_os = "linux", target_os = "android"))]
const CLOCK: ClockId = ClockId::Boottime;
/// The others have none that the crate knows of, or, as macOS, under this name.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const CLOCK: ClockId = ClockId::Monotonic;

/// Where the loops of a membership run, and the clock that they see.
#[derive(Debug, Clone)]
pub(crate) struct Seam {
    handle: runtime::Handle,
    clock: Clock,
    ids: Ids,
    #[cfg(feature = "testing")]
    spawner: Option<Arc<dyn Spawner>>,
}

/// Where the ids of nodes come from.
#[derive(Debug, Clone)]
enum Ids {
    /// The time and the system's randomness.
    System,
    /// A seed, which gives the same ids in the same order again.
    #[cfg(feature = "testing")]
    Seeded(Arc<AtomicU64>),
}

/// The clock that leases are counted by.
#[derive(Debug, Clone)]
pub(crate) enum Clock {
    /// That of the system.
    System,
    /// That of the tokio runtime, which tests stop and advance, since then, but for the milliseconds that it stood still.
    #[cfg(feature = "testing")]
    Simulated(Instant, Arc<AtomicU64>),
}

impl Clock {
    pub(crate) fn now(&self) -> Moment {
        match self {
            Clock::System => {
                let now = clock_gettime(CLOCK);
                let (seconds, nanos) = (u64::try_from(now.tv_sec), u32::try_from(now.tv_nsec));
                Moment::since_boot(Duration::new(seconds.unwrap_or_default(), nanos.unwrap_or_default()))
            }
            #[cfg(feature = "testing")]
            Clock::Simulated(start, stood_still) => {
                let stood_still = Duration::from_millis(stood_still.load(Ordering::SeqCst));
                let running = start.elapsed().saturating_sub(stood_still);
                // A lease of a machine that was just started must not look as if it had lapsed before.
                Moment::since_boot(running).after(Duration::from_secs(1))
            }
        }
    }
}

impl Seam {
    /// The runtime that this code runs in, if it runs in one, and the system's clock.
    pub(crate) fn current() -> Option<Self> {
        Some(Seam {
            handle: runtime::Handle::try_current().ok()?,
            clock: Clock::System,
            ids: Ids::System,
            #[cfg(feature = "testing")]
            spawner: dna_core::testing::current_spawner(),
        })
    }

    /// The same with the clock of the runtime, which has stood still for so many milliseconds, now or later. Nothing has a
    /// thread of its own.
    #[cfg(feature = "testing")]
    pub(crate) fn stood_still(self, millis: Arc<AtomicU64>) -> Self {
        Seam { clock: Clock::Simulated(Instant::now(), millis), ..self }
    }

    /// The same, with ids that follow from a seed.
    #[cfg(feature = "testing")]
    pub(crate) fn with_seed(self, seed: u64) -> Self {
        Seam { ids: Ids::Seeded(Arc::new(AtomicU64::new(seed))), ..self }
    }

    /// An id that no node has had.
    pub(crate) fn fresh_id(&self) -> NodeId {
        match &self.ids {
            Ids::System => NodeId::new(),
            #[cfg(feature = "testing")]
            Ids::Seeded(state) => NodeId::from_bytes(std::array::from_fn(|_| next_byte(state))),
        }
    }

    pub(crate) fn clock(&self) -> Clock {
        self.clock.clone()
    }

    pub(crate) fn now(&self) -> Moment {
        self.clock.now()
    }

    /// Runs a loop on the main runtime until it ends by itself.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        #[cfg(feature = "testing")]
        if let Some(spawner) = &self.spawner {
            return spawner.spawn(Box::pin(task));
        }
        drop(self.handle.spawn(task));
    }

    /// Runs a loop on a thread of its own, until it ends by itself.
    pub(crate) fn start_thread(
        &self,
        name: &str,
        body: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), io::Error> {
        match self.clock {
            Clock::System => {
                let runtime = runtime::Builder::new_current_thread().enable_time().build()?;
                let thread = thread::Builder::new().name(name.to_owned());
                thread.spawn(move || runtime.block_on(body)).map(drop)
            }
            #[cfg(feature = "testing")]
            Clock::Simulated(..) => {
                self.spawn(body);
                Ok(())
            }
        }
    }
}

/// Ends after `duration`, by the clock of the runtime that polls it.
pub(crate) async fn sleep(duration: Duration) {
    tokio::time::sleep(duration).await;
}

/// Ends with the future, or with `None` after `duration`.
pub(crate) async fn within<F: Future>(duration: Duration, future: F) -> Option<F::Output> {
    tokio::time::timeout(duration, future).await.ok()
}

/// The wall time, compared only with the timestamps of the cluster.
pub(crate) fn wall_time() -> Timestamp {
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_micros(u64::try_from(wall.as_micros()).unwrap_or(u64::MAX))
}

/// What a process listens on, over all its incarnations.
#[derive(Debug)]
pub(crate) enum Socket {
    /// A socket of the system.
    System(TcpListener),
    /// One of a simulated network.
    #[cfg(feature = "testing")]
    Simulated(Arc<dyn Listener>),
}

impl Socket {
    /// Listens on an address that nobody else listens on.
    pub(crate) async fn listen(config: &Config) -> io::Result<(Self, SocketAddr)> {
        #[cfg(feature = "testing")]
        if let Some(network) = &config.network {
            let listener = network.listen(&config.listen.to_string()).await?;
            let bound = listener.local_address()?;
            return Ok((Socket::Simulated(Arc::from(listener)), bound));
        }
        let listener = TcpListener::bind(config.listen)?;
        let bound = listener.local_addr()?;
        Ok((Socket::System(listener), bound))
    }

    /// Another handle of the system's socket.
    pub(crate) fn try_clone(&self) -> io::Result<TcpListener> {
        match self {
            Socket::System(listener) => listener.try_clone(),
            #[cfg(feature = "testing")]
            Socket::Simulated(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// Another handle, to accept from.
    pub(crate) fn accepting(&self) -> io::Result<Arc<dyn Listener>> {
        match self {
            Socket::System(listener) => Ok(Arc::new(Tcp::listener(listener.try_clone()?)?)),
            #[cfg(feature = "testing")]
            Socket::Simulated(listener) => Ok(listener.clone()),
        }
    }
}

/// The next byte of a small generator of numbers: a multiplier and a shift by D. Steele, G. Lea and C. Flood (SplitMix,
/// OOPSLA 2014).
#[cfg(feature = "testing")]
fn next_byte(state: &AtomicU64) -> u8 {
    let step = 0x9e37_79b9_7f4a_7c15;
    let state = state.fetch_add(step, Ordering::Relaxed).wrapping_add(step);
    let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    let [byte, ..] = (mixed ^ (mixed >> 31)).to_be_bytes();
    byte
}
