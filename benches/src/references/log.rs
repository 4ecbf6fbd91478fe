//! An append-only log with grouped sync: a thread takes all that waits, appends it, syncs once, and answers. It is what
//! a group commit costs with nothing around it: no actors, no keys, no reads.

use std::{fs::File, io::Write, path::PathBuf, time::Instant};

use tokio::sync::{mpsc, oneshot};

use super::{Shape, blocking};
use crate::{error::Error, keys::VALUE, load, measure::Measured};

/// What a group may hold in bytes, as DNA's.
const GROUP_BYTES_MAX: usize = dna::limits::GROUP_BYTES_MAX;

/// How many appends may wait, as in a mailbox.
const WAITING_MAX: usize = dna::limits::MAILBOX_MESSAGES_MAX;

struct Append {
    key: u64,
    value: String,
    done: Option<oneshot::Sender<()>>,
}

/// What callers have of the log.
#[derive(Clone)]
pub(crate) struct Log(mpsc::Sender<Append>);

impl Log {
    /// Appends, and waits until it is synced.
    pub(crate) async fn append(&self, key: u64, value: String) -> Result<(), Error> {
        let (done, synced) = oneshot::channel();
        let append = Append { key, value, done: Some(done) };
        self.0.send(append).await.map_err(|_| Error::Gone("the log"))?;
        synced.await.map_err(|_| Error::Gone("the log"))
    }

    /// Appends and waits for nothing but room.
    async fn cast(&self, key: u64, value: String) -> Result<(), Error> {
        self.0.send(Append { key, value, done: None }).await.map_err(|_| Error::Gone("the log"))
    }
}

/// Runs `load` against a new log; then the log is closed.
pub(crate) async fn with<F>(
    path: PathBuf,
    synced: bool,
    group_max: u64,
    load: impl FnOnce(Log) -> F,
) -> Result<Measured, Error>
where
    F: Future<Output = Result<Measured, Error>>,
{
    let (sender, receiver) = mpsc::channel(WAITING_MAX);
    let file = File::create(&path).map_err(Error::file(&path))?;
    let thread = tokio::spawn(blocking(move || write(file, synced, group_max, receiver).map_err(Error::file(path))));
    let measured = load(Log(sender)).await;
    let groups = thread.await??;
    Ok(Measured { groups, ..measured? })
}

/// The shape's callers, each waiting for its appends.
pub(crate) async fn callers(path: PathBuf, synced: bool, group_max: u64, shape: &Shape) -> Result<Measured, Error> {
    with(path, synced, group_max, |log| async move {
        load::closed_loop(shape.callers, shape.amount, |mut turns| {
            let log = log.clone();
            async move {
                while let Some(step) = turns.next() {
                    log.append(turns.key(step), VALUE.to_owned()).await?;
                }
                Ok(turns)
            }
        })
        .await
    })
    .await
}

/// One caller that waits for the last of its appends only.
pub(crate) async fn casts(path: PathBuf, synced: bool, shape: &Shape) -> Result<Measured, Error> {
    let (puts, keys) = (shape.puts, shape.keys);
    with(path, synced, u64::MAX, |log| async move {
        let start = Instant::now();
        let casts = tokio::spawn(async move {
            for place in 1..puts {
                log.cast(keys.at(place), VALUE.to_owned()).await?;
            }
            log.append(keys.at(0), VALUE.to_owned()).await
        });
        casts.await??;
        Ok(Measured { operations: puts, elapsed: start.elapsed(), ..Measured::default() })
    })
    .await
}

/// At a fixed rate, whether answers come or not.
pub(crate) async fn at_rate(path: PathBuf, synced: bool, rate: u32, total: u32) -> Result<Measured, Error> {
    with(path, synced, u64::MAX, |log| async move {
        load::open_loop(rate, total, move |index| {
            let log = log.clone();
            async move { log.append(index, VALUE.to_owned()).await }
        })
        .await
    })
    .await
}

/// The thread: answers how many groups it took.
fn write(mut file: File, synced: bool, group_max: u64, mut appends: mpsc::Receiver<Append>) -> std::io::Result<u64> {
    let (mut block, mut waiting) = (Vec::new(), Vec::new());
    let mut groups = 0;
    while let Some(first) = appends.blocking_recv() {
        let mut next = Some(first);
        let mut taken = 0;
        while let Some(append) = next {
            encode(&mut block, &append);
            waiting.extend(append.done);
            taken += 1;
            let room = taken < group_max && block.len() < GROUP_BYTES_MAX;
            next = if room { appends.try_recv().ok() } else { None };
        }
        file.write_all(&block)?;
        if synced {
            file.sync_data()?;
        }
        block.clear();
        groups += 1;
        for done in waiting.drain(..) {
            let _ = done.send(());
        }
    }
    Ok(groups)
}

fn encode(block: &mut Vec<u8>, append: &Append) {
    block.extend_from_slice(&append.key.to_be_bytes());
    block.extend_from_slice(&u32::try_from(append.value.len()).unwrap_or(u32::MAX).to_le_bytes());
    block.extend_from_slice(append.value.as_bytes());
}
