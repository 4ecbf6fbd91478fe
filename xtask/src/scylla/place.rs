//! Where the files of an instance are, and the lock that lets one command at a time work on it.

use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
};

use super::{error::Error, options::Name};

/// The folder of all instances.
#[derive(Debug, Clone)]
pub(super) struct Place {
    root: PathBuf,
}

impl Place {
    pub(super) fn new(target: &Path) -> Self {
        Place { root: target.join("scylla") }
    }

    /// What belongs to one instance: its record, configuration and logs, and its data unless that is elsewhere.
    pub(super) fn instance(&self, name: &Name) -> PathBuf {
        self.root.join(name.as_str())
    }

    /// The configuration and the log of a node.
    pub(super) fn node(&self, name: &Name, index: u8) -> PathBuf {
        self.instance(name).join(format!("node{}", index + 1))
    }

    /// The log of a node.
    pub(super) fn log(&self, name: &Name, index: u8) -> PathBuf {
        self.node(name, index).join("server.log")
    }

    /// The jars of a release, for all instances. A name has no dot: no instance is called so.
    pub(super) fn jars(&self, version: &str) -> PathBuf {
        self.root.join(".jars").join(format!("cassandra-{version}"))
    }

    /// The names of all instances.
    pub(super) fn names(&self) -> Result<Vec<Name>, Error> {
        let read = |source| Error::Read { path: self.root.clone(), source };
        let entries = match fs::read_dir(&self.root) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(read)?,
        };
        let mut names = Vec::new();
        for entry in entries {
            let name = entry.map_err(read)?.file_name();
            names.extend(name.to_str().and_then(|name| name.parse::<Name>().ok()));
        }
        names.sort();
        Ok(names)
    }

    /// Waits until no other command works on the instance. The lock ends with what is answered.
    pub(super) fn lock(&self, what: &str) -> Result<File, Error> {
        let path = self.root.join(format!(".{what}.lock"));
        let write = |source| Error::Write { path: path.clone(), source };
        fs::create_dir_all(&self.root).map_err(write)?;
        let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(write)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                eprintln!("waiting: another command works on `{what}`");
                file.lock().map_err(write)?;
            }
            Err(TryLockError::Error(source)) => return Err(write(source)),
        }
        Ok(file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_instances_share_is_no_instance() {
        let target = std::env::temp_dir().join(format!("xtask-place-{}", std::process::id()));
        let place = Place::new(&target);
        assert!(place.names().unwrap().is_empty());

        let _lock = place.lock("crash").unwrap();
        fs::create_dir_all(place.jars("5.0.8")).unwrap();
        fs::create_dir_all(place.node(&"crash".parse().unwrap(), 0)).unwrap();

        assert_eq!(place.names().unwrap(), ["crash".parse().unwrap()]);
        fs::remove_dir_all(target).unwrap();
    }
}
