//! A run: what was asked for, where its files stand, and the rounds in which contenders take turns.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
    time::{SystemTime, UNIX_EPOCH},
};

use crate::{
    args::{Args, DurabilityKind, Scale, StoreKind},
    error::Error,
    progress::Progress,
    row::Class,
    store::AnyStore,
};

/// What every workload is given.
#[derive(Debug)]
pub(crate) struct Bench {
    pub(crate) args: Args,
    pub(crate) scale: Scale,
    pub(crate) progress: Progress,
    scratch: Scratch,
}

impl Bench {
    /// Makes the directory of the run.
    pub(crate) fn new(args: Args) -> Result<Self, Error> {
        let scratch = Scratch::new(&args.dir)?;
        Ok(Bench { scale: args.scale(), progress: Progress::new(), scratch, args })
    }

    /// A path that nobody has used, in a directory of its own.
    pub(crate) fn fresh(&self) -> Result<Folder, Error> {
        self.scratch.folder()
    }

    /// The directory of the run.
    pub(crate) fn dir(&self) -> &Path {
        &self.scratch.path
    }

    /// The class of what is written to the store under test.
    pub(crate) fn class(&self) -> Class {
        match (self.args.store, self.args.durability) {
            (StoreKind::Memory, _) => Class::Memory,
            (StoreKind::Scylla, _) => Class::Database,
            (StoreKind::Embedded, DurabilityKind::Fsync) => Class::Synced,
            (StoreKind::Embedded, DurabilityKind::Buffered) => Class::Buffered,
        }
    }

    /// Opens the store under test.
    pub(crate) fn open(&self, path: &Path) -> Result<AnyStore, Error> {
        AnyStore::open(self.args.store, self.args.durability, path)
    }

    /// The rounds of one row: one that does not count, unless it is to be quick, then those that do.
    pub(crate) fn rounds(&self, what: &str) -> impl Iterator<Item = Round> + '_ {
        let warm_up = u32::from(!self.args.quick);
        let total = self.args.rounds() + warm_up;
        self.progress.row(what, total);
        (0..total).map(move |number| {
            self.progress.round(number);
            Round { number, counts: number >= warm_up }
        })
    }
}

/// One round: each contender once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Round {
    number: u32,
    counts: bool,
}

impl Round {
    /// Whether its figures count. One that does not warms caches, and tells how DNA groups what the limits then repeat.
    pub(crate) fn counts(self) -> bool {
        self.counts
    }

    /// The contenders in this round's order: each comes first in turn, in the very first round the first one given.
    pub(crate) fn order<T: Clone>(self, contenders: &[T]) -> Vec<T> {
        let mut order = contenders.to_vec();
        if !order.is_empty() {
            let turn = usize::try_from(self.number).unwrap_or_default() % order.len();
            order.rotate_left(turn);
        }
        order
    }
}

/// The directory of a run. It is removed at the end, however that comes.
#[derive(Debug)]
struct Scratch {
    path: PathBuf,
    next: AtomicU64,
}

impl Scratch {
    fn new(parent: &Path) -> Result<Self, Error> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        let path = parent.join(format!("run-{}-{now}", std::process::id()));
        fs::create_dir_all(&path).map_err(Error::file(&path))?;
        let path = path.canonicalize().map_err(Error::file(&path))?;
        Ok(Scratch { path, next: AtomicU64::new(0) })
    }

    fn folder(&self) -> Result<Folder, Error> {
        let path = self.path.join(self.next.fetch_add(1, Ordering::Relaxed).to_string());
        fs::create_dir(&path).map_err(Error::file(&path))?;
        Ok(Folder(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// A directory that is removed when it is dropped.
#[derive(Debug)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contenders_take_turns() {
        let orders =
            (0..4).map(|number| Round { number, counts: true }.order(&['a', 'b', 'c']).iter().collect::<String>());
        assert_eq!(orders.collect::<Vec<_>>(), ["abc", "bca", "cab", "abc"]);
        assert!(Round { number: 1, counts: true }.order::<u8>(&[]).is_empty());
    }

    #[test]
    fn a_run_leaves_nothing_behind() {
        let parent = tempfile::tempdir().unwrap();
        let scratch = Scratch::new(parent.path()).unwrap();
        let folder = scratch.folder().unwrap();
        fs::write(folder.join("file"), "x").unwrap();
        drop(folder);
        assert_eq!(fs::read_dir(&scratch.path).unwrap().count(), 0);
        drop(scratch);
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0);
    }
}
