//! The step `examples`: every example of every crate, run to its end. They are built as `cargo test` builds them, so
//! that nothing is built twice, and run in an empty directory, so that what they leave does no harm.

use std::{
    fs,
    io::BufReader,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use cargo_metadata::{Message, TargetKind};

use crate::{cargo, counts::Counts, error::Error, workspace::Workspace};

/// How long one example may run.
const EXAMPLE_SECONDS_MAX: u64 = 120;

/// Builds and runs the examples. The release build of `quickstart` is a step of its own, so it is left out here.
pub(super) fn run(workspace: &Workspace) -> Result<Counts, Error> {
    let Some(examples) = build(workspace)? else { return Ok(Counts::one(false)) };
    let mut counts = Counts::default();
    for (name, program) in examples.iter().filter(|(name, _)| name != "quickstart") {
        let directory = workspace.target.join("tools").join("examples").join(name);
        let problem = run_one(Command::new(program), &directory, Duration::from_secs(EXAMPLE_SECONDS_MAX))?;
        if let Some(problem) = &problem {
            eprintln!("error: example `{name}` {problem}");
        }
        counts += Counts::one(problem.is_none());
    }
    Ok(if counts.ran() == 0 { Counts::one(true) } else { counts })
}

/// The examples' names and programs, in order; `None` where they do not build.
fn build(workspace: &Workspace) -> Result<Option<Vec<(String, PathBuf)>>, Error> {
    if workspace.crates.iter().all(|krate| krate.examples.is_empty()) {
        return Ok(Some(Vec::new()));
    }
    let args = ["build", "--workspace", "--all-features", "--examples", "--message-format", "json-render-diagnostics"];
    let mut command = cargo::cargo(&workspace.root, args);
    let shown = cargo::shown(&command);
    eprintln!("$ {shown}");
    let start = |source| Error::Start { command: shown.clone(), source };
    let mut child = command.stdout(Stdio::piped()).spawn().map_err(start)?;

    let mut examples = Vec::new();
    if let Some(output) = child.stdout.take() {
        for message in Message::parse_stream(BufReader::new(output)) {
            let message = message.map_err(|source| Error::Output { command: shown.clone(), source })?;
            let Message::CompilerArtifact(artifact) = message else { continue };
            let Some(program) = artifact.executable else { continue };
            if artifact.target.kind.contains(&TargetKind::Example) {
                examples.push((artifact.target.name, PathBuf::from(program)));
            }
        }
    }
    examples.sort();
    let status = child.wait().map_err(|source| Error::Output { command: shown, source })?;
    Ok(status.success().then_some(examples))
}

/// Runs one to its end, or to the limit. Answers what went wrong.
fn run_one(mut command: Command, directory: &Path, limit: Duration) -> Result<Option<String>, Error> {
    let _ = fs::remove_dir_all(directory);
    fs::create_dir_all(directory).map_err(|source| Error::Write { path: directory.to_path_buf(), source })?;

    command.current_dir(directory).stdin(Stdio::null());
    let shown = cargo::shown(&command);
    eprintln!("$ {shown}");
    let failed = |source| Error::Start { command: shown.clone(), source };
    let mut child = command.spawn().map_err(failed)?;
    let start = Instant::now();
    loop {
        match child.try_wait().map_err(failed)? {
            Some(status) if status.success() => return Ok(None),
            Some(status) => return Ok(Some(format!("ended with {status}"))),
            None if start.elapsed() > limit => {
                let _ = child.kill();
                let _ = child.wait();
                return Ok(Some(format!("still ran after {} s; an example ends by itself", limit.as_secs())));
            }
            None => thread::sleep(Duration::from_millis(20)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn an_example_fails_by_its_exit_code_and_by_not_ending() {
        let directory = std::env::temp_dir().join(format!("xtask-examples-{}", std::process::id()));
        let run = |script: &str, limit| {
            let mut command = Command::new("/bin/sh");
            command.args(["-c", script]);
            run_one(command, &directory, limit).unwrap()
        };
        assert_eq!(run("exit 0", Duration::MAX), None);
        assert!(run("exit 3", Duration::MAX).unwrap().starts_with("ended with"));
        assert!(run("exec sleep 600", Duration::ZERO).unwrap().starts_with("still ran"));
        fs::remove_dir_all(&directory).unwrap();
    }
}
