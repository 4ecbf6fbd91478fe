//! The report: what a run has found, as files that need nothing else. `plots` decides what is drawn, `line` and `bars`
//! draw it, `page` puts the page together.

mod bars;
mod line;
mod page;
mod plots;
mod svg;

pub(crate) use self::page::{html, readme_svg};
