//! This run beside an earlier one: the change of each ratio first, then of each value.

use comfy_table::{CellAlignment, Table, presets::UTF8_FULL_CONDENSED};

use crate::{format, json::Figure};

/// What became of a row beside one reference.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Change {
    row: String,
    reference: Option<String>,
    unit: String,
    ratios: Option<(f64, f64)>,
    values: (f64, f64),
}

/// The rows that both runs have, and those that only one has.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Comparison {
    changes: Vec<Change>,
    /// Rows of the earlier run that this one does not have.
    gone: Vec<String>,
    /// Rows of this run that the earlier one does not have.
    new: Vec<String>,
}

/// Compares by row and reference.
pub(crate) fn compare(before: &[Figure], after: &[Figure]) -> Comparison {
    let is_same = |a: &Figure, b: &Figure| a.row == b.row && a.reference == b.reference;
    let mut comparison = Comparison::default();
    for now in after {
        let Some(then) = before.iter().find(|then| is_same(then, now)) else {
            comparison.new.push(now.row.clone());
            continue;
        };
        comparison.changes.push(Change {
            row: now.row.clone(),
            reference: now.reference.clone(),
            unit: now.unit.clone(),
            ratios: then.ratio.zip(now.ratio),
            values: (then.value, now.value),
        });
    }
    let gone = before.iter().filter(|then| !after.iter().any(|now| is_same(then, now)));
    comparison.gone = gone.map(|figure| figure.row.clone()).collect();
    comparison.new.dedup();
    comparison.gone.dedup();
    comparison
}

/// The comparison as a person reads it.
pub(crate) fn show(comparison: &Comparison) -> String {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    table.set_header(["row", "of", "ratio before", "now", "change", "DNA before", "now", "change"]);
    for change in &comparison.changes {
        let (before, now) = change.values;
        let ratios = change.ratios.map_or([const { String::new() }; 3], |(before, now)| {
            [format::ratio(before), format::ratio(now), percent(before, now)]
        });
        let [ratio_before, ratio_now, ratio_change] = ratios;
        let value = |value: f64| {
            let text = if value >= 100.0 { format::grouped(value) } else { format!("{value:.2}") };
            format!("{text} {}", change.unit)
        };
        let reference = change.reference.clone().unwrap_or_default();
        table.add_row([
            &change.row,
            &reference,
            &ratio_before,
            &ratio_now,
            &ratio_change,
            &value(before),
            &value(now),
            &percent(before, now),
        ]);
    }
    for index in 2..8 {
        if let Some(column) = table.column_mut(index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let list = |what: &str, rows: &[String]| match rows {
        [] => String::new(),
        rows => format!("\n{what}: {}", rows.join("; ")),
    };
    let gone = list("not in this run", &comparison.gone);
    format!("{table}{gone}{}\n", list("not in the earlier run", &comparison.new))
}

/// How much more `now` is than `before`.
fn percent(before: f64, now: f64) -> String {
    if before == 0.0 {
        return String::new();
    }
    format!("{:+.1} %", (now / before - 1.0) * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(row: &str, reference: &str, value: f64, ratio: f64) -> Figure {
        Figure {
            row: row.to_owned(),
            value,
            unit: "1/s".to_owned(),
            min: value,
            max: value,
            reference: Some(reference.to_owned()),
            reference_value: Some(value / ratio),
            ratio: Some(ratio),
            target: None,
            met: None,
        }
    }

    #[test]
    fn rows_are_compared_by_name_and_reference() {
        let before = [figure("a", "log", 100.0, 0.5), figure("a", "disk", 100.0, 0.1), figure("b", "log", 1.0, 1.0)];
        let after = [figure("a", "log", 150.0, 0.6), figure("c", "log", 1.0, 1.0)];
        let comparison = compare(&before, &after);
        assert_eq!(comparison.changes.len(), 1);
        assert_eq!(comparison.changes[0].ratios, Some((0.5, 0.6)));
        assert_eq!(comparison.changes[0].values, (100.0, 150.0));
        assert_eq!((comparison.gone, comparison.new), (vec!["a".to_owned(), "b".to_owned()], vec!["c".to_owned()]));
    }

    #[test]
    fn the_change_is_shown_with_its_sign() {
        let before = [figure("a", "log", 100.0, 0.5)];
        let text = show(&compare(&before, &[figure("a", "log", 150.0, 0.6)]));
        assert!(text.contains("+20.0 %") && text.contains("+50.0 %"), "{text}");
        let text = show(&compare(&before, &[figure("b", "log", 50.0, 0.4)]));
        assert!(text.contains("not in this run: a") && text.contains("not in the earlier run: b"), "{text}");
    }

    #[test]
    fn nothing_has_no_change() {
        assert_eq!(percent(0.0, 5.0), "");
        assert_eq!(percent(200.0, 100.0), "-50.0 %");
    }
}
