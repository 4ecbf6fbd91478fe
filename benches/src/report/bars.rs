//! The ratio to each limit as a bar that begins at 1: to the right DNA has the greater value, to the left the smaller.

use super::{
    plots::Ratio,
    svg::{Anchor, Drawing, colour},
};
use crate::format;

const WIDTH: f64 = 980.0;
const LEFT: f64 = 560.0;
const LENGTH: f64 = 300.0;
const TOP: f64 = 28.0;
const STEP: f64 = 20.0;
const GRID: &str = "#dddddd";

/// The axis goes from one to the other; what lies beyond ends there.
const RANGE: (f64, f64) = (0.01, 100.0);

/// Draws the ratios, one a line.
pub(super) fn draw(ratios: &[Ratio]) -> Drawing {
    let rows = f64::from(u16::try_from(ratios.len()).unwrap_or(u16::MAX));
    let height = TOP + rows * STEP + 8.0;
    let mut drawing = Drawing::new(WIDTH, height);
    for tick in [0.01, 0.1, 1.0, 10.0, 100.0] {
        let colour = if tick == 1.0 { "#222222" } else { GRID };
        drawing.line((place(tick), TOP - 6.0), (place(tick), height), colour, 1.0);
        drawing.text((place(tick), TOP - 10.0), Anchor::Middle, 11, &format::ratio(tick));
    }
    let mut last = None;
    let mut y = TOP;
    for ratio in ratios {
        let middle = y + STEP / 2.0;
        if last != Some(&ratio.row) {
            drawing.text((6.0, middle + 4.0), Anchor::Start, 11, &format!("{} ({})", ratio.row, ratio.direction));
            last = Some(&ratio.row);
        }
        drawing.text((LEFT - 6.0, middle + 4.0), Anchor::End, 11, &ratio.reference);
        let (from, to) = (place(1.0).min(place(ratio.ratio.median)), place(1.0).max(place(ratio.ratio.median)));
        drawing.rect((from, y + 4.0), (to - from, STEP - 8.0), colour(0));
        drawing.line((place(ratio.ratio.min), middle), (place(ratio.ratio.max), middle), colour(1), 1.5);
        drawing.text((LEFT + LENGTH + 8.0, middle + 4.0), Anchor::Start, 11, &format::ratio(ratio.ratio.median));
        y += STEP;
    }
    drawing
}

fn place(ratio: f64) -> f64 {
    let (from, to) = (RANGE.0.log10(), RANGE.1.log10());
    LEFT + (ratio.clamp(RANGE.0, RANGE.1).log10() - from) / (to - from) * LENGTH
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_stands_in_the_middle_and_nothing_beyond_the_ends() {
        assert!((place(1.0) - (LEFT + LENGTH / 2.0)).abs() < 1e-9);
        assert!((place(1e-9) - LEFT).abs() < 1e-9 && (place(1e9) - LEFT - LENGTH).abs() < 1e-9);
    }
}
