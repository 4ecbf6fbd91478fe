//! `cargo xtask bench`: builds the benchmark program in release mode and runs it. Owns where its data files go; what is
//! measured is the program's own affair, and its arguments are passed on as they are.

use std::{
    ffi::{OsStr, OsString},
    process::ExitCode,
};

use crate::{cargo, error::Error, workspace::Workspace};

/// Runs the program with these arguments.
pub(crate) fn run(workspace: &Workspace, args: &[OsString]) -> Result<ExitCode, Error> {
    let data = workspace.target.join("bench");
    let status = cargo::run(&mut cargo::cargo(&workspace.root, cargo_args(args, data.as_os_str())))?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}

/// The arguments for cargo. The data files go below the target directory, unless it is said where.
fn cargo_args(args: &[OsString], data: &OsStr) -> Vec<OsString> {
    let args = args.strip_prefix(&[OsString::from("--")]).unwrap_or(args);
    let own = ["run", "--release", "--package", "benches", "--bin", "dna-bench", "--"];
    let mut all = own.into_iter().map(OsString::from).collect::<Vec<_>>();
    let is_dir = |arg: &OsString| arg == "--dir" || arg.to_str().is_some_and(|arg| arg.starts_with("--dir="));
    if !args.iter().any(is_dir) {
        all.extend(["--dir".into(), data.to_os_string()]);
    }
    all.extend(args.iter().cloned());
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_reach_the_program_behind_the_place_of_its_files() {
        let table: [(&[&str], &[&str]); 5] = [
            (&[], &["--dir", "target/bench"]),
            (&["--quick", "--workload", "1,2"], &["--dir", "target/bench", "--quick", "--workload", "1,2"]),
            (&["--dir", "/mnt"], &["--dir", "/mnt"]),
            (&["--", "--help"], &["--dir", "target/bench", "--help"]),
            (&["--dir=/mnt", "--quick"], &["--dir=/mnt", "--quick"]),
        ];
        for (given, expected) in table {
            let given = given.iter().map(OsString::from).collect::<Vec<_>>();
            let args = cargo_args(&given, OsStr::new("target/bench"));
            let behind = args.iter().skip_while(|arg| *arg != "--").skip(1).collect::<Vec<_>>();
            assert_eq!(behind, expected, "{given:?}");
            assert!(args.contains(&OsString::from("--release")));
        }
    }
}
