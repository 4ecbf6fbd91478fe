//! What processes that may be killed at any moment have written: whole lines.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::Path,
    str::FromStr,
    sync::{Arc, Mutex},
};

/// A file to which lines are written at once, from any thread.
#[derive(Clone)]
pub(crate) struct Lines(Arc<Mutex<File>>);

impl Lines {
    pub(crate) fn create(path: &Path) -> Self {
        Lines(Arc::new(Mutex::new(File::create(path).unwrap())))
    }

    pub(crate) fn write(&self, line: &str) {
        self.0.lock().unwrap().write_all(format!("{line}\n").as_bytes()).unwrap();
    }
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The lines of all files of this kind in a directory. One that is cut off was never written.
pub(crate) fn read_all<T: FromStr<Err: std::fmt::Display>>(dir: &Path, kind: &str) -> Vec<T> {
    let files = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let mut files = files.filter(|path| path.extension().is_some_and(|found| found == kind)).collect::<Vec<_>>();
    files.sort();
    files.iter().flat_map(|path| parsed(&fs::read_to_string(path).unwrap())).collect()
}

fn parsed<T: FromStr<Err: std::fmt::Display>>(text: &str) -> Vec<T> {
    let whole = text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n'));
    whole.map(|line| line.parse().unwrap_or_else(|error| panic!("{error}"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_cut_off_was_never_written() {
        assert_eq!(parsed::<u64>("1\n22\n3"), [1, 22]);
        assert_eq!(parsed::<u64>(""), [0_u64; 0]);
    }
}
