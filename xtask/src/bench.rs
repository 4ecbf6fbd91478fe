//! `cargo xtask bench`: builds the benchmark program in release mode and runs it. Owns where its data files go, and that
//! the CQL store has a server; what is measured is the program's own affair, and its arguments are passed on as they are.

use std::{
    env,
    ffi::{OsStr, OsString},
    process::ExitCode,
};

use crate::{cargo, error::Error, scylla, workspace::Workspace};

/// What tells the program where the CQL server is, as `address:port`.
const CONTACT: &str = "DNA_CQL";

/// Runs the program with these arguments. For the CQL store, a server that runs is used; else one is started, and stopped
/// behind the program.
pub(crate) fn run(workspace: &Workspace, args: &[OsString]) -> Result<ExitCode, Error> {
    let data = workspace.target.join("bench");
    let mut command = cargo::cargo(&workspace.root, cargo_args(args, data.as_os_str()));
    let server = if needs_server(args) && env::var_os(CONTACT).is_none() {
        Some(scylla::up(workspace, &scylla::UpOptions::for_benchmarks())?)
    } else {
        None
    };
    if let Some(server) = &server {
        command.env(CONTACT, server.contact.to_string());
    }
    let result = cargo::run(&mut command);
    let ok = result.as_ref().is_ok_and(|status| status.success());
    if let Some(down) = server.and_then(|server| server.undo(ok)) {
        scylla::down(workspace, &down)?;
    }
    let code = result?.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}

/// Whether the store is one that needs a server, and none was named.
fn needs_server(args: &[OsString]) -> bool {
    let args = args.iter().filter_map(|arg| arg.to_str()).collect::<Vec<_>>();
    let is_option = |arg: &&str, name: &str| arg.split_once('=').map_or(*arg, |(option, _)| option) == name;
    let scylla = args.contains(&"--store=scylla") || args.windows(2).any(|pair| *pair == ["--store", "scylla"]);
    scylla && !args.iter().any(|arg| is_option(arg, "--cql") || ["--help", "-h"].contains(arg))
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
    fn a_server_is_started_for_the_store_that_needs_one_and_was_not_given_it() {
        let table: [(&[&str], bool); 7] = [
            (&[], false),
            (&["--store", "embedded"], false),
            (&["--quick", "--store", "scylla"], true),
            (&["--store=scylla", "--soak", "600"], true),
            (&["--store", "scylla", "--cql", "127.0.0.7:9042"], false),
            (&["--store=scylla", "--cql=127.0.0.7:9042"], false),
            (&["--store", "scylla", "--help"], false),
        ];
        for (given, expected) in table {
            let args = given.iter().map(OsString::from).collect::<Vec<_>>();
            assert_eq!(needs_server(&args), expected, "{given:?}");
        }
    }

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
