//! The rows as a file of figures, and back: an array with one object for each row and reference.

use std::{fs, path::Path};

use serde::{Deserialize, Serialize};

use crate::{error::Error, measure::Summary, row::Board};

/// A row beside one reference. A row without any stands once, with nulls.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Figure {
    pub(crate) row: String,
    pub(crate) value: f64,
    pub(crate) unit: String,
    pub(crate) min: f64,
    pub(crate) max: f64,
    pub(crate) reference: Option<String>,
    pub(crate) reference_value: Option<f64>,
    pub(crate) ratio: Option<f64>,
    /// What the ratio is to reach, or the value where there is no reference.
    #[serde(default)]
    pub(crate) target: Option<f64>,
    /// Whether it does.
    #[serde(default)]
    pub(crate) met: Option<bool>,
}

/// The figures of a board.
pub(crate) fn figures(board: &Board) -> Vec<Figure> {
    let mut figures = Vec::new();
    for row in &board.rows {
        let Some(ours) = row.summary() else { continue };
        let bare = Figure {
            row: row.spec.name.clone(),
            value: ours.median,
            unit: row.spec.unit.name().to_owned(),
            min: ours.min,
            max: ours.max,
            reference: None,
            reference_value: None,
            ratio: None,
            target: None,
            met: None,
        };
        let met = |found: Option<f64>, target: Option<f64>| Some(row.spec.unit.meets(found?, target?));
        if row.references.is_empty() || row.spec.target(None).is_some() {
            let target = row.spec.target(None);
            figures.push(Figure { target, met: met(Some(ours.median), target), ..bare.clone() });
        }
        for reference in &row.references {
            let theirs = Summary::of(&reference.values).map(|summary| summary.median);
            let ratio = row.ratio(reference).map(|ratio| ratio.median);
            let target = row.spec.target(Some(&reference.name));
            figures.push(Figure {
                reference: Some(reference.name.clone()),
                reference_value: theirs,
                ratio,
                target,
                met: met(ratio, target),
                ..bare.clone()
            });
        }
    }
    figures
}

/// Writes figures to a file.
pub(crate) fn write(path: &Path, figures: &[Figure]) -> Result<(), Error> {
    let json = |source| Error::Json { path: path.to_owned(), source };
    let text = serde_json::to_string_pretty(figures).map_err(json)?;
    fs::write(path, text + "\n").map_err(Error::file(path))
}

/// Reads figures from a file.
pub(crate) fn read(path: &Path) -> Result<Vec<Figure>, Error> {
    let text = fs::read_to_string(path).map_err(Error::file(path))?;
    serde_json::from_str(&text).map_err(|source| Error::Json { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::{Class, Spec, Unit};

    fn board() -> Board {
        let mut board = Board::default();
        let row = board.row(Spec::new(2, Class::Synced, Unit::PerSecond, "puts, callers: 64"));
        row.ours.extend([100.0, 120.0, 80.0]);
        for (log, sqlite) in [(200.0, 50.0), (240.0, 40.0), (100.0, 60.0)] {
            row.reference("log", log);
            row.reference("SQLite", sqlite);
        }
        board.row(Spec::new(0, Class::Disk, Unit::Microseconds, "sync")).ours.push(90.0);
        board
    }

    #[test]
    fn one_object_for_each_row_and_reference() {
        let figures = figures(&board());
        assert_eq!(figures.len(), 3);
        let log = &figures[0];
        assert_eq!((log.row.as_str(), log.unit.as_str()), ("(2) puts, callers: 64", "1/s"));
        assert_eq!((log.value, log.min, log.max), (100.0, 80.0, 120.0));
        assert_eq!((log.reference.as_deref(), log.reference_value, log.ratio), (Some("log"), Some(200.0), Some(0.5)));
        assert_eq!(figures[1].ratio, Some(2.0));
        assert_eq!(figures[2].reference, None);
    }

    #[test]
    fn what_is_written_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("figures.json");
        let figures = figures(&board());
        write(&path, &figures).unwrap();
        assert_eq!(read(&path).unwrap(), figures);
        let value = serde_json::to_value(&figures[0]).unwrap();
        let mut fields = value.as_object().unwrap().keys().map(String::as_str).collect::<Vec<_>>();
        fields.sort_unstable();
        assert_eq!(
            fields,
            ["max", "met", "min", "ratio", "reference", "reference_value", "row", "target", "unit", "value"]
        );
    }

    #[test]
    fn another_file_is_an_error_that_says_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("other.json");
        fs::write(&path, "{}").unwrap();
        assert!(read(&path).unwrap_err().to_string().contains("give a file that `--json` has written"));
    }
}
