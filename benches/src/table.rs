//! The rows as tables on a terminal: one for each workload and class, the ratio first.

use comfy_table::{CellAlignment, Table, presets::UTF8_FULL_CONDENSED};

use crate::{
    format,
    measure::Summary,
    row::{Board, Class, Row},
};

/// All tables of the board, each under what its rows promise.
pub(crate) fn tables(board: &Board) -> String {
    let mut text = String::new();
    for (workload, class) in sections(board) {
        let rows = board.rows.iter().filter(|row| row.spec.workload == workload && row.spec.class == class);
        let head = if workload == 0 { String::new() } else { format!("workload {workload}, ") };
        text.push_str(&format!("\n{head}{}\n{}\n", class.title(), table(rows)));
    }
    text
}

/// The workloads and classes, each pair once, in the order of the rows.
fn sections(board: &Board) -> Vec<(u8, Class)> {
    let mut sections = Vec::new();
    for row in &board.rows {
        let section = (row.spec.workload, row.spec.class);
        if !sections.contains(&section) {
            sections.push(section);
        }
    }
    sections
}

fn table<'a>(rows: impl Iterator<Item = &'a Row>) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    table.set_header(["row", "", "ratio", "(rounds)", "target", "of", "DNA", "(min – max)", "the reference"]);
    for row in rows {
        let Some(ours) = row.summary() else { continue };
        let unit = row.spec.unit;
        let (value, range) = (format::value(ours.median, unit), range(ours, format::number));
        let (name, direction) = (row.spec.name.as_str(), unit.arrow());
        let alone = row.references.is_empty() || row.spec.target(None).is_some();
        if alone {
            let target = format::target(unit, ours.median, row.spec.target(None), format::number);
            table.add_row([name, direction, "", "", &target, "", &value, &range, ""]);
        }
        for (index, reference) in row.references.iter().enumerate() {
            let (Some(ratio), Some(theirs)) = (row.ratio(reference), Summary::of(&reference.values)) else { continue };
            let own = [name, direction, &value, &range];
            let [name, direction, value, range] = if index == 0 && !alone { own } else { [""; 4] };
            table.add_row([
                name,
                direction,
                &format::ratio(ratio.median),
                &self::range(ratio, format::ratio),
                &format::target(unit, ratio.median, row.spec.target(Some(&reference.name)), format::ratio),
                &reference.name,
                value,
                range,
                &format::value(theirs.median, unit),
            ]);
        }
    }
    for index in [2, 3, 6, 7, 8] {
        if let Some(column) = table.column_mut(index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

fn range(summary: Summary, show: impl Fn(f64) -> String) -> String {
    format!("{} – {}", show(summary.min), show(summary.max))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::{Spec, Unit};

    #[test]
    fn durable_and_not_durable_rows_never_share_a_table() {
        let mut board = Board::default();
        for (class, name) in [(Class::Synced, "a"), (Class::Memory, "b"), (Class::Synced, "c")] {
            let row = board.row(Spec::new(5, class, Unit::PerSecond, name));
            row.ours.push(50.0);
            row.reference("limit", 100.0);
        }
        let text = tables(&board);
        let (durable, memory) = text.split_once("workload 5, NOT durable").unwrap();
        assert!(durable.contains("(5) a") && durable.contains("(5) c") && !durable.contains("(5) b"));
        assert!(memory.contains("(5) b"));
        assert!(text.contains("0.50"));
    }

    #[test]
    fn the_ratio_stands_before_the_figure() {
        let mut board = Board::default();
        let row = board.row(Spec::new(2, Class::Synced, Unit::PerSecond, "puts"));
        row.ours.push(150.0);
        row.reference("limit", 100.0);
        let text = tables(&board);
        let line = text.lines().find(|line| line.contains("(2) puts")).unwrap();
        assert!(line.find("1.50").unwrap() < line.find("150 1/s").unwrap());
    }
}
