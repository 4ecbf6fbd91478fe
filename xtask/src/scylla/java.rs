//! Finds the Java that Apache Cassandra runs on: release 17, neither older nor newer.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use super::error::Error;

/// The release whose flags `cassandra` passes. Later ones have taken out what the server needs.
const MAJOR: u32 = 17;

/// Where the systems' packages put their releases, a folder each.
const FOLDERS: &[&str] = &["/usr/lib/jvm", "/usr/java", "/opt/java", "/Library/Java/JavaVirtualMachines"];

/// The `java` to run.
pub(super) fn find() -> Result<PathBuf, Error> {
    let mut found = Vec::new();
    for java in candidates() {
        let major = output(&java).and_then(|text| major(&text));
        if major == Some(MAJOR) {
            return Ok(java);
        }
        found.push((java, major));
    }
    Err(Error::NoJava { found: described(&found) })
}

/// The folder that JAVA_HOME would name.
pub(super) fn home(java: &Path) -> Option<PathBuf> {
    let real = java.canonicalize().ok()?;
    real.parent()?.parent().map(Path::to_path_buf)
}

/// What may be a `java`, the user's own choice first.
fn candidates() -> Vec<PathBuf> {
    let program = |home: PathBuf| home.join("bin").join("java");
    let home = env::var_os("JAVA_HOME").map(|home| program(home.into()));
    let path = env::var_os("PATH").unwrap_or_default();
    let on_path = env::split_paths(&path).map(|folder| folder.join("java"));
    let mut installed = Vec::new();
    for folder in FOLDERS {
        let mut homes =
            fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect::<Vec<_>>();
        homes.sort();
        installed.extend(homes.iter().map(|home| home.join("Contents").join("Home")).map(program));
        installed.extend(homes.into_iter().map(program));
    }
    let mut seen = Vec::new();
    let all = home.into_iter().chain(on_path).chain(installed).filter(|java| java.is_file());
    all.filter(|java| {
        let real = java.canonicalize().unwrap_or_else(|_| java.clone());
        let is_new = !seen.contains(&real);
        seen.push(real);
        is_new
    })
    .collect()
}

/// What `java -version` says, which goes to stderr.
fn output(java: &Path) -> Option<String> {
    let output = Command::new(java).arg("-version").stdin(Stdio::null()).output().ok()?;
    Some(String::from_utf8_lossy(&output.stderr).into_owned())
}

/// The release in what `java -version` says: 17 in `openjdk version "17.0.15" 2025-04-15`, 8 in `"1.8.0_392"`.
fn major(text: &str) -> Option<u32> {
    let quoted = text.lines().find_map(|line| line.split_once("version \""))?.1.split('"').next()?;
    let mut numbers = quoted.split(|c: char| !c.is_ascii_digit()).map(str::parse::<u32>);
    match numbers.next()?.ok()? {
        1 => numbers.next()?.ok(),
        major => Some(major),
    }
}

fn described(found: &[(PathBuf, Option<u32>)]) -> String {
    let one = |(java, major): &(PathBuf, Option<u32>)| match major {
        Some(major) => format!("{} is Java {major}", java.display()),
        None => format!("{} does not say what it is", java.display()),
    };
    match found {
        [] => "none at all".to_owned(),
        several => several.iter().map(one).collect::<Vec<_>>().join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_release_is_read_from_what_java_says() {
        let table = [
            ("openjdk version \"17.0.15\" 2025-04-15\nOpenJDK Runtime Environment (build 17.0.15+6)", Some(17)),
            ("Picked up JAVA_TOOL_OPTIONS: -Dx\nopenjdk version \"17\" 2021-09-14", Some(17)),
            ("openjdk version \"17-ea\" 2021-09-14", Some(17)),
            ("java version \"1.8.0_392\"", Some(8)),
            ("openjdk version \"25.0.1\" 2025-10-21 LTS", Some(25)),
            ("openjdk version \"x\"", None),
            ("The operation couldn't be completed. Unable to locate a Java Runtime.", None),
            ("", None),
        ];
        for (text, expected) in table {
            assert_eq!(major(text), expected, "{text}");
        }
    }

    #[test]
    fn a_missing_java_is_told_with_what_is_there() {
        assert_eq!(described(&[]), "none at all");
        let found = [("/a/bin/java".into(), Some(25)), ("/b/bin/java".into(), None)];
        assert_eq!(described(&found), "/a/bin/java is Java 25, /b/bin/java does not say what it is");
        let message = Error::NoJava { found: described(&found) }.to_string();
        assert!(message.contains("JAVA_HOME") && message.contains("--engine scylla"), "{message}");
    }
}
