//! `cargo xtask ci`: everything that must pass before a change goes in. Owns the loop over the steps and the report;
//! what the steps are stands in `steps`.

mod deny;
mod examples;
mod steps;

use std::{
    io::IsTerminal,
    process::Command,
    time::{Duration, Instant},
};

use self::steps::{Action, Component, Step};
pub(crate) use self::steps::{QUICKSTART, TEST, TEST_CQL};
use crate::{cargo, counts::Counts, cql_tests, error::Error, tidy, workspace::Workspace};

/// What of it is to be done.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Only these steps; all where none is named.
    #[arg(value_name = "STEP")]
    only: Vec<String>,

    /// All but this step.
    #[arg(long, value_name = "STEP")]
    skip: Vec<String>,

    /// Print the steps and what they run, and do nothing.
    #[arg(long)]
    list: bool,
}

/// What became of a step.
struct Done<'a> {
    step: &'a Step,
    counts: Counts,
    elapsed: Duration,
    problem: Option<String>,
}

/// Runs the steps and reports them. Answers whether all of them passed.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<bool, Error> {
    let steps = chosen(steps::steps(&workspace.crates), options)?;
    if options.list {
        for step in &steps {
            println!("{:<12}{}", step.name, step.what);
        }
        return Ok(true);
    }

    let before = changes(workspace);
    let mut done = Vec::new();
    for (index, step) in steps.iter().enumerate() {
        heading(&format!("[{}/{}] {}: {}", index + 1, steps.len(), step.name, step.what));
        let start = Instant::now();
        let result = perform(workspace, step, before.as_deref());
        let (counts, problem) = match result {
            Ok(counts) => (counts, None),
            Err(error) => (Counts::one(false), Some(error.to_string())),
        };
        if let Some(problem) = &problem {
            eprintln!("error: {problem}");
        }
        done.push(Done { step, counts, elapsed: start.elapsed(), problem });
        if let Some(last) = done.last() {
            eprintln!("{}", line(last));
        }
    }
    println!("\n{}", report(&done));
    Ok(done.iter().all(|done| done.counts.failed == 0))
}

fn perform(workspace: &Workspace, step: &Step, before: Option<&str>) -> Result<Counts, Error> {
    match &step.action {
        Action::Cargo { args, env, component } => {
            component.map_or(Ok(()), |component| ensure(workspace, component))?;
            let status = cargo::run(cargo::cargo(&workspace.root, args).envs(env.iter().copied()))?;
            Ok(Counts::one(status.success()))
        }
        Action::Tests { args } => {
            let (status, counts) = cargo::run_counted(&mut cargo::cargo(&workspace.root, args))?;
            Ok(counts_of_tests(status.success(), counts))
        }
        Action::Cql => {
            let (ok, counts) = cql_tests::run_counted(workspace, &[])?;
            Ok(counts_of_tests(ok, counts))
        }
        Action::Tidy => Ok(Counts::one(tidy::run(workspace)?.is_empty())),
        Action::Examples => examples::run(workspace),
        Action::Deny => deny::run(workspace),
        Action::Clean => Ok(Counts::one(is_unchanged(before, changes(workspace).as_deref()))),
    }
}

/// The tests stand for the step, unless it failed without a failed test, or passed without a test.
fn counts_of_tests(ok: bool, counts: Counts) -> Counts {
    match ok {
        true if counts.ran() == 0 => counts + Counts::one(true),
        false if counts.failed == 0 => counts + Counts::one(false),
        _ => counts,
    }
}

/// The steps that were asked for, in their own order.
fn chosen(steps: Vec<Step>, options: &Options) -> Result<Vec<Step>, Error> {
    let known = |name: &String| steps.iter().any(|step| step.name == *name);
    if let Some(name) = options.only.iter().chain(&options.skip).find(|name| !known(name)) {
        let mut names = steps.iter().map(|step| step.name).collect::<Vec<_>>();
        names.dedup();
        return Err(Error::UnknownStep { name: name.clone(), known: names.join(", ") });
    }
    let is_chosen = |step: &Step| {
        let named = |names: &[String]| names.iter().any(|name| name == step.name);
        (options.only.is_empty() || named(&options.only)) && !named(&options.skip)
    };
    Ok(steps.into_iter().filter(is_chosen).collect())
}

fn ensure(workspace: &Workspace, component: Component) -> Result<(), Error> {
    let (command, name) = match component {
        Component::Rustfmt => ("fmt", "rustfmt"),
        Component::Clippy => ("clippy", "clippy"),
    };
    match cargo::output_of(&mut cargo::cargo(&workspace.root, [command, "--version"])) {
        Some(_) => Ok(()),
        None => Err(Error::Missing { tool: name, remedy: format!("rustup component add {name}") }),
    }
}

/// What git says has changed in the tree; `None` without git.
fn changes(workspace: &Workspace) -> Option<String> {
    cargo::output_of(Command::new("git").args(["status", "--porcelain"]).current_dir(&workspace.root))
}

fn is_unchanged(before: Option<&str>, after: Option<&str>) -> bool {
    match (before, after) {
        (Some(before), Some(after)) => {
            let mut new = after.lines().filter(|line| !before.lines().any(|known| known == *line)).peekable();
            let unchanged = new.peek().is_none();
            for line in new {
                eprintln!(
                    "changed by a step before this one: {line}; a test or example must leave nothing in the tree"
                );
            }
            unchanged
        }
        _ => {
            eprintln!("skipped: this is no git checkout, or git is not installed");
            true
        }
    }
}

/// One line a step, then the sum alone on the last line.
fn report(done: &[Done<'_>]) -> String {
    let mut lines = done.iter().map(line).collect::<Vec<_>>();
    let mut failed = done.iter().filter(|done| done.counts.failed > 0).map(|done| done.step.name).collect::<Vec<_>>();
    failed.dedup();
    if !failed.is_empty() {
        lines.push(format!("\nto repeat what failed: cargo xtask ci {}", failed.join(" ")));
    }
    let elapsed = done.iter().map(|done| done.elapsed).sum::<Duration>();
    lines.push(format!("\nall of it took {:.1} s", elapsed.as_secs_f64()));
    let sum = done.iter().fold(Counts::default(), |sum, done| sum + done.counts);
    lines.push(format!("{} passed, {} failed", sum.passed, sum.failed));
    lines.join("\n")
}

fn line(done: &Done<'_>) -> String {
    let result = if done.counts.failed == 0 { "ok" } else { "FAILED" };
    let mut line =
        format!("{result:<8}{:>7.1} s  {:<12}{}", done.elapsed.as_secs_f64(), done.step.name, done.step.what);
    if let Some(problem) = &done.problem {
        line = format!("{line}: {problem}");
    } else if done.counts.ran() > 1 {
        line = format!("{line}: {}", done.counts);
    }
    line
}

fn heading(text: &str) {
    if std::io::stderr().is_terminal() {
        eprintln!("\n\u{1b}[1m{text}\u{1b}[0m");
    } else {
        eprintln!("\n{text}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(name: &'static str) -> Step {
        Step { name, what: format!("about {name}"), action: Action::Tidy }
    }

    fn names(options: &Options) -> Result<Vec<&'static str>, Error> {
        let steps = chosen(vec![step("fmt"), step("bare"), step("bare"), step("docs")], options)?;
        Ok(steps.iter().map(|step| step.name).collect())
    }

    fn options(only: &[&str], skip: &[&str]) -> Options {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Options { only: owned(only), skip: owned(skip), list: false }
    }

    #[test]
    fn steps_are_chosen_by_name() {
        let table: [(&[&str], &[&str], &[&str]); 4] = [
            (&[], &[], &["fmt", "bare", "bare", "docs"]),
            (&["docs", "bare"], &[], &["bare", "bare", "docs"]),
            (&[], &["bare"], &["fmt", "docs"]),
            (&["fmt", "docs"], &["docs"], &["fmt"]),
        ];
        for (only, skip, expected) in table {
            assert_eq!(names(&options(only, skip)).unwrap(), expected);
        }
    }

    #[test]
    fn an_unknown_step_lists_the_known_ones() {
        let message = names(&options(&["format"], &[])).unwrap_err().to_string();
        assert_eq!(message, "there is no step `format`; the steps are: fmt, bare, docs");
    }

    #[test]
    fn tests_stand_for_their_step_unless_they_cannot() {
        let counts = |passed, failed| Counts { passed, failed, ..Counts::default() };
        let table = [
            (true, counts(7, 0), counts(7, 0)),
            (true, counts(0, 0), counts(1, 0)),
            (false, counts(7, 2), counts(7, 2)),
            (false, counts(7, 0), counts(7, 1)),
            (false, counts(0, 0), counts(0, 1)),
        ];
        for (ok, given, expected) in table {
            assert_eq!(counts_of_tests(ok, given), expected);
        }
    }

    #[test]
    fn the_report_ends_with_the_sum_alone() {
        let (fmt, tests) = (step("fmt"), step("tests"));
        let done = |step, passed, failed| Done {
            step,
            counts: Counts { passed, failed, ignored: 3, filtered: 0 },
            elapsed: Duration::from_secs(2),
            problem: None,
        };
        let text = report(&[done(&fmt, 1, 0), done(&tests, 40, 2)]);
        assert_eq!(text.lines().last(), Some("41 passed, 2 failed"));
        assert!(text.contains("FAILED"));
        assert!(text.contains("to repeat what failed: cargo xtask ci tests\n"));
    }

    #[test]
    fn a_file_left_behind_is_seen() {
        assert!(is_unchanged(Some(" M a.rs\n"), Some(" M a.rs\n")));
        assert!(!is_unchanged(Some(" M a.rs\n"), Some(" M a.rs\n?? cart.dna/\n")));
        assert!(is_unchanged(None, None));
    }
}
