//! The directory of a store: who may have it open, what it is, and how it comes to be.
//!
//! `FORMAT` is three lines of text, each ended by a line feed:
//!
//! | Line | What |
//! |---|---|
//! | 1 | `dna embedded store` |
//! | 2 | `format N`, N being the version of everything in the directory: 1 |
//! | 3 | `creating` or `complete` |
//!
//! It is only ever replaced whole: written to `FORMAT.new`, synced, renamed, and the directory synced. A directory in
//! the state `creating` holds nothing that anybody was told is durable, so that creation simply starts over.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Write},
    path::{Path, PathBuf},
};

use super::error::{Damage, EmbeddedError};

/// The version of a store's directory that is written, and the highest that is read.
pub const STORE_FORMAT: u32 = 1;

pub(super) const JOURNAL: &str = "journal";
pub(super) const ROWS: &str = "rows";

const LOCK: &str = "LOCK";
const FORMAT: &str = "FORMAT";
const FORMAT_NEW: &str = "FORMAT.new";
const MAGIC: &str = "dna embedded store";

/// A directory that this process has locked. The lock ends with the value.
#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
    _lock: Lock,
}

/// What a directory is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing, or nothing yet.
    Empty,
    /// A store whose creation was not finished.
    Creating,
    /// A store.
    Complete,
}

impl Directory {
    /// Locks a directory, makes it if it is not there, and calls `create` with its path if it is not a store yet.
    pub(super) fn open(
        path: &Path,
        create: impl FnOnce(&Path) -> Result<(), EmbeddedError>,
    ) -> Result<Self, EmbeddedError> {
        make(path)?;
        // Before anything is touched: this may be somebody else's directory.
        state(path)?;
        let directory = Directory { path: path.to_owned(), _lock: lock(path)? };
        match state(path)? {
            State::Complete => return Ok(directory),
            State::Creating => directory.clear()?,
            State::Empty => {}
        }
        directory.mark("creating")?;
        create(path)?;
        sync_dir(path)?;
        // Whoever made the directory may have been cut off before that was durable.
        sync_above(path)?;
        directory.mark("complete")?;
        Ok(directory)
    }

    /// Removes what an unfinished creation has left.
    fn clear(&self) -> Result<(), EmbeddedError> {
        for folder in [JOURNAL, ROWS] {
            let folder = self.path.join(folder);
            match fs::remove_dir_all(&folder) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(failed("remove", &folder)(error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn mark(&self, state: &str) -> Result<(), EmbeddedError> {
        let new = self.path.join(FORMAT_NEW);
        let text = format!("{MAGIC}\nformat {STORE_FORMAT}\n{state}\n");
        let write = || {
            let mut file = File::create(&new)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()
        };
        write().map_err(failed("write", &new))?;
        fs::rename(&new, self.path.join(FORMAT)).map_err(failed("rename", &new))?;
        sync_dir(&self.path)
    }
}

/// Makes the directory, and those above it that are missing.
fn make(path: &Path) -> Result<(), EmbeddedError> {
    if path.is_dir() {
        return Ok(());
    }
    let made = missing(path);
    fs::create_dir_all(path).map_err(failed("create", path))?;
    made.into_iter().try_for_each(|made| sync_dir(parent(made)))
}

/// The directories that have to be made for one to be there, the innermost first.
fn missing(path: &Path) -> Vec<&Path> {
    path.ancestors().take_while(|path| !path.as_os_str().is_empty() && !path.is_dir()).collect()
}

/// The directory that has the entry of another one.
fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// The lock of a directory that is open.
#[derive(Debug)]
struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing the file would not do while a process that this one is about to start has a copy of it.
        let _ = self.0.unlock();
    }
}

fn lock(path: &Path) -> Result<Lock, EmbeddedError> {
    let file_path = path.join(LOCK);
    let options = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&file_path);
    let file = options.map_err(failed("open", &file_path))?;
    match file.try_lock() {
        Ok(()) => Ok(Lock(file)),
        Err(TryLockError::WouldBlock) => Err(EmbeddedError::InUse { path: path.to_owned() }),
        Err(TryLockError::Error(error)) => Err(failed("lock", &file_path)(error)),
    }
}

fn state(path: &Path) -> Result<State, EmbeddedError> {
    if let Some(state) = read_state(path)? {
        return Ok(state);
    }
    if !others(path).map_err(failed("list", path))? {
        return Ok(State::Empty);
    }
    // Another process may be making the store: it writes the marker before anything else.
    read_state(path)?.ok_or_else(|| EmbeddedError::NotAStore { path: path.to_owned() })
}

/// What the marker says, if there is one.
fn read_state(path: &Path) -> Result<Option<State>, EmbeddedError> {
    let marker = path.join(FORMAT);
    match fs::read(&marker) {
        Ok(text) => read_marker(path, &text).map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed("read", &marker)(error)),
    }
}

/// Whether anything is there beside what the first steps of a creation leave.
fn others(path: &Path) -> io::Result<bool> {
    for entry in fs::read_dir(path)? {
        let name = entry?.file_name();
        if name != LOCK && name != FORMAT_NEW {
            return Ok(true);
        }
    }
    Ok(false)
}

fn read_marker(path: &Path, text: &[u8]) -> Result<State, EmbeddedError> {
    let damaged = || EmbeddedError::Damaged { path: path.to_owned(), damage: Damage::Marker };
    let text = std::str::from_utf8(text).map_err(|_| damaged())?;
    let mut lines = text.split_terminator('\n');
    if lines.next() != Some(MAGIC) {
        return Err(damaged());
    }
    let format = lines.next().and_then(|line| line.strip_prefix("format ")).and_then(|number| number.parse().ok());
    let found: u32 = format.ok_or_else(damaged)?;
    if found > STORE_FORMAT {
        return Err(EmbeddedError::Newer { path: path.to_owned(), found, supported: STORE_FORMAT });
    }
    match (found, lines.next(), lines.next()) {
        (STORE_FORMAT, Some("creating"), None) => Ok(State::Creating),
        (STORE_FORMAT, Some("complete"), None) => Ok(State::Complete),
        _ => Err(damaged()),
    }
}

/// Makes what was created, renamed or removed in a directory durable.
fn sync_dir(path: &Path) -> Result<(), EmbeddedError> {
    // Only Unix lets a directory be opened and synced.
    #[cfg(test)]
    tests::SYNCED.with_borrow_mut(|synced| synced.push(path.to_owned()));
    if cfg!(unix) { File::open(path).and_then(|dir| dir.sync_all()).map_err(failed("sync", path)) } else { Ok(()) }
}

/// Makes durable that a directory is there, if the one it is in may be read. If not, somebody else has made it.
fn sync_above(path: &Path) -> Result<(), EmbeddedError> {
    match sync_dir(parent(path)) {
        Err(EmbeddedError::Io { source, .. }) if source.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        result => result,
    }
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> EmbeddedError {
    let path = path.to_owned();
    move |source| EmbeddedError::Io { action, path, source }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    thread_local! {
        /// The directories that this thread has synced.
        pub(super) static SYNCED: RefCell<Vec<PathBuf>> = const { RefCell::new(Vec::new()) };
    }

    #[test]
    fn a_copy_of_the_lock_in_a_process_that_is_being_started_keeps_nobody_out() {
        let dir = tempfile::tempdir().unwrap();
        let held = lock(dir.path()).unwrap();
        // What a child has between `fork` and `exec`.
        let _copy = held.0.try_clone().unwrap();
        assert!(matches!(lock(dir.path()), Err(EmbeddedError::InUse { .. })));
        drop(held);
        lock(dir.path()).unwrap();
    }

    #[test]
    fn the_parent_of_every_directory_that_is_made_is_synced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b/cart.dna");
        make(&path).unwrap();
        assert_eq!(SYNCED.take(), [dir.path().join("a/b"), dir.path().join("a"), dir.path().to_owned()]);

        make(&path).unwrap();
        assert!(SYNCED.take().is_empty());
    }

    #[test]
    fn the_parent_of_a_store_is_synced_before_the_store_is_complete() {
        let dir = tempfile::tempdir().unwrap();
        let marker = dir.path().join(FORMAT);
        for found in [None, Some("dna embedded store\nformat 1\ncreating\n")] {
            let _ = fs::remove_file(&marker);
            if let Some(text) = found {
                fs::write(&marker, text).unwrap();
            }
            SYNCED.take();

            drop(Directory::open(dir.path(), |_| Ok(())).unwrap());

            let synced = SYNCED.take();
            let at = synced.iter().position(|path| path == dir.path().parent().unwrap());
            assert!(at.is_some_and(|at| at + 1 < synced.len()), "{synced:?}: the last sync is that of the marker");
        }
    }

    #[test]
    fn the_directory_above_a_bare_name_is_the_current_one() {
        assert_eq!(parent(Path::new("cart.dna")), Path::new("."));
        assert_eq!(parent(Path::new("a/cart.dna")), Path::new("a"));
        assert_eq!(missing(Path::new("no-such-a/cart.dna")), [Path::new("no-such-a/cart.dna"), Path::new("no-such-a")]);
    }

    #[test]
    fn of_those_who_make_a_store_at_once_none_is_told_that_it_is_not_a_store() {
        let dir = tempfile::tempdir().unwrap();
        for round in 0..40 {
            let path = dir.path().join(round.to_string());
            fs::create_dir(&path).unwrap();
            let start = std::sync::Barrier::new(4);
            let open = || {
                start.wait();
                // Until somebody has made it: all look at it at every stage.
                loop {
                    match Directory::open(&path, |path| {
                        fs::create_dir(path.join(JOURNAL)).map_err(failed("create", path))
                    }) {
                        Ok(_) => return,
                        Err(EmbeddedError::InUse { .. }) => {}
                        Err(error) => panic!("{error}"),
                    }
                }
            };
            std::thread::scope(|scope| (0..4).for_each(|_| drop(scope.spawn(open))));
        }
    }

    #[test]
    fn the_marker_and_the_names_stay_as_they_are() {
        let dir = tempfile::tempdir().unwrap();
        let marker = || fs::read_to_string(dir.path().join("FORMAT")).unwrap();
        let mut while_creating = None;
        let create = |_: &Path| {
            while_creating = Some(marker());
            Ok(())
        };

        let directory = Directory::open(dir.path(), create).unwrap();

        assert_eq!(while_creating.as_deref(), Some("dna embedded store\nformat 1\ncreating\n"));
        assert_eq!(marker(), "dna embedded store\nformat 1\ncomplete\n");
        assert!(dir.path().join("LOCK").is_file());
        assert_eq!((JOURNAL, ROWS, FORMAT_NEW), ("journal", "rows", "FORMAT.new"));
        drop(directory);
    }
}
