//! The step `deny`: what the dependency tree may contain, as `deny.toml` says.
//!
//! Only `bans`, `licenses` and `sources` run: the advisory database has to be fetched, so its result would depend on
//! the day and the network. `cargo deny check advisories` does that part by hand.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{cargo, counts::Counts, error::Error, workspace::Workspace};

/// The version that `deny.toml` is written for.
const VERSION: &str = "0.20.2";

/// Checks the dependencies.
pub(super) fn run(workspace: &Workspace) -> Result<Counts, Error> {
    let program = tool(workspace)?;
    let mut command = Command::new(program);
    command.args(["--all-features", "check", "--hide-inclusion-graph", "bans", "licenses", "sources"]);
    let status = cargo::run(command.current_dir(&workspace.root))?;
    Ok(Counts::one(status.success()))
}

/// The pinned cargo-deny: that of an earlier run, that on the PATH, or a new one below the target directory.
fn tool(workspace: &Workspace) -> Result<PathBuf, Error> {
    let tools = workspace.target.join("tools");
    let own = tools.join("bin").join(format!("cargo-deny{}", std::env::consts::EXE_SUFFIX));
    for program in [own.as_path(), Path::new("cargo-deny")] {
        if cargo::output_of(Command::new(program).arg("--version")).is_some_and(|version| is_pinned(&version)) {
            return Ok(program.to_path_buf());
        }
    }
    install(workspace, &tools)?;
    Ok(own)
}

fn is_pinned(version: &str) -> bool {
    version.split_whitespace().nth(1) == Some(VERSION)
}

/// Installs it without optimisation: it runs for a second, and a released build takes minutes.
fn install(workspace: &Workspace, tools: &Path) -> Result<(), Error> {
    let build = tools.join("build");
    let args = ["install", "cargo-deny", "--version", VERSION, "--locked", "--debug", "--force", "--quiet"];
    let mut command = cargo::cargo(&workspace.root, args);
    command.args(["--config", "profile.dev.debug=false"]);
    command.arg("--root").arg(tools).arg("--target-dir").arg(&build);
    let status = cargo::run(&mut command)?;
    match fs::remove_dir_all(&build) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => return Err(Error::Write { path: build, source }),
        _ => {}
    }
    if status.success() {
        return Ok(());
    }
    Err(Error::Missing { tool: "cargo-deny", remedy: format!("cargo install cargo-deny --version {VERSION} --locked") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_version_is_not_taken() {
        assert!(is_pinned(&format!("cargo-deny {VERSION}\n")));
        assert!(!is_pinned("cargo-deny 0.1.0\n"));
        assert!(!is_pinned(""));
    }
}
