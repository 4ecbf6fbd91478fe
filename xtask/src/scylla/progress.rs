//! What a person sees while a server starts: a spinner on a terminal, a line a step otherwise. Goes to stderr.

use std::{
    cell::RefCell,
    io::{self, IsTerminal},
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// The progress of a start.
#[derive(Debug)]
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    last: RefCell<String>,
    start: Instant,
}

impl Progress {
    /// Looks at whether there is a terminal.
    pub(super) fn new() -> Self {
        let bar = io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} ({elapsed})") {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_millis(200));
            bar
        });
        Progress { bar, last: RefCell::new(String::new()), start: Instant::now() }
    }

    /// What is done now; said again, it changes nothing.
    pub(super) fn step(&self, what: &str) {
        if *self.last.borrow() == what {
            return;
        }
        what.clone_into(&mut self.last.borrow_mut());
        match &self.bar {
            Some(bar) => bar.set_message(what.to_owned()),
            None => eprintln!("{what}"),
        }
    }

    /// How long it has gone on.
    pub(super) fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
