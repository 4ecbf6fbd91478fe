//! The record of an instance, `state.toml` in its folder: what it is, and what of it was started. It outlives
//! `scylla-down`, since it also says what the data was written with; `--wipe` removes both.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{error::Error, process::Identity, settings::Settings};

const FILE: &str = "state.toml";

/// The record of an instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct State {
    pub(super) settings: Settings,
    /// What was started, in the order of the nodes.
    #[serde(default, rename = "started")]
    pub(super) started: Vec<Started>,
}

/// One node that was started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Started {
    /// Which node, from 0.
    pub(super) node: u8,
    #[serde(flatten)]
    pub(super) handle: Handle,
}

/// What to stop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Handle {
    Process(Identity),
    Container { id: String },
}

impl State {
    /// What is recorded in this folder, if anything.
    pub(super) fn read(folder: &Path) -> Result<Option<Self>, Error> {
        let path = folder.join(FILE);
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            text => text.map_err(|source| Error::Read { path: path.clone(), source })?,
        };
        match toml::from_str(&text) {
            Ok(state) => Ok(Some(state)),
            Err(error) => Err(Error::Record { path, why: error.to_string().trim_end().to_owned() }),
        }
    }

    /// Writes the record, all of it or nothing.
    pub(super) fn write(&self, folder: &Path) -> Result<(), Error> {
        let write = |path: &Path| {
            let path: PathBuf = path.to_path_buf();
            move |source| Error::Write { path, source }
        };
        fs::create_dir_all(folder).map_err(write(folder))?;
        let text =
            toml::to_string(self).map_err(|error| Error::Record { path: folder.join(FILE), why: error.to_string() })?;
        let (next, path) = (folder.join("state.next"), folder.join(FILE));
        fs::write(&next, text).map_err(write(&next))?;
        fs::rename(&next, &path).map_err(write(&path))
    }

    /// What was started as node `index`.
    pub(super) fn handle(&self, index: u8) -> Option<&Handle> {
        self.started.iter().find(|started| started.node == index).map(|started| &started.handle)
    }

    /// Records what runs as node `index`, in place of what ran before.
    pub(super) fn set(&mut self, index: u8, handle: Handle) {
        self.started.retain(|started| started.node != index);
        self.started.push(Started { node: index, handle });
        self.started.sort_by_key(|started| started.node);
    }
}

#[cfg(test)]
mod tests {
    use super::{super::settings::tests::cassandra, *};

    fn process(pid: u32) -> Handle {
        Handle::Process(Identity { pid, start: 77, boot: "b".to_owned() })
    }

    #[test]
    fn a_record_reads_as_it_was_written() {
        let folder = std::env::temp_dir().join(format!("xtask-state-{}", std::process::id()));
        assert_eq!(State::read(&folder).unwrap(), None);

        let mut state = State { settings: cassandra(3), started: Vec::new() };
        state.write(&folder).unwrap();
        assert_eq!(State::read(&folder).unwrap().as_ref(), Some(&state));

        state.set(1, process(2));
        state.set(0, process(1));
        state.set(2, Handle::Container { id: "c0ffee".to_owned() });
        state.set(1, process(3));
        state.write(&folder).unwrap();
        assert_eq!(State::read(&folder).unwrap().as_ref(), Some(&state));
        assert_eq!(state.handle(1), Some(&process(3)));
        assert_eq!(state.started.len(), 3);

        fs::write(folder.join(FILE), "settings = 1").unwrap();
        let message = State::read(&folder).unwrap_err().to_string();
        assert!(message.contains("state.toml") && message.contains("remove"), "{message}");
        fs::remove_dir_all(folder).unwrap();
    }
}
