//! Fetches Apache Cassandra: Maven resolves the release and its dependencies and copies the jars into one folder, once.

use std::{
    env,
    fs::{self, File},
    io,
    path::Path,
    process::{Command, Stdio},
};

use super::{cassandra::VERSION, error::Error, java};

/// The plugin that copies, by its full name, so that each machine runs the same.
const COPY: &str = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies";

/// Left out: only the server's command-line tools use them.
const LEFT_OUT: &[&str] = &["org.gridkit.jvmtool", "org.gridkit.lab", "org.perfkit.sjk.parsers"];

/// Whether the jars of the release are in this folder, all of them: it is put there in one go.
pub(super) fn is_fetched(jars: &Path) -> bool {
    jars.join(format!("cassandra-all-{VERSION}.jar")).is_file()
}

/// Fetches the jars into this folder.
pub(super) fn fetch(jars: &Path, java: &Path) -> Result<(), Error> {
    let work = jars.with_file_name(format!("fetching-{VERSION}"));
    let write = |source| Error::Write { path: work.clone(), source };
    match fs::remove_dir_all(&work) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(write(error)),
        _ => {}
    }
    let copied = work.join("jars");
    fs::create_dir_all(&copied).map_err(write)?;
    fs::write(work.join("pom.xml"), pom()).map_err(write)?;
    let log = work.join("maven.log");
    let output = File::create(&log).map_err(write)?;

    let mut maven = Command::new("mvn");
    maven.args(["--batch-mode", "--no-transfer-progress", "--file"]).arg(work.join("pom.xml")).arg(COPY);
    maven.arg("-DincludeScope=runtime").arg(format!("-DoutputDirectory={}", copied.display()));
    if let Some(home) = java::home(java).filter(|_| env::var_os("JAVA_HOME").is_none()) {
        maven.env("JAVA_HOME", home);
    }
    let errors = output.try_clone().map_err(write)?;
    let status = maven.stdin(Stdio::null()).stdout(output).stderr(errors).status();
    let status = status.map_err(|source| Error::NoMaven { source })?;
    if !status.success() || !is_fetched(&copied) {
        // The first error is the reason, those behind it are advice.
        let text = fs::read_to_string(&log).unwrap_or_default();
        let why = first_error(&text).map_or_else(|| format!("it ended with {status}"), str::to_owned);
        return Err(Error::Fetch { version: VERSION, why, log, jars: jars.to_path_buf() });
    }
    fs::rename(&copied, jars).map_err(write)?;
    let _ = fs::remove_dir_all(&work);
    Ok(())
}

/// The first error in what Maven prints.
fn first_error(text: &str) -> Option<&str> {
    text.lines().filter_map(|line| line.strip_prefix("[ERROR]")).map(str::trim).find(|line| !line.is_empty())
}

/// A project that is nothing but its one dependency.
fn pom() -> String {
    let exclusion =
        |group: &&str| format!("        <exclusion><groupId>{group}</groupId><artifactId>*</artifactId></exclusion>\n");
    let exclusions = LEFT_OUT.iter().map(exclusion).collect::<String>();
    format!(
        "<project>\n  \
           <modelVersion>4.0.0</modelVersion>\n  \
           <groupId>dna</groupId>\n  \
           <artifactId>cassandra</artifactId>\n  \
           <version>1</version>\n  \
           <packaging>pom</packaging>\n  \
           <dependencies>\n    \
             <dependency>\n      \
               <groupId>org.apache.cassandra</groupId>\n      \
               <artifactId>cassandra-all</artifactId>\n      \
               <version>{VERSION}</version>\n      \
               <exclusions>\n{exclusions}      </exclusions>\n    \
             </dependency>\n  \
           </dependencies>\n\
         </project>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_project_asks_for_the_pinned_release_without_its_tools() {
        let pom = pom();
        assert!(pom.contains("<artifactId>cassandra-all</artifactId>\n      <version>5.0.8</version>"), "{pom}");
        for group in LEFT_OUT {
            assert!(pom.contains(&format!("<exclusion><groupId>{group}</groupId>")), "{pom}");
        }
        for tag in ["project", "dependencies", "dependency", "exclusions"] {
            let count = |text: &str| pom.matches(text).count();
            assert_eq!((count(&format!("<{tag}")) > 0, count(&format!("</{tag}>"))), (true, 1), "{tag}");
        }
    }

    #[test]
    fn the_reason_is_the_first_error() {
        let text = "[INFO] Scanning\n[ERROR]\n[ERROR] Plugin x could not be resolved\n[ERROR] -> [Help 1]\n";
        assert_eq!(first_error(text), Some("Plugin x could not be resolved"));
        assert_eq!(first_error("[INFO] BUILD SUCCESS\n"), None);
    }

    #[test]
    fn a_folder_without_the_server_is_not_fetched() {
        let folder = env::temp_dir().join(format!("xtask-maven-{}", std::process::id()));
        assert!(!is_fetched(&folder));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("cassandra-all-5.0.7.jar"), "").unwrap();
        assert!(!is_fetched(&folder));
        fs::write(folder.join("cassandra-all-5.0.8.jar"), "").unwrap();
        assert!(is_fetched(&folder));
        fs::remove_dir_all(folder).unwrap();
    }
}
