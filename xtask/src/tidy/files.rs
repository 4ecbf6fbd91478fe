//! No unfinished work and no scratch files. Knows text, not Rust.

use super::{Problem, tree::Tree};

/// Words that mark unfinished work, in any file. Taken apart, so that this file is not one of those.
const WORDS: &[&str] = &[concat!("TO", "DO"), concat!("FIX", "ME"), concat!("X", "XX")];

/// Code that is not for keeping, in Rust files, also in their docs.
const CODE: &[&str] =
    &[concat!("to", "do!"), concat!("un", "implemented!"), concat!("db", "g!("), concat!("#[ig", "nore")];

/// Endings of files that tools leave behind.
const SCRATCH: &[&str] = &[".log", ".tmp", ".orig", ".rej", ".bak", ".swp", ".pdb", ".profraw", ".DS_Store", "~"];

/// Each mark of unfinished work and each scratch file.
pub(super) fn check(tree: &Tree) -> Vec<Problem> {
    let mut problems = Vec::new();
    for path in tree.paths().filter(|path| SCRATCH.iter().any(|ending| path.ends_with(ending))) {
        problems.push(Problem::new(path, "a file that a tool left behind", "remove it, or add it to .gitignore"));
    }
    for (path, text) in tree.texts() {
        let code = if path.ends_with(".rs") { CODE } else { &[] };
        for (number, line) in text.lines().enumerate() {
            for mark in WORDS.iter().chain(code).filter(|mark| has_word(line, mark)) {
                let remedy = "do it now, or write down elsewhere that it is to be done";
                problems.push(Problem::at(path, number, format!("`{mark}` stands for unfinished work"), remedy));
            }
        }
    }
    problems
}

/// Whether the line has the mark, not as a part of a longer word.
fn has_word(line: &str, mark: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(mark).any(|(start, _)| {
        let before = line.get(..start).and_then(|before| before.chars().next_back());
        let after = line.get(start + mark.len()..).and_then(|after| after.chars().next());
        let goes_on = mark.ends_with(is_part) && after.is_some_and(is_part);
        !(goes_on || before.is_some_and(is_part))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> Vec<String> {
        check(&Tree::of(&[(path, text)])).iter().map(Problem::to_string).collect()
    }

    #[test]
    fn each_mark_is_found_with_its_line() {
        for word in WORDS {
            assert!(found("README.md", &format!("a\nb {word}: c"))[0].starts_with("README.md:2: "), "{word}");
        }
        for mark in CODE {
            assert_eq!(found("a.rs", &format!("    {mark}\"reason\")]")).len(), 1, "{mark}");
            assert!(found("README.md", mark).is_empty(), "{mark}");
        }
    }

    #[test]
    fn a_part_of_a_word_is_no_mark() {
        for word in WORDS {
            assert!(found("a.md", &format!("{word}S A{word} {word}_")).is_empty(), "{word}");
        }
        assert!(found("a.rs", concat!("my_to", "do!()")).is_empty());
    }

    #[test]
    fn scratch_files_are_found() {
        for path in ["out.log", "dna/src/lib.rs.orig", "a.rej", "x.tmp", "notes~"] {
            assert_eq!(found(path, "").len(), 1, "{path}");
        }
        assert!(found("dna/src/log.rs", "").is_empty());
    }
}
