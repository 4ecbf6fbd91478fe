//! Processes told apart by more than their number: the number may be another's by the time it is looked at.

use std::{
    fs,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use super::error::Error;

/// A process, among all that ever ran on this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Identity {
    pub(super) pid: u32,
    /// When it started, in the kernel's ticks since the machine did.
    pub(super) start: u64,
    /// The start of the machine that the ticks count from.
    pub(super) boot: String,
}

/// A signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signal {
    Term,
    Kill,
}

impl Identity {
    /// The process that has this number now; `None` if none has, or if it has ended and nobody has taken note.
    pub(super) fn of(pid: u32) -> Option<Self> {
        let start = start_of_living(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)?;
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?.trim().to_owned();
        Some(Identity { pid, start, boot })
    }

    /// Whether it still runs.
    pub(super) fn runs(&self) -> bool {
        Identity::of(self.pid).as_ref() == Some(self)
    }

    /// Sends a signal, if it still runs.
    pub(super) fn signal(&self, signal: Signal) -> Result<(), Error> {
        if !self.runs() {
            return Ok(());
        }
        let name = if signal == Signal::Term { "TERM" } else { "KILL" };
        // The shell's own `kill`: the program of that name is not everywhere.
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "kill -s \"$0\" \"$1\"", name, &self.pid.to_string()]);
        let status = command.stdin(Stdio::null()).stderr(Stdio::null()).status();
        let status = status.map_err(|source| Error::Start { command: "/bin/sh".to_owned(), source })?;
        // It may have ended by itself in between.
        if status.success() || !self.runs() { Ok(()) } else { Err(Error::Unstoppable { pid: self.pid }) }
    }

    /// Waits until it has ended. Answers whether it has.
    pub(super) fn ends_within(&self, patience: Duration) -> bool {
        let start = Instant::now();
        while self.runs() {
            if start.elapsed() > patience {
                return false;
            }
            thread::sleep(Duration::from_millis(20));
        }
        true
    }
}

/// The start time in a line of `/proc/<pid>/stat`; `None` for a process that has ended, which it has only with its last
/// thread: until then it holds its ports.
fn start_of_living(stat: &str) -> Option<u64> {
    // The second field is the program's name in parentheses, and may have any character in it.
    let (_, behind) = stat.rsplit_once(')')?;
    let mut fields = behind.split_whitespace();
    let state = fields.next()?;
    let threads = fields.nth(16)?.parse::<u32>().ok()?;
    let has_ended = matches!(state, "Z" | "X" | "x") && threads <= 1;
    let start = fields.nth(1)?.parse().ok()?;
    if has_ended { None } else { Some(start) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_time_is_read_behind_any_name() {
        let behind = "S 1 12 12 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4242 1000 10 18446744073709551615";
        for name in ["java", "a b", "x) R 1 (y", ""] {
            assert_eq!(start_of_living(&format!("12 ({name}) {behind}")), Some(4242), "{name}");
        }
        let ended = behind.replacen('S', "Z", 1);
        assert_eq!(start_of_living(&format!("12 (java) {ended}")), None);
        let ending = ended.replacen("20 0 1 0", "20 0 7 0", 1);
        assert_eq!(start_of_living(&format!("12 (java) {ending}")), Some(4242), "its other threads still run");
        for stat in ["", "12 java S 1", "12 (java)", "12 (java) S 1 2"] {
            assert_eq!(start_of_living(stat), None, "{stat}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_process_is_stopped_and_one_that_took_its_number_is_not() {
        let mut child = Command::new("/bin/sh").args(["-c", "exec sleep 600"]).spawn().unwrap();
        let identity = Identity::of(child.id()).unwrap();
        let earlier = Identity { start: identity.start - 1, ..identity.clone() };
        let other_boot = Identity { boot: "another".to_owned(), ..identity.clone() };

        for other in [earlier, other_boot] {
            assert!(!other.runs());
            other.signal(Signal::Kill).unwrap();
        }
        assert!(identity.runs());

        identity.signal(Signal::Term).unwrap();
        assert!(identity.ends_within(Duration::from_secs(60)), "it has ended, though nobody has waited for it yet");
        child.wait().unwrap();
        identity.signal(Signal::Kill).unwrap();
    }
}
