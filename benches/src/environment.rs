//! Where and when a run took place. Without it no figure means anything, so it stands on everything that is written.

use std::{
    fs,
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use crate::args::Args;

/// The conditions of a run.
#[derive(Debug, Clone)]
pub(crate) struct Environment {
    pub(crate) machine: String,
    pub(crate) disk: String,
    pub(crate) date: String,
    pub(crate) settings: String,
}

impl Environment {
    /// Looks around. `dir` is where the data files go.
    /// `server` is the database, where there is one.
    pub(crate) fn read(args: &Args, dir: &Path, server: Option<&str>) -> Self {
        let rounds = args.rounds();
        let server = server.map_or(String::new(), |server| format!("; {server}"));
        let quick = if args.quick { ", --quick: the figures mean little" } else { "" };
        Environment {
            machine: machine(),
            disk: disk(dir),
            date: date(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()),
            settings: format!("{}{server}; rounds: {rounds}{quick}", args.store_line()),
        }
    }

    /// All of it, line by line.
    pub(crate) fn lines(&self) -> [(&'static str, &str); 4] {
        [("machine", &self.machine), ("disk", &self.disk), ("date", &self.date), ("run", &self.settings)]
    }
}

fn machine() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = field(&info, "model name").or_else(|| field(&info, "Model")).unwrap_or(std::env::consts::ARCH);
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let memory = field(&memory, "MemTotal").and_then(|text| text.split_whitespace().next()?.parse::<u64>().ok());
    let memory = memory.map_or(String::new(), |kib| format!(", {} GiB", kib.div_ceil(1024 * 1024)));
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split_whitespace().next().map_or(String::new(), |load| format!(", load {load} at the start"));
    format!("{model}, {cores} threads{memory}, {}{load}", std::env::consts::OS)
}

fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == name).then(|| value.trim())
    })
}

/// The device and file system below `dir`, from the longest mount point that it stands under.
fn disk(dir: &Path) -> String {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    mounted(&mounts, dir).unwrap_or_else(|| "not known".to_owned())
}

fn mounted(mounts: &str, dir: &Path) -> Option<String> {
    let mounts = mounts.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        Some((words.next()?, words.next()?, words.next()?))
    });
    let under = mounts.filter(|(_, point, _)| dir.starts_with(point));
    let (device, _, kind) = under.max_by_key(|(_, point, _)| point.len())?;
    Some(format!("{device}, {kind}"))
}

/// Seconds since 1970 as a date in UTC. The calendar is that of Howard Hinnant's `civil_from_days`.
fn date(seconds: u64) -> String {
    let days = seconds / 86_400 + 719_468;
    let era = days / 146_097;
    let day_of_era = days % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute) = (seconds % 86_400 / 3600, seconds % 3600 / 60);
    format!("{year}-{month:02}-{day:02} {hour:02}:{minute:02} UTC")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (seconds, expected) in [
            (0, "1970-01-01 00:00 UTC"),
            (951_782_400, "2000-02-29 00:00 UTC"),
            (1_735_689_599, "2024-12-31 23:59 UTC"),
            (1_795_417_929, "2026-11-23 07:12 UTC"),
        ] {
            assert_eq!(date(seconds), expected);
        }
    }

    #[test]
    fn the_disk_is_that_of_the_longest_mount_point() {
        let mounts = "/dev/vda / ext4 rw 0 0\ntmpfs /tmp tmpfs rw 0 0\n/dev/vdb /tmpfile xfs rw 0 0\n";
        assert_eq!(mounted(mounts, Path::new("/tmp/a")).as_deref(), Some("tmpfs, tmpfs"));
        assert_eq!(mounted(mounts, Path::new("/home/a")).as_deref(), Some("/dev/vda, ext4"));
        assert_eq!(mounted("", Path::new("/")), None);
    }
}
