//! The page: one HTML file with style, plots and tables in it. It fetches nothing.

use super::{
    bars, line,
    plots::{plot, plots, ratios, timelines},
    svg::{Anchor, Drawing, escape},
};
use crate::{
    environment::Environment,
    format,
    measure::Summary,
    row::{Board, Class, Figure, Row},
};

const STYLE: &str = "body{font:15px/1.5 sans-serif;max-width:1000px;margin:2em auto;padding:0 1em;color:#222;\
background:#fff}table{border-collapse:collapse;font-size:13px;width:100%}td,th{padding:3px 8px;text-align:left;\
border-bottom:1px solid #ddd;vertical-align:top}td.n{text-align:right;white-space:nowrap}svg{max-width:100%;\
height:auto}.durable{border-left:4px solid #009e73;padding-left:1em}.other{border-left:4px solid #d55e00;\
padding-left:1em}";

/// The report of a run.
pub(crate) fn html(board: &Board, environment: &Environment) -> String {
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>DNA: measured beside its \
         limits</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<h1>DNA: measured beside its limits</h1>\n<table>\n"
    );
    for (name, value) in environment.lines() {
        page.push_str(&format!("<tr><th>{name}</th><td>{}</td></tr>\n", escape(value)));
    }
    page.push_str(
        "</table>\n<p>Every row ran beside its limits in the same run, in turn, round by round. A ratio is DNA's median \
         over the limit's median; the thin line is from the least to the greatest ratio within one round. Durable and \
         not-durable rows stand apart.</p>\n",
    );
    for plot in plots(board).iter().chain(&timelines(board)) {
        page.push_str(&line::draw(plot, &[]).inline());
    }
    for (workload, class, ratios) in ratios(board) {
        page.push_str(&format!("<section class=\"{}\">\n<h2>{}</h2>\n", css(class), heading(workload, class)));
        page.push_str(&bars::draw(&ratios).inline());
        let rows = board.rows.iter().filter(|row| (row.spec.workload, row.spec.class) == (workload, class));
        page.push_str(&table(rows));
        page.push_str("</section>\n");
    }
    let disk = board.rows.iter().filter(|row| row.spec.class == Class::Disk);
    page.push_str(&format!("<h2>{}</h2>\n{}</body>\n</html>\n", heading(0, Class::Disk), table(disk)));
    page
}

/// The plot for the README: throughput by callers, with its conditions below it.
pub(crate) fn readme_svg(board: &Board, environment: &Environment) -> String {
    let notes = environment.lines().map(|(name, value)| format!("{name}: {value}"));
    match plot(board, Figure::Throughput) {
        Some(plot) => line::draw(&plot, &notes).file(),
        None => {
            let mut drawing = Drawing::new(480.0, 40.0);
            drawing.text((10.0, 25.0), Anchor::Start, 13, "workload 2 was not run: it has the rows of this plot");
            drawing.file()
        }
    }
}

fn css(class: Class) -> &'static str {
    if matches!(class, Class::Synced | Class::Database) { "durable" } else { "other" }
}

fn heading(workload: u8, class: Class) -> String {
    let head = if workload == 0 { String::new() } else { format!("Workload {workload}, ") };
    escape(&format!("{head}{}", class.title()))
}

fn table<'a>(rows: impl Iterator<Item = &'a Row>) -> String {
    let mut text = String::from(
        "<table>\n<tr><th>row</th><th>ratio</th><th>target</th><th>of</th><th>DNA</th><th>min – max</th><th>the reference</th></tr>\n",
    );
    for row in rows {
        let Some(ours) = row.summary() else { continue };
        let show = |value| escape(&format::value(value, row.spec.unit));
        let name = escape(&row.spec.name);
        let (value, range) = (show(ours.median), format!("{} – {}", show(ours.min), show(ours.max)));
        let mut line = |ratio: &str, target: &str, of: &str, theirs: &str| {
            text.push_str(&format!(
                "<tr><td>{name}</td><td class=\"n\">{ratio}</td><td>{target}</td><td>{of}</td><td class=\"n\">{value}</td>\
                 <td class=\"n\">{range}</td><td class=\"n\">{theirs}</td></tr>\n"
            ));
        };
        if row.references.is_empty() || row.spec.target(None).is_some() {
            let target = format::target(row.spec.unit, ours.median, row.spec.target(None), format::number);
            line("", &escape(&target), "", "");
        }
        for reference in &row.references {
            let (Some(ratio), Some(theirs)) = (row.ratio(reference), Summary::of(&reference.values)) else { continue };
            let target = row.spec.target(Some(&reference.name));
            let target = format::target(row.spec.unit, ratio.median, target, format::ratio);
            line(&format::ratio(ratio.median), &escape(&target), &escape(&reference.name), &show(theirs.median));
        }
    }
    text + "</table>\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::{Spec, Unit};

    fn board() -> Board {
        let mut board = Board::default();
        for callers in [1, 64] {
            let spec = Spec::new(2, Class::Synced, Unit::PerSecond, format!("<puts> callers: {callers}"));
            let row = board.row(spec.at(Figure::Throughput, callers));
            row.ours.extend([50.0, 60.0]);
            row.reference("log & disk", 100.0);
        }
        board.row(Spec::new(0, Class::Disk, Unit::Microseconds, "sync")).ours.push(90.0);
        board
    }

    fn environment() -> Environment {
        Environment {
            machine: "<machine>".to_owned(),
            disk: "/dev/vda, ext4".to_owned(),
            date: "2026-11-23 07:12 UTC".to_owned(),
            settings: "embedded store, fsync".to_owned(),
        }
    }

    #[test]
    fn the_report_fetches_nothing() {
        let page = html(&board(), &environment());
        for fetches in ["://", "src=", "href=", "url(", "@import", "<link", "<script", "<iframe"] {
            assert!(!page.contains(fetches), "{fetches}");
        }
    }

    #[test]
    fn the_report_is_escaped_and_has_what_was_measured() {
        let page = html(&board(), &environment());
        assert!(page.contains("&lt;machine&gt;") && !page.contains("<machine>"));
        assert!(page.contains("&lt;puts&gt; callers: 64") && page.contains("log &amp; disk"));
        assert!(page.contains("0.55") && page.contains("2026-11-23"));
        assert_eq!(page.matches("<svg").count(), page.matches("</svg>").count());
    }

    #[test]
    fn the_plot_for_the_readme_names_machine_disk_and_date() {
        let svg = readme_svg(&board(), &environment());
        for part in ["&lt;machine&gt;", "/dev/vda, ext4", "2026-11-23 07:12 UTC", "Throughput by callers"] {
            assert!(svg.contains(part), "{part}");
        }
        assert!(svg.starts_with("<svg xmlns="));
        assert!(readme_svg(&Board::default(), &environment()).contains("workload 2 was not run"));
    }
}
