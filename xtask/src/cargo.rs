//! Running cargo and other programs: shown before they start, their tests counted while they run.

use std::{
    env,
    ffi::OsStr,
    io::{self, BufRead, BufReader, Write},
    path::Path,
    process::{Command, ExitStatus, Stdio},
};

use crate::{counts::Counts, error::Error};

/// A cargo command in the workspace's root, the same cargo that runs this program.
///
/// What `cargo run` told this program about itself is taken out: build scripts that look at it would run again.
pub(crate) fn cargo<S: AsRef<OsStr>>(root: &Path, args: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(args).current_dir(root);
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")) {
            command.env_remove(name);
        }
    }
    command
}

/// Runs to the end, with the output going where this program's goes.
pub(crate) fn run(command: &mut Command) -> Result<ExitStatus, Error> {
    eprintln!("$ {}", shown(command));
    command.status().map_err(|source| Error::Start { command: shown(command), source })
}

/// Runs to the end, passing the output on and counting the tests in it.
pub(crate) fn run_counted(command: &mut Command) -> Result<(ExitStatus, Counts), Error> {
    eprintln!("$ {}", shown(command));
    let mut child =
        command.stdout(Stdio::piped()).spawn().map_err(|source| Error::Start { command: shown(command), source })?;
    let counts = child.stdout.take().map_or(Ok(Counts::default()), |output| pass_on(output, &mut io::stdout()));
    let status = child.wait();
    match (counts, status) {
        (Ok(counts), Ok(status)) => Ok((status, counts)),
        (Err(source), _) | (_, Err(source)) => Err(Error::Output { command: shown(command), source }),
    }
}

/// What a command prints, where it ends well.
pub(crate) fn output_of(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    if output.status.success() { String::from_utf8(output.stdout).ok() } else { None }
}

/// The command as one would type it.
pub(crate) fn shown(command: &Command) -> String {
    let mut words = Vec::new();
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            words.push(format!("{}=\"{}\"", name.to_string_lossy(), value.to_string_lossy()));
        }
    }
    let program = Path::new(command.get_program());
    words.push(program.file_name().unwrap_or(program.as_os_str()).to_string_lossy().into_owned());
    words.extend(command.get_args().map(|arg| arg.to_string_lossy().into_owned()));
    words.join(" ")
}

fn pass_on(from: impl io::Read, to: &mut impl Write) -> io::Result<Counts> {
    let mut from = BufReader::new(from);
    let mut counts = Counts::default();
    let mut line = Vec::new();
    while from.read_until(b'\n', &mut line)? > 0 {
        to.write_all(&line)?;
        to.flush()?;
        if let Some(found) = Counts::parse(&String::from_utf8_lossy(&line)) {
            counts += found;
        }
        line.clear();
    }
    Ok(counts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_passes_unchanged_and_is_counted() {
        let text =
            "running 2 tests\n\u{fffd}\ntest result: ok. 2 passed; 0 failed\n\ntest result: FAILED. 1 passed; 4 failed";
        let mut shown = Vec::new();
        let counts = pass_on(text.as_bytes(), &mut shown).unwrap();
        assert_eq!(shown, text.as_bytes());
        assert_eq!((counts.passed, counts.failed), (3, 4));
    }

    #[test]
    fn a_command_is_shown_as_one_would_type_it() {
        let mut command = Command::new("/usr/bin/cargo");
        command.args(["doc", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings").env_remove("CARGO_PKG_NAME");
        assert_eq!(shown(&command), "RUSTDOCFLAGS=\"-D warnings\" cargo doc --no-deps");
    }
}
