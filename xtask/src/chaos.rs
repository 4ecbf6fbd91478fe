//! `cargo xtask chaos`: builds the program that breaks clusters and runs it. Owns where its files go and how it finds the
//! developer commands that start and stop its database; what is broken is the program's own affair, and its arguments are
//! passed on as they are.

use std::{
    env,
    ffi::{OsStr, OsString},
    process::ExitCode,
};

use crate::{cargo, error::Error, scylla, workspace::Workspace};

/// What tells the program where this one is.
const XTASK: &str = "DNA_XTASK";

/// Runs the program with these arguments.
pub(crate) fn run(workspace: &Workspace, args: &[OsString]) -> Result<ExitCode, Error> {
    // Its network reaches nobody who could be asked for a server.
    scylla::fetch(workspace)?;
    let dir = workspace.target.join("chaos");
    let mut command = cargo::cargo(&workspace.root, cargo_args(args, dir.as_os_str()));
    let own = env::current_exe().map_err(|source| Error::Start { command: "xtask".to_owned(), source })?;
    let code = cargo::run(command.env(XTASK, own))?.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}

/// The arguments for cargo. The files go below the target directory, unless it is said where.
fn cargo_args(args: &[OsString], dir: &OsStr) -> Vec<OsString> {
    let args = args.strip_prefix(&[OsString::from("--")]).unwrap_or(args);
    let own = ["run", "--package", "chaos", "--bin", "dna-chaos", "--", "run"];
    let mut all = own.into_iter().map(OsString::from).collect::<Vec<_>>();
    let is_dir = |arg: &OsString| arg == "--dir" || arg.to_str().is_some_and(|arg| arg.starts_with("--dir="));
    if !args.iter().any(is_dir) {
        all.extend(["--dir".into(), dir.to_os_string()]);
    }
    all.extend(args.iter().cloned());
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_reach_the_program_behind_the_place_of_its_files() {
        let table: [(&[&str], &[&str]); 3] = [
            (&[], &["run", "--dir", "target/chaos"]),
            (&["--seconds", "60"], &["run", "--dir", "target/chaos", "--seconds", "60"]),
            (&["--", "--dir=/mnt", "--help"], &["run", "--dir=/mnt", "--help"]),
        ];
        for (given, expected) in table {
            let given = given.iter().map(OsString::from).collect::<Vec<_>>();
            let args = cargo_args(&given, OsStr::new("target/chaos"));
            let behind = args.iter().skip_while(|arg| *arg != "--").skip(1).collect::<Vec<_>>();
            assert_eq!(behind, expected, "{given:?}");
        }
    }
}
