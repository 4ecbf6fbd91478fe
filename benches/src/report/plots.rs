//! What is drawn: series out of rows. Knows nothing of how lines become pixels.

use crate::{
    measure::{Summary, number},
    row::{Board, Class, Figure, Row},
};

/// A plot of lines.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Plot {
    pub(super) title: String,
    pub(super) x: &'static str,
    pub(super) x_scale: Scale,
    pub(super) y: &'static str,
    pub(super) class: Class,
    pub(super) series: Vec<Series>,
}

/// How an axis is divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scale {
    /// By powers of ten.
    Powers,
    /// Evenly, from 0 on.
    Even,
}

/// A line: DNA's is the first one of its plot.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Series {
    pub(super) name: String,
    /// In the order of x.
    pub(super) points: Vec<(f64, Summary)>,
}

/// Each plot that the board has rows for.
pub(super) fn plots(board: &Board) -> Vec<Plot> {
    let all = [
        Figure::Throughput,
        Figure::Latency,
        Figure::Actors,
        Figure::GroupSize,
        Figure::Commits,
        Figure::LagOperations,
        Figure::LagSeconds,
        Figure::Growth,
    ];
    all.into_iter().filter_map(|figure| plot(board, figure)).collect()
}

/// One plot; `None` where the board has no rows for it.
pub(super) fn plot(board: &Board, figure: Figure) -> Option<Plot> {
    let mut rows = board.rows.iter().filter_map(|row| match row.spec.point {
        Some((of, x)) if of == figure => Some((x, row)),
        _ => None,
    });
    let first = rows.next()?;
    let mut rows = [first].into_iter().chain(rows).collect::<Vec<_>>();
    rows.sort_by_key(|(x, _)| *x);
    let (title, x, y) = match figure {
        Figure::Throughput => ("Throughput by callers", "callers that wait for their puts", "puts a second"),
        Figure::Latency => ("Latency by callers", "callers that wait for their puts", "µs, median"),
        Figure::Actors => ("Throughput by actors", "actors, a waiting caller each", "puts a second"),
        Figure::GroupSize => ("Group size by callers", "callers that wait for their puts", "puts a group"),
        Figure::Commits => ("Commits by callers", "callers that wait for their puts", "groups a second"),
        Figure::LagOperations => ("How far rows lag", "callers that wait for their puts", "operations, at the most"),
        Figure::LagSeconds => ("How long rows lag", "callers that wait for their puts", "seconds, at the most"),
        Figure::Growth => ("Growth: the same puts over more actors", "actors", "µs for a put"),
    };
    let ours = Series { name: "DNA".to_owned(), points: points(&rows, |row| row.summary()) };
    let mut names = Vec::<&str>::new();
    for reference in rows.iter().flat_map(|(_, row)| &row.references) {
        if !names.contains(&reference.name.as_str()) {
            names.push(&reference.name);
        }
    }
    let limits = names.into_iter().map(|name| Series {
        name: name.to_owned(),
        points: points(&rows, |row| {
            let reference = row.references.iter().find(|reference| reference.name == name)?;
            Summary::of(&reference.values)
        }),
    });
    let series = [ours].into_iter().chain(limits).collect();
    Some(Plot { title: title.to_owned(), x, x_scale: Scale::Powers, y, class: first.1.spec.class, series })
}

/// What was seen over the time of a run.
pub(super) fn timelines(board: &Board) -> Vec<Plot> {
    let plots = board.timelines.iter().map(|timeline| Plot {
        title: timeline.title.to_owned(),
        x: "seconds",
        x_scale: Scale::Even,
        y: timeline.y,
        class: timeline.class,
        series: timeline.lines.iter().map(|(name, points)| line(name, points)).collect(),
    });
    plots.collect()
}

fn line(name: &str, points: &[(f64, f64)]) -> Series {
    let points = points.iter().map(|(x, y)| (*x, Summary { median: *y, min: *y, max: *y }));
    Series { name: name.to_owned(), points: points.collect() }
}

fn points(rows: &[(u64, &Row)], value: impl Fn(&Row) -> Option<Summary>) -> Vec<(f64, Summary)> {
    rows.iter().filter_map(|(x, row)| Some((number(*x), value(row)?))).collect()
}

/// A row beside one limit.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Ratio {
    pub(super) row: String,
    pub(super) reference: String,
    pub(super) ratio: Summary,
    pub(super) direction: &'static str,
}

/// The ratios to each limit, by workload and class, so that what is durable stands apart from what is not.
pub(super) fn ratios(board: &Board) -> Vec<(u8, Class, Vec<Ratio>)> {
    let mut sections = Vec::<(u8, Class, Vec<Ratio>)>::new();
    for row in &board.rows {
        let ratios = row.references.iter().filter_map(|reference| {
            Some(Ratio {
                row: row.spec.name.clone(),
                reference: reference.name.clone(),
                ratio: row.ratio(reference)?,
                direction: row.spec.unit.direction(),
            })
        });
        let ratios = ratios.collect::<Vec<_>>();
        let section = (row.spec.workload, row.spec.class);
        match sections.iter_mut().find(|(workload, class, _)| (*workload, *class) == section) {
            Some((_, _, all)) => all.extend(ratios),
            None => sections.push((section.0, section.1, ratios)),
        }
    }
    sections.retain(|(_, _, ratios)| !ratios.is_empty());
    sections
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::{Spec, Unit};

    fn board() -> Board {
        let mut board = Board::default();
        for (callers, ours) in [(64, 50.0), (1, 10.0)] {
            let spec = Spec::new(2, Class::Synced, Unit::PerSecond, format!("callers: {callers}"));
            let row = board.row(spec.at(Figure::Throughput, callers));
            row.ours.push(ours);
            row.reference("log", 100.0);
        }
        board.row(Spec::new(2, Class::Memory, Unit::PerSecond, "in memory")).ours.push(1.0);
        board
    }

    #[test]
    fn a_plot_has_a_line_for_dna_and_one_for_each_limit() {
        let plots = plots(&board());
        assert_eq!(plots.len(), 1);
        let names = plots[0].series.iter().map(|series| series.name.as_str()).collect::<Vec<_>>();
        assert_eq!(names, ["DNA", "log"]);
        let ours = plots[0].series[0].points.iter().map(|(x, y)| (*x, y.median)).collect::<Vec<_>>();
        assert_eq!(ours, [(1.0, 10.0), (64.0, 50.0)]);
    }

    #[test]
    fn ratios_stand_by_workload_and_class() {
        let ratios = ratios(&board());
        assert_eq!(ratios.len(), 1, "a row without a limit has no ratio");
        assert_eq!(ratios[0].2.iter().map(|ratio| ratio.ratio.median).collect::<Vec<_>>(), [0.5, 0.1]);
    }
}
