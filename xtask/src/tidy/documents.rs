//! The documents: README.md has the commands of a fresh clone, and links inside the project lead somewhere.

use super::{Problem, tree::Tree};
use crate::ci::{QUICKSTART, TEST};

/// Each missing command and each link to nowhere.
pub(super) fn check(tree: &Tree) -> Vec<Problem> {
    let mut problems = Vec::new();
    match tree.text("README.md") {
        None => problems.push(Problem::new("README.md", "the document is missing", "say in it what the project is")),
        Some(readme) => {
            for command in [QUICKSTART, TEST].iter().filter(|command| !readme.contains(**command)) {
                let remedy = "show it: it is what a newcomer types, and what `cargo xtask ci` runs";
                problems.push(Problem::new("README.md", format!("`{command}` is not in it"), remedy));
            }
        }
    }
    for (path, text) in tree.texts().filter(|(path, _)| path.ends_with(".md")) {
        for (number, target) in links(text) {
            if !leads_somewhere(tree, path, target) {
                let what = format!("the link to `{target}` leads nowhere");
                problems.push(Problem::at(path, number, what, "mend the path; it counts from the file's directory"));
            }
        }
    }
    problems
}

/// The lines outside fenced code, with their numbers from 0.
pub(super) fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fence: Option<&str> = None;
    text.lines().enumerate().filter(move |(_, line)| {
        let line = line.trim_start();
        match fence {
            None => {
                fence = ["```", "~~~"].into_iter().find(|mark| line.starts_with(mark));
                fence.is_none()
            }
            Some(mark) => {
                if line.starts_with(mark) {
                    fence = None;
                }
                false
            }
        }
    })
}

/// The targets of `[text](target)` and `[text]: target`, with their lines.
fn links(text: &str) -> Vec<(usize, &str)> {
    let mut links = Vec::new();
    for (number, line) in prose(text) {
        let definition = line.trim_start().strip_prefix('[').and_then(|line| line.split_once("]: "));
        if let Some((_, target)) = definition {
            links.extend(target.split_whitespace().next().map(|target| (number, target)));
        }
        // Every second part of the line stands between backticks: it is code.
        let mut behind_code = false;
        for part in line.split('`').step_by(2) {
            let pieces = part.split("](").skip(1);
            let opening = part.strip_prefix("](").filter(|_| behind_code);
            let targets = pieces.chain(opening.filter(|_| !part.contains("](")));
            for target in targets.filter_map(|piece| piece.split([')', ' ']).next()) {
                links.push((number, target));
            }
            behind_code = true;
        }
    }
    links.retain(|(_, target)| !target.is_empty());
    links
}

fn leads_somewhere(tree: &Tree, from: &str, target: &str) -> bool {
    let target = target.trim_matches(['<', '>']);
    let path = target.split('#').next().unwrap_or(target);
    if path.is_empty() || target.contains("://") || target.starts_with("mailto:") {
        return true;
    }
    let start = if path.starts_with('/') { "" } else { from.rsplit_once('/').map_or("", |(directory, _)| directory) };
    let mut parts = start.split('/').filter(|part| !part.is_empty()).collect::<Vec<_>>();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                if parts.pop().is_none() {
                    return false;
                }
            }
            part => parts.push(part),
        }
    }
    tree.has(&parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(files: &[(&str, &str)]) -> Vec<String> {
        let readme = format!("{QUICKSTART}\n{TEST}\n");
        let tree = Tree::of(&[&[("README.md", readme.as_str())], files].concat());
        check(&tree).iter().map(Problem::to_string).collect()
    }

    #[test]
    fn links_that_lead_somewhere_pass() {
        let text = "[a](../README.md) [b](src/lib.rs#L3) [c](src) [d](https://example.org/x) [e](#top) ![f](./src/lib.rs)\n\
            [g]: ../README.md\n[`code`](src/lib.rs) `[no](link)`\n```\n[no](link)\n```\n[h](/dna/src) [i](../README.md \"title\")";
        assert_eq!(found(&[("dna/README.md", text), ("dna/src/lib.rs", "")]), Vec::<String>::new());
    }

    #[test]
    fn links_to_nowhere_are_named() {
        for link in [
            "[a](docs/x.md)",
            "[a](../../README.md)",
            "[a](lib.rs#L1)",
            "[`a`](gone)",
            "[a]: gone",
            "[a](x) [b](src/lib.rs)",
        ] {
            let found = found(&[("dna/README.md", &format!("a\n{link}")), ("dna/src/lib.rs", "")]);
            assert_eq!(found.len(), 1, "{link}: {found:?}");
            assert!(found[0].starts_with("dna/README.md:2: the link to "), "{found:?}");
        }
    }

    #[test]
    fn readme_shows_the_commands_of_a_fresh_clone() {
        let problems = check(&Tree::of(&[("README.md", QUICKSTART)]));
        assert_eq!(problems.len(), 1);
        assert!(problems[0].to_string().contains(TEST));
        assert!(check(&Tree::default())[0].to_string().contains("the document is missing"));
    }
}
