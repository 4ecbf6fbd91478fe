//! A started node, be it a process or a container: whether it runs, what it said last, and how it ends.

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
    net::SocketAddrV4,
    path::Path,
    time::Duration,
};

use super::{docker, error::Error, process::Signal, state::Handle};

/// How long a server that was told to stop may write what it holds.
const STOP_SECONDS_MAX: u64 = 60;
/// How long a server that was killed may take to be gone.
const KILL_SECONDS_MAX: u64 = 20;

impl Handle {
    /// Whether it runs.
    pub(super) fn runs(&self) -> bool {
        match self {
            Handle::Process(identity) => identity.runs(),
            Handle::Container { id } => docker::runs(id),
        }
    }

    /// What a person looks it up by.
    pub(super) fn shown(&self) -> String {
        match self {
            Handle::Process(identity) => format!("pid {}", identity.pid),
            Handle::Container { id } => format!("container {}", id.get(..12).unwrap_or(id)),
        }
    }
}

/// Ends these servers: all are told to, then each is waited for, and one that does not end in time is killed. One that
/// does not run, or whose number has gone to another process, is left alone.
pub(super) fn stop(handles: &[&Handle], kill: bool) -> Result<(), Error> {
    let signal = if kill { Signal::Kill } else { Signal::Term };
    for handle in handles {
        if let Handle::Process(identity) = handle {
            identity.signal(signal)?;
        }
    }
    for handle in handles {
        match handle {
            Handle::Process(identity) => {
                if !identity.ends_within(Duration::from_secs(STOP_SECONDS_MAX)) {
                    identity.signal(Signal::Kill)?;
                }
                if !identity.ends_within(Duration::from_secs(KILL_SECONDS_MAX)) {
                    return Err(Error::Unstoppable { pid: identity.pid });
                }
            }
            Handle::Container { id } if docker::runs(id) => {
                docker::stop(id, kill, Duration::from_secs(STOP_SECONDS_MAX))?;
            }
            Handle::Container { id } => docker::remove(id),
        }
    }
    Ok(())
}

/// That a server ended while it started, with what it said last.
pub(super) fn died(address: SocketAddrV4, handle: Option<&Handle>, log: &Path) -> Error {
    let words = match handle {
        Some(Handle::Container { id }) => docker::log(id),
        _ => last_words(log),
    };
    Error::Died { address, words: words.unwrap_or_else(|| "(none)".to_owned()), log: log.to_path_buf() }
}

/// The last error in a log with what it says, else the last lines; `None` if there are none.
fn last_words(log: &Path) -> Option<String> {
    const TAIL_BYTES: u64 = 64 * 1024;
    const LINES: usize = 5;
    let mut file = File::open(log).ok()?;
    let length = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES))).ok()?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    let lines = text.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect::<Vec<_>>();
    let is_error = |line: &&str| line.contains(" ERROR ") || line.starts_with("Error");
    let start = lines.iter().rposition(is_error).unwrap_or(lines.len().saturating_sub(LINES));
    let words = lines.iter().skip(start).take(LINES).copied().collect::<Vec<_>>();
    if words.is_empty() { None } else { Some(words.join("\n")) }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_last_words_are_the_last_error_and_what_it_says() {
        let log = std::env::temp_dir().join(format!("xtask-words-{}.txt", std::process::id()));
        let words = |text: &str| {
            fs::write(&log, text).unwrap();
            last_words(&log)
        };
        let table = [
            ("1 INFO a\n2 ERROR b\n3 ERROR c\nof this: d\n", Some("3 ERROR c\nof this: d")),
            (
                "2 ERROR b\n3 INFO c\n\n4 INFO d\n5 INFO e\n6 INFO f\n7 INFO g",
                Some("2 ERROR b\n3 INFO c\n4 INFO d\n5 INFO e\n6 INFO f"),
            ),
            ("Error: no such option\nError: the machine was not created\n", Some("Error: the machine was not created")),
            ("1 INFO a\n2 INFO b\n", Some("1 INFO a\n2 INFO b")),
            ("", None),
        ];
        for (text, expected) in table {
            assert_eq!(words(text).as_deref(), expected, "{text}");
        }
        words("2 ERROR b\nof this: d\n");
        let message = died("127.0.0.1:9042".parse().unwrap(), None, &log).to_string();
        assert!(message.contains("2 ERROR b\nof this: d\n"), "{message}");
        fs::remove_file(&log).unwrap();
        assert_eq!(last_words(&log), None);
    }
}
