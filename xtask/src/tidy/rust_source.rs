//! The shape of Rust files: they open with a `//!` paragraph, stay short, and hold no unsafe code.

use std::str::FromStr;

use proc_macro2::{TokenStream, TokenTree};

use super::{Problem, tree::Tree};

/// The longest file, in lines.
const FILE_LINES_MAX: usize = 800;

/// Each file that breaks a rule.
pub(super) fn check(tree: &Tree) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (path, text) in tree.rust() {
        let first = text.lines().next().unwrap_or_default();
        if first.strip_prefix("//!").is_none_or(|rest| rest.trim().is_empty()) {
            let remedy = "open it with `//!`: what it owns, and what it must not know";
            problems.push(Problem::at(path, 0, "the file does not begin with a `//!` paragraph", remedy));
        }
        let lines = text.lines().count();
        if lines > FILE_LINES_MAX {
            let what = format!("the file has {lines} lines, at most {FILE_LINES_MAX} are allowed");
            problems.push(Problem::new(path, what, "split it by what it owns"));
        }
        if TokenStream::from_str(text).is_ok_and(has_unsafe) {
            let line = text.lines().position(|line| line.contains(KEYWORD)).unwrap_or_default();
            problems.push(Problem::at(path, line, "unsafe code", "write it in safe Rust, or use a crate that has it"));
        }
    }
    problems
}

const KEYWORD: &str = "unsafe";

/// Whether the keyword is in the code; comments are not in it, and a string is one token. A parser that names the
/// keyword, `Token![…]`, has no such code itself.
fn has_unsafe(code: TokenStream) -> bool {
    let tokens = code.into_iter().collect::<Vec<_>>();
    tokens.iter().enumerate().any(|(index, token)| match token {
        TokenTree::Ident(ident) => ident == KEYWORD,
        TokenTree::Group(group) => !is_token_macro(tokens.get(..index)) && has_unsafe(group.stream()),
        TokenTree::Punct(_) | TokenTree::Literal(_) => false,
    })
}

/// Whether the tokens before a group end in `Token!`.
fn is_token_macro(before: Option<&[TokenTree]>) -> bool {
    match before {
        Some([.., TokenTree::Ident(name), TokenTree::Punct(mark)]) => name == "Token" && mark.as_char() == '!',
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> Vec<String> {
        check(&Tree::of(&[(path, text)])).iter().map(|problem| problem.what.clone()).collect()
    }

    #[test]
    fn a_file_opens_with_its_paragraph() {
        let problem = "the file does not begin with a `//!` paragraph";
        for (path, text, expected) in [
            ("dna/src/a.rs", "//! What it owns.\n\nfn a() {}\n", None),
            ("dna/src/a.rs", "fn a() {}\n", Some(problem)),
            ("dna/src/a.rs", "//!\nfn a() {}\n", Some(problem)),
            ("dna/src/a.rs", "// Not docs.\n", Some(problem)),
            ("dna/src/a.rs", "\n//! Late.\n", Some(problem)),
            ("dna/src/a.rs", "", Some(problem)),
            ("dna/tests/ui/self_by_value.rs", "fn main() {}\n", None),
            ("dna/README.md", "# dna\n", None),
        ] {
            assert_eq!(found(path, text).first().map(String::as_str), expected, "{path}: {text:?}");
        }
    }

    #[test]
    fn a_file_has_a_longest_length() {
        let lines = |lines: usize| format!("//! A file.\n{}", "\n".repeat(lines - 1));
        assert!(found("a.rs", &lines(FILE_LINES_MAX)).is_empty());
        assert_eq!(found("a.rs", &lines(FILE_LINES_MAX + 1)), ["the file has 801 lines, at most 800 are allowed"]);
    }

    #[test]
    fn unsafe_code_is_found_but_not_the_word() {
        let code = |line: &str| format!("//! A file.\n{line}\n");
        for line in [
            "fn a() { unsafe { b() } }",
            "unsafe impl Send for A {}",
            "#[unsafe(no_mangle)] fn a() {}",
            "quote![unsafe {}]",
        ] {
            assert_eq!(found("a.rs", &code(line)), ["unsafe code"], "{line}");
        }
        for line in [
            "// no unsafe code",
            "/// unsafe { b() }\nfn a() {}",
            "#![forbid(unsafe_code)]",
            "fn a(b: C) -> bool { b.peek(Token![unsafe]) }",
            "const A: &str = \"unsafe {}\";",
        ] {
            assert!(found("a.rs", &code(line)).is_empty(), "{line}");
        }
    }
}
