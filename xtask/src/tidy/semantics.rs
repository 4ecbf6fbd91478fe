//! What SEMANTICS.md promises is proved: each of its lines names a test, and that test exists.
//!
//! A line names its proof as (test: `name`) or (tests: `one`, `two`); a path in front of a name helps the reader. Names
//! are checked in README.md, too, where it has any.

use std::collections::BTreeSet;

use super::{Problem, documents, tree::Tree};

/// Sections that promise nothing, so that their lines need no proof.
const FREE: &[&str] = &["Assumptions", "Not promised", "Glossary"];

/// What a list of tests begins with.
const MARKS: &[&str] = &["(test:", "(tests:"];

const FILE: &str = "SEMANTICS.md";

/// Each promise without a proof, and each proof that does not exist.
pub(super) fn check(tree: &Tree) -> Vec<Problem> {
    let functions = tree.rust().flat_map(|(_, text)| functions(text)).collect::<BTreeSet<_>>();
    let Some(semantics) = tree.text(FILE) else {
        return vec![Problem::new(FILE, "the document is missing", "say in it what `Ok` and each error mean")];
    };

    let mut problems = Vec::new();
    for (number, line) in unproved(semantics) {
        let what = format!("`{line}` names no test");
        problems.push(Problem::at(FILE, number, what, "add (test: `name_of_the_test`), or take the promise back"));
    }
    if markers(semantics).is_empty() {
        problems.push(Problem::new(FILE, "no line names a test", "add (test: `name_of_the_test`) to each promise"));
    }
    for file in [FILE, "README.md"] {
        for (number, name) in tree.text(file).map(markers).unwrap_or_default() {
            let function = name.rsplit("::").next().unwrap_or(&name);
            if !functions.contains(function) {
                let what = format!("there is no test `{name}`");
                problems.push(Problem::at(file, number, what, "name one that exists, or write it"));
            }
        }
    }
    problems
}

/// The list items and table rows that must name a test and do not, with their lines.
fn unproved(text: &str) -> Vec<(usize, String)> {
    let mut open: Vec<(usize, String, bool)> = Vec::new();
    let mut free_level = None;
    let mut in_item = false;
    let lines = documents::prose(text).collect::<Vec<_>>();
    for (index, (number, line)) in lines.iter().enumerate() {
        let trimmed = line.trim();
        if trimmed.starts_with('#') {
            let heading = trimmed.trim_start_matches('#');
            let level = trimmed.len() - heading.len();
            // What stands below a free section is free, too.
            if free_level.is_none_or(|free| level <= free) {
                free_level = FREE.iter().any(|free| free.eq_ignore_ascii_case(heading.trim())).then_some(level);
            }
            in_item = false;
        } else if trimmed.is_empty() {
            in_item = in_item && lines.get(index + 1).is_some_and(|(_, next)| next.starts_with("  "));
        } else if free_level.is_some() {
        } else if is_item(line) || is_row(trimmed, lines.get(index + 1).map(|(_, next)| next.trim())) {
            in_item = true;
            open.push((*number, trimmed.to_owned(), false));
        } else if trimmed.starts_with('|') {
            in_item = false;
        }
        if in_item && let Some((_, _, is_proved)) = open.last_mut() {
            *is_proved = *is_proved || MARKS.iter().any(|mark| names_follow(line, mark));
        }
    }
    open.into_iter()
        .filter(|(_, _, is_proved)| !is_proved)
        .map(|(number, line, _)| (number, shortened(&line)))
        .collect()
}

/// Whether `mark` stands in a line with a name behind it, or at its end with the names in the next.
fn names_follow(line: &str, mark: &str) -> bool {
    line.split_once(mark).is_some_and(|(_, behind)| behind.starts_with(" `") || behind.trim().is_empty())
}

/// Whether a list item begins here that stands on its own; one below another belongs to that one.
fn is_item(line: &str) -> bool {
    let digits = line.trim_start_matches(|c: char| c.is_ascii_digit());
    let is_numbered = digits.len() < line.len() && (digits.starts_with(". ") || digits.starts_with(") "));
    is_numbered || ["- ", "* ", "+ "].iter().any(|bullet| line.starts_with(bullet))
}

/// Whether this is a row of a table, and neither its head nor the line below that.
fn is_row(line: &str, next: Option<&str>) -> bool {
    let is_rule = |line: &str| line.starts_with('|') && line.chars().all(|c| "|-: ".contains(c));
    line.starts_with('|') && !is_rule(line) && !next.is_some_and(is_rule)
}

fn shortened(line: &str) -> String {
    if line.chars().count() <= 60 { line.to_owned() } else { line.chars().take(57).chain("...".chars()).collect() }
}

/// The names in `(test: …)` and `(tests: …)`, with their lines. A list may go on in the next lines.
fn markers(text: &str) -> Vec<(usize, String)> {
    let mut names = Vec::new();
    let mut in_marker = false;
    for (number, line) in documents::prose(text) {
        let mut rest = line;
        loop {
            if !in_marker {
                let start = MARKS.iter().filter_map(|mark| Some((rest.find(mark)?, mark))).min();
                let Some((at, mark)) = start else { break };
                rest = rest.get(at + mark.len()..).unwrap_or_default();
                in_marker = true;
            }
            let (inside, behind) = rest.split_once(')').map_or((rest, None), |(inside, behind)| (inside, Some(behind)));
            names.extend(inside.split('`').skip(1).step_by(2).map(|name| (number, name.to_owned())));
            let Some(behind) = behind else { break };
            rest = behind;
            in_marker = false;
        }
        // A list goes on only behind a comma.
        in_marker = in_marker && line.trim_end().ends_with([',', ':']);
    }
    names
}

/// The names of the functions of a Rust file, those inside macros included.
fn functions(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices("fn ").filter_map(|(start, keyword)| {
        let before = text.get(..start)?.chars().next_back();
        let name = text.get(start + keyword.len()..)?;
        let end = name.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(name.len());
        let is_keyword = !before.is_some_and(|c| c.is_alphanumeric() || c == '_');
        name.get(..end).filter(|name| is_keyword && !name.is_empty())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TESTS: (&str, &str) = ("dna/tests/a.rs", "//! A.\n#[test]\nfn holds() {}\nasync fn holds_too<T>() {}\n");

    fn found(semantics: &str) -> Vec<String> {
        check(&Tree::of(&[TESTS, (FILE, semantics)])).iter().map(Problem::to_string).collect()
    }

    #[test]
    fn names_may_stand_in_the_line_behind_their_mark() {
        let text = "# S\n\n- One (tests:\n  `holds`, `is_missing`).\n";
        assert_eq!(unproved(text), []);
        assert_eq!(markers(text), [(3, "holds".to_owned()), (3, "is_missing".to_owned())]);
    }

    #[test]
    fn a_promise_with_a_proof_passes() {
        for text in [
            "- It holds (test: `holds`).",
            "1. It holds\n   on (tests: `dna::tests::holds`,\n   `holds_too`).",
            "- It holds.\n\n  Always (test: `holds`).",
            "- It holds\n  - in this case (test: `holds`)\n  - in that case",
            "| what | proof |\n|---|---|\n| it holds | (test: `holds`) |",
            "- It (test: `holds`)\n\n## Not promised\n\n- The moon.",
            "- It (test: `holds`)\n```text\n- a drawing\n```",
        ] {
            assert_eq!(found(text), Vec::<String>::new(), "{text}");
        }
    }

    #[test]
    fn a_promise_without_a_proof_is_named() {
        let proved = "- It holds (test: `holds`)\n";
        for (text, line) in [
            ("- The moon.", 2),
            ("\n## Errors\n\n- The moon.", 5),
            ("2. The moon.", 2),
            ("\n| what | proof |\n|---|---|\n| the moon | |", 5),
            ("- The moon.\n\nElsewhere (test: `holds`).", 2),
            ("## Not promised\n- The moon.\n## Errors\n- The moon.", 5),
            ("## Not promised\n### Of the moon\n- The moon.\n## Errors\n### Of the sun\n- The moon.", 7),
        ] {
            let found = found(&format!("{proved}{text}"));
            assert_eq!(found.len(), 1, "{text}: {found:?}");
            assert!(found[0].starts_with(&format!("SEMANTICS.md:{line}: ")), "{text}: {found:?}");
            assert!(found[0].contains("names no test"), "{found:?}");
        }
    }

    #[test]
    fn a_proof_that_does_not_exist_is_named() {
        let found = found("- It holds (tests: `holds`, `dna::a::gone`)");
        assert_eq!(found.len(), 1);
        assert!(found[0].contains("no test `dna::a::gone`"));
    }

    #[test]
    fn a_document_that_names_no_test_is_a_problem() {
        assert!(found("# Semantics\n\nIt holds.")[0].contains("no line names a test"));
        assert!(check(&Tree::default())[0].to_string().contains("the document is missing"));
    }

    #[test]
    fn names_in_readme_are_checked_too() {
        let files = [TESTS, (FILE, "- It (test: `holds`)"), ("README.md", "It (test: `gone`)")];
        assert!(check(&Tree::of(&files))[0].to_string().starts_with("README.md:1: there is no test `gone`"));
    }
}
