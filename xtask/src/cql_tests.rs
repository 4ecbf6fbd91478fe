//! `cargo xtask test --cql`: the tests that need a CQL server, with a server. Owns which tests these are, and that the
//! machine is left as it was found: a server that is started for them is stopped behind them, one that runs goes on. Who
//! says where a server is, gets none started.

use std::{ffi::OsString, process::ExitCode};

use crate::{
    cargo,
    ci::TEST_CQL,
    counts::Counts,
    error::Error,
    scylla,
    workspace::{Crate, Workspace},
};

/// The crates that may have such tests.
const CRATES: &[&str] = &["dna-storage", "dna-cluster", "dna"];
/// What the name of a test target has in it whose tests need a server.
const MARK: &str = "cql";
/// What tells them where the server is, as `address:port`. Without it they say that they were skipped.
const VARIABLE: &str = "DNA_CQL";

/// Runs the tests, passing the arguments on.
pub(crate) fn run(workspace: &Workspace, args: &[OsString]) -> Result<ExitCode, Error> {
    let (ok, counts) = run_counted(workspace, args)?;
    println!("\ntests: {counts}");
    Ok(if ok { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs the tests. Answers whether all is well, and how many they were.
pub(crate) fn run_counted(workspace: &Workspace, args: &[OsString]) -> Result<(bool, Counts), Error> {
    let Some(args) = cargo_args(&workspace.crates, args) else {
        eprintln!("no crate has a test target with `{MARK}` in its name: nothing to run");
        return Ok((true, Counts::default()));
    };
    let mut command = cargo::cargo(&workspace.root, args);
    if let Some(contact) = std::env::var_os(VARIABLE) {
        eprintln!("the server is that of {VARIABLE}: {}", contact.to_string_lossy());
        let (status, counts) = cargo::run_counted(&mut command)?;
        return Ok((status.success(), counts));
    }
    let server = scylla::up(workspace, &scylla::UpOptions::for_tests()).map_err(|why| Error::NoServer { why })?;
    let result = cargo::run_counted(command.env(VARIABLE, server.contact.to_string()));
    let ok = result.as_ref().is_ok_and(|(status, _)| status.success());
    if let Some(down) = server.undo(ok) {
        scylla::down(workspace, &down)?;
    }
    let (status, counts) = result?;
    Ok((status.success(), counts))
}

/// What to say behind tests that ran without a server: which of them have shown nothing. `None` if none has.
pub(crate) fn skipped(workspace: &Workspace) -> Option<String> {
    let targets = targets(&workspace.crates).map(|(krate, tests)| format!("{} ({})", krate.name, tests.join(", ")));
    let targets = targets.collect::<Vec<_>>();
    (std::env::var_os(VARIABLE).is_none() && !targets.is_empty()).then(|| {
        let targets = targets.join("; ");
        format!("skipped, though counted as passed: what needs a CQL server: {targets}. `{TEST_CQL}` runs it with one")
    })
}

/// The test targets that need a server, by crate.
fn targets(crates: &[Crate]) -> impl Iterator<Item = (&Crate, Vec<String>)> {
    let known = crates.iter().filter(|krate| CRATES.contains(&krate.name.as_str()));
    let marked = |krate: &Crate| krate.tests.iter().filter(|test| test.contains(MARK)).cloned().collect::<Vec<_>>();
    known.map(move |krate| (krate, marked(krate))).filter(|(_, tests)| !tests.is_empty())
}

/// The arguments for cargo; `None` if there is no such test.
fn cargo_args(crates: &[Crate], args: &[OsString]) -> Option<Vec<OsString>> {
    let mut own = vec!["test".to_owned(), "--all-features".to_owned(), "--no-fail-fast".to_owned()];
    let before = own.len();
    for (krate, tests) in targets(crates) {
        own.extend(["-p".to_owned(), krate.name.clone()]);
        own.extend(tests.into_iter().flat_map(|test| ["--test".to_owned(), test]));
    }
    if own.len() == before {
        return None;
    }
    Some(own.into_iter().map(OsString::from).chain(args.iter().cloned()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn krate(name: &str, tests: &[&str]) -> Crate {
        let tests = tests.iter().map(|test| (*test).to_owned()).collect();
        Crate { name: name.to_owned(), tests, ..Crate::default() }
    }

    #[test]
    fn the_targets_with_the_mark_are_run() {
        let crates = [
            krate("dna-storage", &["cql", "cql_crash", "model"]),
            krate("dna-core", &["cql"]),
            krate("dna", &["macros"]),
            krate("dna-cluster", &["takeover_cql"]),
        ];
        let args = cargo_args(&crates, &["deposed".into(), "--".into(), "--nocapture".into()]).unwrap();
        let line = args.iter().map(|arg| arg.to_str().unwrap()).collect::<Vec<_>>().join(" ");
        assert_eq!(
            line,
            "test --all-features --no-fail-fast -p dna-storage --test cql --test cql_crash -p dna-cluster --test \
             takeover_cql deposed -- --nocapture"
        );
    }

    #[test]
    fn without_such_a_target_nothing_is_started() {
        assert_eq!(cargo_args(&[krate("dna-storage", &["model"])], &[]), None);
    }
}
