//! `cargo xtask sim`: runs seeds of the simulation. Owns how many and which; what a seed does is the test's own affair.

use std::process::{Command, ExitCode};

use clap::Args;

use crate::{cargo, counts::Counts, error::Error, workspace::Workspace};

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
    let (status, counts) = cargo::run_counted(&mut command(workspace, options))?;
    if !status.success() {
        let code = status.code().and_then(|code| u8::try_from(code).ok());
        return Ok(code.map_or(ExitCode::FAILURE, ExitCode::from));
    }
    if let Err(problem) = is_shown(options.seeds, counts) {
        eprintln!("error: {problem}");
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

/// Whether tests that went well have shown something: the one test has run, and seeds in it.
fn is_shown(seeds: u64, counts: Counts) -> Result<(), String> {
    match (seeds, counts.ran()) {
        (0, _) => Err("no seed has run: none was asked for".to_owned()),
        (_, 1) => Ok(()),
        (_, ran) => Err(format!("no seed has run as asked: {ran} tests are called `{TEST}`, and not one")),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_exactly_one_test_and_a_seed_nothing_is_shown() {
        for (seeds, ran, expected) in [(300, 1, true), (300, 0, false), (300, 2, false), (0, 1, false)] {
            let counts = Counts { passed: ran, filtered: 12, ..Counts::default() };
            assert_eq!(is_shown(seeds, counts).is_ok(), expected, "{seeds} seeds, {ran} tests");
        }
    }
}
