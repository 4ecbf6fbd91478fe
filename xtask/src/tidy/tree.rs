//! The files that belong to the project: what git tracks, and what it would if it were added now.

use std::{collections::BTreeMap, fs, path::Path, process::Command};

use crate::{cargo, error::Error};

/// The files, by their path from the root, with `/` between the parts. A file that is not text has no text.
#[derive(Debug, Default)]
pub(super) struct Tree {
    files: BTreeMap<String, Option<String>>,
}

impl Tree {
    /// Reads the files below the root.
    pub(super) fn read(root: &Path) -> Result<Self, Error> {
        let git = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
        let listed = cargo::output_of(Command::new("git").args(git).current_dir(root));
        let mut paths = Vec::new();
        match listed {
            Some(listed) => paths.extend(listed.split_terminator('\0').map(str::to_owned)),
            None => walk(root, "", &mut paths)?,
        }
        // A file that git still tracks may be gone from the disk.
        let files = paths.into_iter().filter(|path| root.join(path).is_file());
        let files = files.map(|path| {
            let text = fs::read_to_string(root.join(&path)).ok();
            (path, text)
        });
        Ok(Tree { files: files.collect() })
    }

    /// A tree of these files.
    #[cfg(test)]
    pub(super) fn of(files: &[(&str, &str)]) -> Self {
        let files = files.iter().map(|(path, text)| ((*path).to_owned(), Some((*text).to_owned())));
        Tree { files: files.collect() }
    }

    /// All paths.
    pub(super) fn paths(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    /// All texts, with their paths.
    pub(super) fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().filter_map(|(path, text)| Some((path.as_str(), text.as_deref()?)))
    }

    /// The Rust files that the crates are built from: all but the fixtures that a compiler is to refuse.
    pub(super) fn rust(&self) -> impl Iterator<Item = (&str, &str)> {
        self.texts().filter(|(path, _)| path.ends_with(".rs") && !path.contains("tests/ui/"))
    }

    /// The text of one file.
    pub(super) fn text(&self, path: &str) -> Option<&str> {
        self.files.get(path)?.as_deref()
    }

    /// Whether there is such a file, or a file below such a directory.
    pub(super) fn has(&self, path: &str) -> bool {
        let directory = format!("{path}/");
        let below = self.files.range(directory.clone()..).next();
        path.is_empty() || self.files.contains_key(path) || below.is_some_and(|(path, _)| path.starts_with(&directory))
    }
}

/// The paths below a directory, for a tree without git. Hidden directories other than these are not the project's.
fn walk(root: &Path, below: &str, paths: &mut Vec<String>) -> Result<(), Error> {
    let directory = root.join(below);
    let failed = |source| Error::Read { path: directory.clone(), source };
    for entry in fs::read_dir(&directory).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if below.is_empty() { name.clone() } else { format!("{below}/{name}") };
        if !entry.file_type().map_err(failed)?.is_dir() {
            paths.push(path);
        } else if name != "target" && (!name.starts_with('.') || [".ci", ".cargo", ".github"].contains(&name.as_str()))
        {
            walk(root, &path, paths)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_there_where_a_file_below_it_is() {
        let tree = Tree::of(&[("README.md", ""), ("dna/src/lib.rs", ""), ("dna-core.rs", "")]);
        for (path, expected) in [
            ("README.md", true),
            ("dna", true),
            ("dna/src", true),
            ("", true),
            ("dna-core", false),
            ("dn", false),
            ("docs", false),
        ] {
            assert_eq!(tree.has(path), expected, "{path}");
        }
    }

    #[test]
    fn a_tree_without_git_is_walked() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut paths = Vec::new();
        walk(root, "", &mut paths).unwrap();
        assert!(paths.contains(&"src/tidy/tree.rs".to_owned()));
        assert!(paths.contains(&"Cargo.toml".to_owned()));
    }
}
