//! What is shown: a table that is drawn anew in a terminal, and from time to time anywhere else.

use std::{
    io::{IsTerminal, Write, stdout},
    time::{Duration, Instant},
};

use comfy_table::{CellAlignment, Table, presets};

/// One row of the table: a node.
pub(crate) struct NodeRow {
    pub(crate) address: String,
    pub(crate) process: String,
    pub(crate) state: String,
    pub(crate) shards: String,
}

/// One line below the table: the callers.
pub(crate) struct LoadLine {
    pub(crate) answers: usize,
    pub(crate) p50: Option<Duration>,
    pub(crate) p99: Option<Duration>,
    pub(crate) retried: u64,
    pub(crate) unknown: u64,
    pub(crate) takeover: Option<Duration>,
}

pub(crate) struct Screen {
    started: Instant,
    redraws: bool,
    drawn: usize,
}

impl Screen {
    pub(crate) fn new() -> Self {
        Screen { started: Instant::now(), redraws: stdout().is_terminal(), drawn: 0 }
    }

    /// Says what has happened. It stays.
    pub(crate) fn say(&mut self, what: &str) {
        self.clear();
        println!("{:>6.1} s  {what}", self.started.elapsed().as_secs_f64());
    }

    /// Shows the nodes and the load. It is replaced by the next, where that is possible; else it is shown if `keep`.
    pub(crate) fn draw(&mut self, nodes: &[NodeRow], load: &LoadLine, keep: bool) {
        if !self.redraws && !keep {
            return;
        }
        self.clear();
        let shown = format!("{}\n{}\n", table(nodes), line(load));
        print!("{shown}");
        // A terminal that is gone cannot be written to, and nobody looks.
        let _ = stdout().flush();
        self.drawn = if self.redraws && !keep { shown.lines().count() } else { 0 };
    }

    fn clear(&mut self) {
        if self.drawn > 0 {
            // Up to where the last table began, and everything below it away.
            print!("\x1b[{}A\x1b[J", self.drawn);
            self.drawn = 0;
        }
    }
}

fn table(nodes: &[NodeRow]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_BORDERS_ONLY);
    table.set_header(["node", "process", "state", "shards"]);
    for node in nodes {
        table.add_row([&node.address, &node.process, &node.state, &node.shards]);
    }
    if let Some(column) = table.column_mut(3) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

fn line(load: &LoadLine) -> String {
    let millis = |latency: Option<Duration>| {
        latency.map_or_else(|| "-".to_owned(), |latency| format!("{:.1} ms", latency.as_secs_f64() * 1000.0))
    };
    let takeover = load.takeover.map_or_else(|| "-".to_owned(), |took| format!("{:.1} s", took.as_secs_f64()));
    format!(
        "  {} calls/s · p50 {} · p99 {} · errors: {} sent again, {} unknown · takeover {takeover}",
        load.answers,
        millis(load.p50),
        millis(load.p99),
        load.retried,
        load.unknown,
    )
}
