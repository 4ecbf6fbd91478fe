//! The pieces of a drawing: text and shapes as SVG, with everything escaped that comes from elsewhere.

use std::fmt::Write;

/// The colours of series, told apart also by those who do not see red and green (Okabe and Ito 2008).
const COLOURS: [&str; 7] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#555555"];

/// The colour of the `index`th series; DNA is the first one.
pub(super) fn colour(index: usize) -> &'static str {
    COLOURS.iter().cycle().nth(index).copied().unwrap_or("#000000")
}

/// Text that can stand between tags and in attributes.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            // XML has no way to write these.
            control if control.is_control() && !matches!(control, '\n' | '\t') => {}
            other => escaped.push(other),
        }
    }
    escaped
}

/// Where a text stands towards its point.
#[derive(Debug, Clone, Copy)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// A drawing of some size.
#[derive(Debug)]
pub(super) struct Drawing {
    width: f64,
    height: f64,
    shapes: String,
}

impl Drawing {
    pub(super) fn new(width: f64, height: f64) -> Self {
        Drawing { width, height, shapes: String::new() }
    }

    fn push(&mut self, shape: std::fmt::Arguments<'_>) {
        // Writing to a string does not fail.
        let _ = self.shapes.write_fmt(shape);
        self.shapes.push('\n');
    }

    pub(super) fn line(&mut self, from: (f64, f64), to: (f64, f64), colour: &str, width: f64) {
        let ((x1, y1), (x2, y2)) = (from, to);
        self.push(format_args!(
            r#"<line x1="{x1:.1}" y1="{y1:.1}" x2="{x2:.1}" y2="{y2:.1}" stroke="{colour}" stroke-width="{width}"/>"#
        ));
    }

    pub(super) fn path(&mut self, points: &[(f64, f64)], colour: &str, width: f64) {
        let points = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect::<Vec<_>>().join(" ");
        self.push(format_args!(
            r#"<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="{width}"/>"#
        ));
    }

    /// A dot, with what a pointer that rests on it shows.
    pub(super) fn dot(&mut self, (x, y): (f64, f64), colour: &str, about: &str) {
        let about = escape(about);
        self.push(format_args!(
            r#"<circle cx="{x:.1}" cy="{y:.1}" r="3.5" fill="{colour}"><title>{about}</title></circle>"#
        ));
    }

    pub(super) fn rect(&mut self, (x, y): (f64, f64), (width, height): (f64, f64), colour: &str) {
        self.push(format_args!(
            r#"<rect x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{height:.1}" fill="{colour}"/>"#
        ));
    }

    pub(super) fn text(&mut self, (x, y): (f64, f64), anchor: Anchor, size: u8, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let text = escape(text);
        self.push(format_args!(
            r##"<text x="{x:.1}" y="{y:.1}" text-anchor="{anchor}" font-size="{size}" fill="#222">{text}</text>"##
        ));
    }

    /// As a part of a page.
    pub(super) fn inline(&self) -> String {
        self.document("")
    }

    /// As a file of its own. The name space is a name: nobody fetches it.
    pub(super) fn file(&self) -> String {
        self.document(r#" xmlns="http://www.w3.org/2000/svg""#)
    }

    fn document(&self, name_space: &str) -> String {
        let Drawing { width, height, shapes } = self;
        format!(
            "<svg{name_space} viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" role=\"img\" \
             font-family=\"sans-serif\">\n<rect width=\"{width}\" height=\"{height}\" fill=\"#fff\"/>\n{shapes}</svg>\n"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_become_markup() {
        for (text, expected) in [
            ("a < b & \"c\"", "a &lt; b &amp; &quot;c&quot;"),
            ("</text><script>", "&lt;/text&gt;&lt;script&gt;"),
            ("it's\u{1b}[1m", "it&#39;s[1m"),
            ("µs – ≥", "µs – ≥"),
        ] {
            assert_eq!(escape(text), expected);
        }
        let mut drawing = Drawing::new(10.0, 10.0);
        drawing.text((0.0, 0.0), Anchor::Start, 12, "<script>");
        drawing.dot((0.0, 0.0), colour(0), "<b>");
        assert!(!drawing.file().contains("<script>") && !drawing.file().contains("<b>"));
    }

    #[test]
    fn only_a_file_names_its_name_space() {
        let drawing = Drawing::new(10.0, 10.0);
        assert!(drawing.file().contains("xmlns"));
        assert!(!drawing.inline().contains("://"));
    }

    #[test]
    fn every_series_has_a_colour() {
        assert_ne!(colour(0), colour(1));
        assert_eq!(colour(0), colour(COLOURS.len()));
    }
}
