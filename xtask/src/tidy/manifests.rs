//! The crates' manifests: what is the same everywhere stands once, in the root; each crate has a README, and a library
//! shows how it is used.

use toml::{Table, Value};

use super::{Problem, tree::Tree};
use crate::workspace::{Crate, Kind};

/// What each `[package]` takes from the root.
const INHERITED: &[&str] = &["version", "edition", "rust-version", "license"];

/// Each manifest that says for itself what the root says, and each crate that lacks what it should have.
pub(super) fn check(tree: &Tree, crates: &[Crate]) -> Vec<Problem> {
    crates.iter().flat_map(|krate| check_crate(tree, krate)).collect()
}

fn check_crate(tree: &Tree, krate: &Crate) -> Vec<Problem> {
    let place = format!("{}/Cargo.toml", krate.dir);
    let Some(Ok(manifest)) = tree.text(&place).map(str::parse::<Table>) else {
        return vec![Problem::new(place, "the manifest cannot be read", "see what `cargo metadata` says")];
    };
    let mut problems = Vec::new();
    let mut problem = |what: String, remedy: String| problems.push(Problem::new(place.clone(), what, remedy));

    let package = manifest.get("package").and_then(Value::as_table);
    for key in INHERITED.iter().filter(|key| !package.and_then(|package| package.get(**key)).is_some_and(inherits)) {
        problem(format!("`{key}` is not taken from the root"), format!("write `{key}.workspace = true`"));
    }
    if !manifest.get("lints").is_some_and(inherits) {
        problem("the lints are not taken from the root".to_owned(), "write `[lints]` `workspace = true`".to_owned());
    }
    for name in own_dependencies(&manifest, &krate.name) {
        let remedy = "put it in the root's `[workspace.dependencies]` and write `workspace = true` here".to_owned();
        problem(format!("the dependency `{name}` is not taken from the root"), remedy);
    }
    let says = |key: &str| package.is_some_and(|package| package.contains_key(key));
    if krate.is_library() && !says("description") {
        problem("a library without `description`".to_owned(), "say in one line what it is for".to_owned());
    }
    if !krate.is_library() && package.and_then(|package| package.get("publish")) != Some(&Value::Boolean(false)) {
        problem("a program of the workspace that could be published".to_owned(), "write `publish = false`".to_owned());
    }
    if !tree.has(&format!("{}/README.md", krate.dir)) {
        problem(format!("`{}` has no README.md", krate.name), "say in it what the crate is, alone".to_owned());
    }
    if krate.is_library() && !has_example(tree, krate) {
        let what = format!("`{}` does not show how it is used", krate.name);
        problem(what, "add an example below `examples`, or one that is a test to the docs of `lib.rs`".to_owned());
    }
    problems
}

fn inherits(value: &Value) -> bool {
    value.get("workspace") == Some(&Value::Boolean(true))
}

/// The dependencies that do not come from the root; a crate that turns on its own features for its tests may name its
/// own path.
fn own_dependencies(manifest: &Table, own_name: &str) -> Vec<String> {
    let targets = manifest.get("target").and_then(Value::as_table).into_iter().flat_map(|table| table.values());
    let tables = targets.filter_map(Value::as_table).chain([manifest]);
    let kinds = ["dependencies", "dev-dependencies", "build-dependencies"];
    let lists = tables.flat_map(|table| kinds.iter().filter_map(|kind| table.get(*kind).and_then(Value::as_table)));
    let is_own = |name: &str, value: &Value| {
        let is_itself = name == own_name && value.get("path").is_some();
        !(is_itself || inherits(value))
    };
    let own = lists.flat_map(|list| list.iter().filter(|(name, value)| is_own(name, value)));
    own.map(|(name, _)| name.clone()).collect()
}

/// Whether there is a program below `examples`, or a block of Rust in the docs of `lib.rs` that is run as a test.
fn has_example(tree: &Tree, krate: &Crate) -> bool {
    let fence =
        |line: &str| line.strip_prefix("//!").and_then(|line| line.trim().strip_prefix("```")).map(str::to_owned);
    let text = tree.text(&format!("{}/src/lib.rs", krate.dir)).unwrap_or_default();
    let opening = text.lines().filter_map(fence).step_by(2);
    let in_docs = opening.into_iter().any(|kind| matches!(kind.trim(), "" | "rust" | "no_run"));
    // A macro cannot be used in its own crate: the docs of the crate that re-exports it show it.
    let expands_elsewhere = krate.kind == Kind::ProcMacro && text.lines().filter_map(fence).next().is_some();
    !krate.examples.is_empty() || in_docs || expands_elsewhere
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "[package]\nname = 'dna'\ndescription = 'd'\nversion.workspace = true\nedition.workspace = true\n\
        rust-version = { workspace = true }\nlicense.workspace = true\n[dependencies]\nbytes.workspace = true\n\
        [dev-dependencies]\ndna = { path = '.', features = ['testing'] }\n[lints]\nworkspace = true\n";

    fn found(manifest: &str, krate: &Crate, files: &[(&str, &str)]) -> Vec<String> {
        let tree = Tree::of(&[&[("dna/Cargo.toml", manifest)], files].concat());
        check(&tree, std::slice::from_ref(krate)).iter().map(Problem::to_string).collect()
    }

    fn dna(kind: Kind) -> Crate {
        Crate {
            name: "dna".to_owned(),
            dir: "dna".to_owned(),
            kind,
            examples: vec!["quickstart".to_owned()],
            ..Crate::default()
        }
    }

    #[test]
    fn a_manifest_that_inherits_passes() {
        assert_eq!(found(GOOD, &dna(Kind::Library), &[("dna/README.md", "")]), Vec::<String>::new());
    }

    #[test]
    fn each_thing_that_is_missing_is_named() {
        for (from, to, expected) in [
            ("edition.workspace = true", "edition = '2024'", "`edition` is not taken from the root"),
            ("license.workspace = true", "license = 'MIT'", "`license` is not taken from the root"),
            ("version.workspace = true", "version = '1.0.0'", "`version` is not taken from the root"),
            ("[lints]\nworkspace = true", "", "the lints are not taken from the root"),
            ("bytes.workspace = true", "bytes = '1'", "the dependency `bytes` is not taken from the root"),
            ("dna = { path = '.'", "core = { path = '../core'", "the dependency `core` is not taken from the root"),
            ("description = 'd'", "", "a library without `description`"),
        ] {
            let found = found(&GOOD.replacen(from, to, 1), &dna(Kind::Library), &[("dna/README.md", "")]);
            assert_eq!(found.len(), 1, "{found:?}");
            assert!(found[0].contains(expected), "{found:?}");
        }
        assert!(found(GOOD, &dna(Kind::Library), &[])[0].contains("no README.md"));
        assert!(found("[package", &dna(Kind::Library), &[])[0].contains("cannot be read"));
    }

    #[test]
    fn dependencies_of_one_target_count_too() {
        let manifest = format!("{GOOD}[target.'cfg(unix)'.dependencies]\nrustix = '1'\n");
        assert!(found(&manifest, &dna(Kind::Library), &[("dna/README.md", "")])[0].contains("`rustix`"));
    }

    #[test]
    fn a_program_is_not_published() {
        let readme = [("dna/README.md", "")];
        assert!(found(GOOD, &dna(Kind::Program), &readme)[0].contains("`publish = false`"));
        let manifest = GOOD.replacen("description = 'd'", "publish = false", 1);
        assert!(found(&manifest, &dna(Kind::Program), &readme).is_empty());
    }

    #[test]
    fn a_library_shows_how_it_is_used() {
        let bare = |kind| Crate { examples: Vec::new(), ..dna(kind) };
        for (docs, kind, shown) in [
            ("//! Docs.", Kind::Library, false),
            ("//! ```\n//! let a = 1;\n//! ```", Kind::Library, true),
            ("//! ```no_run\n//! ```", Kind::Library, true),
            ("//! ```text\n//! a box\n//! ```", Kind::Library, false),
            ("//! ```ignore\n//! ```", Kind::Library, false),
            ("//! ```text\n//! ```\n//! ```rust\n//! ```", Kind::Library, true),
            ("//! ```ignore\n//! #[dna::actor]\n//! ```", Kind::ProcMacro, true),
        ] {
            let found = found(GOOD, &bare(kind), &[("dna/README.md", ""), ("dna/src/lib.rs", docs)]);
            assert_eq!(found.is_empty(), shown, "{docs}: {found:?}");
        }
    }
}
