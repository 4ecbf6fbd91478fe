//! Lines over an axis of powers of ten, or of even steps, and one of powers of ten, with the least and greatest round as a bar at each point.

use super::{
    plots::{Plot, Scale},
    svg::{Anchor, Drawing, colour},
};
use crate::format;

const WIDTH: f64 = 840.0;
const PLOT: (f64, f64) = (430.0, 300.0);
const LEFT: f64 = 80.0;
const TOP: f64 = 44.0;
const GRID: &str = "#dddddd";

/// Draws a plot, with `notes` below it.
pub(super) fn draw(plot: &Plot, notes: &[String]) -> Drawing {
    let line_height = 15.0;
    let below = TOP + PLOT.1 + 58.0;
    let rows = f64::from(u16::try_from(notes.len()).unwrap_or(u16::MAX));
    let mut drawing = Drawing::new(WIDTH, below + rows * line_height);
    let points = || plot.series.iter().flat_map(|series| &series.points);
    let x = match plot.x_scale {
        Scale::Powers => Axis::around(points().map(|(x, _)| *x)),
        Scale::Even => Axis::Even { to: points().map(|(x, _)| *x).fold(1.0, f64::max) },
    };
    let y = Axis::around(points().flat_map(|(_, y)| [y.min, y.max]));
    let place = |at_x: f64, at_y: f64| (LEFT + x.place(at_x) * PLOT.0, TOP + (1.0 - y.place(at_y)) * PLOT.1);

    drawing.text((LEFT, 18.0), Anchor::Start, 15, &plot.title);
    drawing.text((LEFT, 35.0), Anchor::Start, 11, &format!("{}; {}", plot.y, plot.class.title()));
    for tick in x.ticks() {
        let (at, bottom) = place(tick, y.from());
        drawing.line((at, TOP), (at, bottom), GRID, 1.0);
        drawing.text((at, bottom + 16.0), Anchor::Middle, 11, &short(tick));
    }
    for tick in y.ticks() {
        let (left, at) = place(x.from(), tick);
        drawing.line((left, at), (left + PLOT.0, at), GRID, 1.0);
        drawing.text((left - 6.0, at + 4.0), Anchor::End, 11, &short(tick));
    }
    drawing.text((LEFT + PLOT.0 / 2.0, TOP + PLOT.1 + 36.0), Anchor::Middle, 12, plot.x);

    // DNA is drawn last, so that it lies on top.
    for (index, series) in plot.series.iter().enumerate().rev() {
        let colour = colour(index);
        let line = series.points.iter().map(|(at, value)| place(*at, value.median)).collect::<Vec<_>>();
        drawing.path(&line, colour, if index == 0 { 2.5 } else { 1.5 });
        for (at, value) in &series.points {
            drawing.line(place(*at, value.min), place(*at, value.max), colour, 1.0);
            let about = format!("{}, {} {}: {}", series.name, short(*at), plot.x, short(value.median));
            drawing.dot(place(*at, value.median), colour, &about);
        }
    }
    let mut at = (LEFT + PLOT.0 + 18.0, TOP + 10.0);
    for (index, series) in plot.series.iter().enumerate() {
        drawing.rect((at.0, at.1 - 9.0), (10.0, 10.0), colour(index));
        drawing.text((at.0 + 16.0, at.1), Anchor::Start, 12, &series.name);
        at.1 += 20.0;
    }
    let mut at = below;
    for note in notes {
        drawing.text((LEFT, at), Anchor::Start, 11, note);
        at += line_height;
    }
    drawing
}

fn short(value: f64) -> String {
    if value >= 1.0 { format::grouped(value) } else { format!("{value:.3}").trim_end_matches('0').to_owned() }
}

/// How many steps an even axis has.
const STEPS: u8 = 6;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Axis {
    /// From one power of ten to another.
    Powers { from: i32, to: i32 },
    /// From 0 on.
    Even { to: f64 },
}

impl Axis {
    /// The whole powers of ten around these values.
    fn around(values: impl Iterator<Item = f64>) -> Self {
        let powers = values.filter(|value| *value > 0.0 && value.is_finite()).map(f64::log10).collect::<Vec<_>>();
        let least = powers.iter().copied().fold(f64::INFINITY, f64::min);
        let most = powers.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        if powers.is_empty() {
            return Axis::Powers { from: 0, to: 1 };
        }
        let (from, to) = (power(least.floor()), power(most.ceil()));
        Axis::Powers { from, to: to.max(from + 1) }
    }

    fn from(self) -> f64 {
        match self {
            Axis::Powers { from, .. } => 10_f64.powi(from),
            Axis::Even { .. } => 0.0,
        }
    }

    /// Where a value stands, between 0 and 1.
    fn place(self, value: f64) -> f64 {
        let part = match self {
            Axis::Powers { from, to } => {
                (value.max(f64::MIN_POSITIVE).log10() - f64::from(from)) / f64::from(to - from)
            }
            Axis::Even { to } => value / to,
        };
        part.clamp(0.0, 1.0)
    }

    fn ticks(self) -> Vec<f64> {
        match self {
            Axis::Powers { from, to } => (from..=to).map(|power| 10_f64.powi(power)).collect(),
            Axis::Even { to } => (0..=STEPS).map(|step| to * f64::from(step) / f64::from(STEPS)).collect(),
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the logarithm of a finite number is between -324 and 309")]
fn power(logarithm: f64) -> i32 {
    logarithm as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_has_the_powers_of_ten_around_its_values() {
        for (values, from, to) in [
            (&[1.0, 1024.0][..], 0, 4),
            (&[0.5, 3.0], -1, 1),
            (&[100.0], 2, 3),
            (&[], 0, 1),
            (&[0.0, f64::NAN, 20.0], 1, 2),
        ] {
            assert_eq!(Axis::around(values.iter().copied()), Axis::Powers { from, to }, "{values:?}");
        }
        let axis = Axis::Powers { from: 0, to: 4 };
        assert_eq!((axis.place(1.0), axis.place(100.0), axis.place(1e9), axis.place(0.0)), (0.0, 0.5, 1.0, 0.0));
    }

    #[test]
    fn an_even_axis_begins_at_nothing() {
        let axis = Axis::Even { to: 600.0 };
        assert_eq!((axis.from(), axis.place(150.0), axis.place(900.0)), (0.0, 0.25, 1.0));
        assert_eq!(axis.ticks(), [0.0, 100.0, 200.0, 300.0, 400.0, 500.0, 600.0]);
    }
}
