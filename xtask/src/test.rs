//! `cargo xtask test`: every test that needs no server. Owns which arguments cargo is given and how the sum is shown.

use std::{
    ffi::{OsStr, OsString},
    process::ExitCode,
};

use crate::{cargo, counts::Counts, cql_tests, error::Error, workspace::Workspace};

/// Runs the tests, passing the arguments on.
pub(crate) fn run(workspace: &Workspace, args: &[OsString]) -> Result<ExitCode, Error> {
    let (status, counts) = cargo::run_counted(&mut cargo::cargo(&workspace.root, cargo_args(args)))?;
    println!("\n{}", summary(counts, status.success()));
    if let Some(skipped) = cql_tests::skipped(workspace) {
        println!("{skipped}");
    }
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}

fn summary(counts: Counts, ok: bool) -> String {
    match (ok, counts) {
        (true, counts) if counts.ran() == 0 && counts.filtered > 0 => {
            format!("tests: {counts}: no test has such a name; `cargo xtask test -- --list` lists them")
        }
        (false, counts) if counts.failed == 0 => {
            format!(
                "tests: {counts}, but `cargo test` failed: something does not build, or a test binary died; see above"
            )
        }
        (_, counts) => format!("tests: {counts}"),
    }
}

/// The arguments for cargo: `--workspace --all-features --no-fail-fast`, where the given ones do not say otherwise.
fn cargo_args(args: &[OsString]) -> Vec<OsString> {
    let own = args.iter().take_while(|arg| *arg != "--").collect::<Vec<_>>();
    let has = |long: &[&str], short: Option<&str>| own.iter().any(|arg| is_option(arg, long, short));

    let mut all = vec![OsString::from("test")];
    if !has(&["--workspace", "--all", "--package", "--manifest-path"], Some("-p")) {
        all.push("--workspace".into());
    }
    if !has(&["--features", "--all-features", "--no-default-features"], Some("-F")) {
        all.push("--all-features".into());
    }
    if !has(&["--no-fail-fast"], None) {
        all.push("--no-fail-fast".into());
    }
    all.extend(args.iter().cloned());
    all
}

/// Whether the argument is one of these options: `--long`, `--long=value`, `-s`, `-svalue`.
fn is_option(arg: &OsStr, long: &[&str], short: Option<&str>) -> bool {
    let Some(arg) = arg.to_str() else { return false };
    let name = arg.split_once('=').map_or(arg, |(name, _)| name);
    long.contains(&name) || (!arg.starts_with("--") && short.is_some_and(|short| arg.starts_with(short)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_said_is_everything() {
        let table: [(&[&str], &[&str]); 8] = [
            (&[], &["--workspace", "--all-features", "--no-fail-fast"]),
            (&["crash"], &["--workspace", "--all-features", "--no-fail-fast", "crash"]),
            (&["-p", "dna-core"], &["--all-features", "--no-fail-fast", "-p", "dna-core"]),
            (&["--package=dna-core"], &["--all-features", "--no-fail-fast", "--package=dna-core"]),
            (&["-pdna", "-F", "tls"], &["--no-fail-fast", "-pdna", "-F", "tls"]),
            (&["--no-default-features"], &["--workspace", "--no-fail-fast", "--no-default-features"]),
            (
                &["--exclude", "dna", "--no-fail-fast"],
                &["--workspace", "--all-features", "--exclude", "dna", "--no-fail-fast"],
            ),
            (&["--", "-p"], &["--workspace", "--all-features", "--no-fail-fast", "--", "-p"]),
        ];
        for (given, expected) in table {
            let given = given.iter().map(OsString::from).collect::<Vec<_>>();
            let args = cargo_args(&given);
            assert_eq!(args.first().unwrap(), "test");
            assert_eq!(args[1..], *expected, "{given:?}");
        }
    }

    #[test]
    fn the_summary_tells_no_match_and_no_build_from_success() {
        let counts = |passed, failed, filtered| Counts { passed, failed, ignored: 0, filtered };
        assert_eq!(summary(counts(3, 0, 0), true), "tests: 3 passed, 0 failed");
        assert_eq!(summary(counts(3, 1, 0), false), "tests: 3 passed, 1 failed");
        assert!(summary(counts(0, 0, 9), true).contains("no test has such a name"));
        assert!(summary(counts(3, 0, 0), false).contains("`cargo test` failed"));
    }
}
