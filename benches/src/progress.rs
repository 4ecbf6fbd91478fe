//! What a person sees while a run goes on: a bar on a terminal, a line a row otherwise. Goes to stderr.

use std::{
    io::{self, IsTerminal},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// The progress of a run.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Looks at whether there is a terminal.
    pub(crate) fn new() -> Self {
        let bar = io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
            if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} [{bar:24}] round {pos}/{len} ({elapsed})")
            {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_millis(500));
            bar
        });
        Progress { bar }
    }

    /// A row begins.
    pub(crate) fn row(&self, what: &str, rounds: u32) {
        match &self.bar {
            Some(bar) => {
                bar.reset();
                bar.set_length(u64::from(rounds));
                bar.set_message(what.to_owned());
            }
            None => eprintln!("measuring: {what}; rounds: {rounds}"),
        }
    }

    /// A round of the row begins.
    pub(crate) fn round(&self, number: u32) {
        if let Some(bar) = &self.bar {
            bar.set_position(u64::from(number));
        }
    }

    /// Clears the line, since something is to be printed.
    pub(crate) fn clear(&self) {
        if let Some(bar) = &self.bar {
            bar.set_message("");
            bar.suspend(|| {});
            bar.finish_and_clear();
        }
    }
}
