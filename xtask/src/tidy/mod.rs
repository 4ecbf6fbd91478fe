//! `cargo xtask tidy`: what the workspace asks of its own tree. Owns the list of the checks and the report. Each check
//! is a pure function over the tree or the crates, so that a test can show that it fails when it should.

mod documents;
mod files;
mod graph;
mod lib_rs;
mod manifests;
mod rust_source;
mod semantics;
mod tree;

use std::fmt;

use self::tree::Tree;
use crate::{error::Error, workspace::Workspace};

/// What is wrong, where, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    place: String,
    what: String,
    remedy: String,
}

impl Problem {
    fn new(place: impl Into<String>, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Problem { place: place.into(), what: what.into(), remedy: remedy.into() }
    }

    /// A problem in a line, counted from 0.
    fn at(path: &str, line: usize, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Problem::new(format!("{path}:{}", line + 1), what, remedy)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.place, self.what, self.remedy)
    }
}

/// Runs the checks and prints what they find. Answers the problems.
pub(crate) fn run(workspace: &Workspace) -> Result<Vec<Problem>, Error> {
    let tree = Tree::read(&workspace.root)?;
    let checks = [
        ("the crates depend only downwards", graph::check(&workspace.crates)),
        ("Rust files: opening paragraph, length, no unsafe code", rust_source::check(&tree)),
        ("lib.rs is a table of contents", lib_rs::check(&tree, &workspace.crates)),
        ("no unfinished work, no scratch files", files::check(&tree)),
        ("manifests inherit from the root", manifests::check(&tree, &workspace.crates)),
        ("SEMANTICS.md names tests that exist", semantics::check(&tree)),
        ("documents: the two commands, links", documents::check(&tree)),
    ];

    let mut problems = Vec::new();
    for (name, found) in checks {
        println!("{:<8}{name}", if found.is_empty() { "ok" } else { "FAILED" });
        for problem in &found {
            println!("    {problem}");
        }
        problems.extend(found);
    }
    match problems.len() {
        0 => println!("tidy: nothing to do"),
        1 => println!("tidy: 1 problem"),
        several => println!("tidy: {several} problems"),
    }
    Ok(problems)
}
