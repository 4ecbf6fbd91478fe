//! What `#[dna::actor]` refuses and how it says so, one rule each; and what it takes.
//!
//! Where the words of an expected error are the compiler's own, they are those of one release, and are compared on that
//! one only.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

use std::{fs, path::Path, process::Command};

/// The release whose words the expected errors have.
const RUSTC: &str = "rustc 1.95.";

/// Its expected error lists the conversions into `dna::Error`, of which there is one more with the feature `scylla`.
const LISTS_CONVERSIONS: &str = "init_error_is_foreign.rs";

const TOPICS: [&str; 7] = ["block", "bounds", "hooks", "names", "options", "several", "signature"];

#[test]
fn every_broken_rule_is_told_on_its_token() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/ui/pass/*.rs");
    let is_same_compiler = rustc_version().starts_with(RUSTC);
    let mut left_out = 0;
    for topic in TOPICS {
        for entry in fs::read_dir(Path::new("tests/ui").join(topic)).unwrap() {
            let file = entry.unwrap().path();
            if file.extension().is_none_or(|extension| extension != "rs") {
                continue;
            }
            if cfg!(feature = "scylla") && file.ends_with(LISTS_CONVERSIONS) {
                println!("left {LISTS_CONVERSIONS} to a run without the feature `scylla`");
            } else if is_same_compiler || !is_compilers_word(&file.with_extension("stderr")) {
                cases.compile_fail(file);
            } else {
                left_out += 1;
            }
        }
    }
    if left_out > 0 {
        println!(
            "skipped {left_out} cases, whose expected errors are the words of {RUSTC}x: run them with that release"
        );
    }
}

fn rustc_version() -> String {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    String::from_utf8(Command::new(rustc).arg("--version").output().unwrap().stdout).unwrap()
}

/// Whether an expected error is, in part, the compiler's or another crate's.
fn is_compilers_word(expected: &Path) -> bool {
    let text = fs::read_to_string(expected).unwrap_or_default();
    ["error[E", "future cannot be", "variadic"].iter().any(|words| text.contains(words))
}
