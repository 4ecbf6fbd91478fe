//! `cargo xtask sim`: runs seeds of the simulation. Owns how many and which; what a seed does is the test's own affair.

use std::process::{Command, ExitCode};

use clap::Args;

use crate::{cargo, error::Error, workspace::Workspace};

/// The test that runs seeds.
const TEST: &str = "every_answer_of_every_seed_is_explained";

/// Which seeds are run, and how.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// How many seeds.
    #[arg(long, default_value_t = 300, value_name = "N")]
    seeds: u64,
    /// The first of them; the others follow.
    #[arg(long, default_value_t = 0, value_name = "S")]
    from: u64,
    /// Builds in release mode first: worth it for more than some thousand seeds.
    #[arg(long)]
    release: bool,
}

/// Runs them.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<ExitCode, Error> {
    let status = cargo::run(&mut command(workspace, options))?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}

fn command(workspace: &Workspace, options: &Options) -> Command {
    let mut args = vec!["test", "--workspace", "--all-features", "--test", "simulation"];
    if options.release {
        args.push("--release");
    }
    args.extend(["--", "--exact", TEST, "--nocapture"]);
    let mut command = cargo::cargo(&workspace.root, args);
    command.env("DNA_SIM_SEEDS", options.seeds.to_string()).env("DNA_SIM_FROM", options.from.to_string());
    command
}
