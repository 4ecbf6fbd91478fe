//! A node's process as its driver sees it: told on its standard input, heard on its standard output.

use std::{
    collections::BTreeSet,
    fs::File,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    sync::{Arc, Condvar, Mutex},
    thread,
    time::Duration,
};

use crate::clock;

/// A process. Dropped, it is killed.
pub(crate) struct Process {
    pub(crate) name: String,
    child: Child,
    stdin: ChildStdin,
    heard: Arc<Heard>,
}

/// The words that it has said, and the end of it.
#[derive(Default)]
struct Heard {
    state: Mutex<(BTreeSet<String>, bool)>,
    changed: Condvar,
}

impl Process {
    /// Starts it; what it writes to its standard error goes to this file.
    pub(crate) fn start(name: String, command: &mut Command, errors: &Path) -> Self {
        let errors = File::create(errors).unwrap();
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(errors);
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let (stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let heard = Arc::new(Heard::default());
        let hears = heard.clone();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines() {
                let Ok(line) = line else { break };
                hears.state.lock().unwrap().0.insert(line);
                hears.changed.notify_all();
            }
            hears.state.lock().unwrap().1 = true;
            hears.changed.notify_all();
        });
        Process { name, child, stdin, heard }
    }

    /// Tells it something. Where it has ended, nobody hears.
    pub(crate) fn tell(&mut self, word: &str) {
        let _ = writeln!(self.stdin, "{word}").and_then(|()| self.stdin.flush());
    }

    /// Waits until it says this word, or has ended. Whether it has said it.
    pub(crate) fn says(&self, word: &str, patience: Duration) -> bool {
        self.waits(patience, |(words, has_ended)| words.contains(word) || *has_ended);
        self.heard.state.lock().unwrap().0.contains(word)
    }

    /// Waits until it has ended. Whether it has.
    pub(crate) fn ends(&self, patience: Duration) -> bool {
        self.waits(patience, |(_, has_ended)| *has_ended)
    }

    fn waits(&self, patience: Duration, is: impl Fn(&(BTreeSet<String>, bool)) -> bool) -> bool {
        let state = self.heard.state.lock().unwrap();
        let (state, _) = self.heard.changed.wait_timeout_while(state, patience, |state| !is(state)).unwrap();
        is(&state)
    }

    pub(crate) fn signal(&self, name: &str) {
        signal(self.child.id(), name);
    }

    /// Kills it. When this returns it is gone; when that began, by the clock.
    pub(crate) fn kill(&mut self) -> u64 {
        let at = clock::micros();
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
        at
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Sends a signal to a process.
pub(crate) fn signal(pid: u32, name: &str) {
    // The shell's own `kill`: the program of that name is not everywhere.
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "kill -s \"$0\" \"$1\"", name, &pid.to_string()]).stdin(Stdio::null()).stderr(Stdio::null());
    assert!(command.status().unwrap().success(), "SIG{name} could not be sent to {pid}");
}
