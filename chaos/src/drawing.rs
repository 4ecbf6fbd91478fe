//! The availability curve, as SVG: calls answered and failed over time, how long the longest took, and what was broken
//! meanwhile.

use std::fmt::Write as _;

use crate::{
    faults::Broken,
    outages::{SPAN, Span},
};

const WIDTH: f64 = 1200.0;
const LEFT: f64 = 60.0;
const RIGHT: f64 = 20.0;
/// The upper edge and the height of each of the two panels.
const PANELS: [(f64, f64); 2] = [(40.0, 200.0), (280.0, 120.0)];
/// Where the names of what was broken begin.
const NAMES: f64 = 430.0;
const NAME_HEIGHT: f64 = 14.0;

// Told apart also by those who do not see red and green (Okabe and Ito 2008).
const ANSWERED: &str = "#0072b2";
const FAILED: &str = "#d55e00";
const BROKEN: &str = "#e69f00";

/// Draws the spans from `since` on, and what was broken.
pub(crate) fn draw(title: &str, spans: &[Span], since: u64, broken: &[Broken]) -> String {
    let seconds = spans.len() as f64 * SPAN as f64 / 1e6;
    let across = |micros: f64| LEFT + micros / 1e6 / seconds * (WIDTH - LEFT - RIGHT);
    let height = NAMES + NAME_HEIGHT * (broken.len() + 1) as f64;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" \
         role=\"img\" font-family=\"sans-serif\" font-size=\"11\">\n<rect width=\"{WIDTH}\" height=\"{height}\" \
         fill=\"#fff\"/>\n<text x=\"{LEFT}\" y=\"20\" font-size=\"14\">{}</text>\n",
        escape(title)
    );
    for (number, Broken { fault, from, until, .. }) in broken.iter().enumerate() {
        let (from, until) = (across(from.saturating_sub(since) as f64), across(until.saturating_sub(since) as f64));
        let (width, y) = ((until - from).max(1.0), NAMES + NAME_HEIGHT * (number + 1) as f64);
        for (top, tall) in PANELS {
            let _ = writeln!(
                svg,
                "<rect x=\"{from:.1}\" y=\"{top}\" width=\"{width:.1}\" height=\"{tall}\" fill=\"{BROKEN}\" \
                 fill-opacity=\"0.25\"/>"
            );
        }
        let (anchor, x) = if from > WIDTH / 2.0 { ("end", from - 4.0) } else { ("start", until.max(from + 1.0) + 4.0) };
        let name = escape(&fault.to_string());
        let _ = writeln!(
            svg,
            "<rect x=\"{from:.1}\" y=\"{:.1}\" width=\"{width:.1}\" height=\"8\" fill=\"{BROKEN}\"/>\n\
             <text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{name}</text>",
            y - 8.0
        );
    }
    let per_second = |calls: u64| calls as f64 * 1e6 / SPAN as f64;
    let answered = spans.iter().map(|span| per_second(span.answered)).collect::<Vec<_>>();
    let failed = spans.iter().map(|span| per_second(span.failed)).collect::<Vec<_>>();
    let slowest = spans.iter().map(|span| span.slowest as f64 / 1e6).collect::<Vec<_>>();
    let panels = [
        ("calls/s, by when they began: answered (blue), failed (red)", vec![(answered, ANSWERED), (failed, FAILED)]),
        ("the longest of them, seconds", vec![(slowest, ANSWERED)]),
    ];
    for ((top, tall), (what, lines)) in PANELS.into_iter().zip(panels) {
        let most = lines.iter().flat_map(|(values, _)| values).fold(1.0_f64, |most, value| most.max(*value));
        let bottom = top + tall;
        let _ = writeln!(
            svg,
            "<text x=\"{LEFT}\" y=\"{:.1}\">{what}</text>\n\
             <path d=\"M{LEFT} {top}V{bottom}H{:.1}\" fill=\"none\" stroke=\"#222\"/>\n\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{most:.0}</text>\n\
             <text x=\"{:.1}\" y=\"{bottom}\" text-anchor=\"end\">0</text>",
            top - 4.0,
            WIDTH - RIGHT,
            LEFT - 4.0,
            top + 8.0,
            LEFT - 4.0,
        );
        for (values, colour) in lines {
            let points = values.iter().enumerate().map(|(at, value)| {
                let x = across((at as f64 + 0.5) * SPAN as f64);
                format!("{x:.1},{:.1}", bottom - value / most * tall)
            });
            let points = points.collect::<Vec<_>>().join(" ");
            let _ =
                writeln!(svg, "<polyline points=\"{points}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\"/>");
        }
    }
    let (_, (top, tall)) = (PANELS[0], PANELS[1]);
    for second in (0..).map(|tens| tens * 10).take_while(|second| f64::from(*second) <= seconds) {
        let x = across(f64::from(second) * 1e6);
        let _ =
            writeln!(svg, "<text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{second} s</text>", top + tall + 14.0);
    }
    svg.push_str("</svg>\n");
    svg
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Fault;

    #[test]
    fn what_was_broken_is_named_and_every_span_has_a_point() {
        let spans = [Span { answered: 10, failed: 1, slowest: 2_000 }; 7];
        let broken = Broken { fault: Fault::PauseDatabase, process: String::new(), from: 1_000_000, until: 2_000_000 };
        let svg = draw("a < b", &spans, 0, &[broken]);
        assert!(svg.contains("database pauses") && svg.contains("a &lt; b") && svg.ends_with("</svg>\n"), "{svg}");
        let line = svg.lines().find(|line| line.starts_with("<polyline")).unwrap();
        assert_eq!(line.split(' ').filter(|word| word.contains(',')).count(), spans.len(), "{line}");
    }
}
