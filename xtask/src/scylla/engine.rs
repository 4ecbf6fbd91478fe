//! Which server runs: ScyllaDB where a Docker engine can run its image, else Apache Cassandra.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::error::Error;

/// A server that speaks CQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Engine {
    Scylla,
    Cassandra,
}

/// Which one is asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Wanted {
    /// ScyllaDB if a Docker engine answers, else Apache Cassandra.
    #[default]
    Auto,
    /// ScyllaDB, in Docker.
    Scylla,
    /// Apache Cassandra, on Java 17.
    Cassandra,
}

impl Wanted {
    /// The engine that is named.
    pub(super) fn named(self) -> Option<Engine> {
        match self {
            Wanted::Auto => None,
            Wanted::Scylla => Some(Engine::Scylla),
            Wanted::Cassandra => Some(Engine::Cassandra),
        }
    }
}

impl Engine {
    /// The release that is started.
    pub(super) fn version(self) -> &'static str {
        match self {
            Engine::Scylla => super::docker::VERSION,
            Engine::Cassandra => super::cassandra::VERSION,
        }
    }

    /// What one node gets where nothing is said: enough for tests.
    pub(super) fn memory_default_mib(self) -> u32 {
        match self {
            Engine::Scylla => 1024,
            Engine::Cassandra => 512,
        }
    }

    /// Its value of `--engine`.
    pub(super) fn option(self) -> &'static str {
        match self {
            Engine::Scylla => "scylla",
            Engine::Cassandra => "cassandra",
        }
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Engine::Scylla => "ScyllaDB",
            Engine::Cassandra => "Apache Cassandra",
        })
    }
}

/// The engine, and why it is that one. `docker` is asked only if it matters, and answers why no engine is there.
pub(super) fn choose(
    wanted: Wanted,
    recorded: Option<Engine>,
    docker: impl FnOnce() -> Result<(), String>,
) -> Result<(Engine, String), Error> {
    match (wanted, recorded) {
        (Wanted::Auto, Some(engine)) => Ok((engine, "as before".to_owned())),
        (Wanted::Auto, None) => Ok(match docker() {
            Ok(()) => (Engine::Scylla, "a Docker engine answers".to_owned()),
            Err(why) => (Engine::Cassandra, format!("no Docker engine answers: {why}")),
        }),
        (Wanted::Scylla, _) => match docker() {
            Ok(()) => Ok((Engine::Scylla, "as asked".to_owned())),
            Err(why) => Err(Error::NoDocker { why }),
        },
        (Wanted::Cassandra, _) => Ok((Engine::Cassandra, "as asked".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_engine_is_what_is_asked_for_or_what_the_machine_can_run() {
        use Engine::{Cassandra, Scylla};
        let table = [
            (Wanted::Auto, None, true, Some((Scylla, "a Docker engine answers"))),
            (Wanted::Auto, None, false, Some((Cassandra, "no Docker engine answers: down"))),
            (Wanted::Auto, Some(Scylla), false, Some((Scylla, "as before"))),
            (Wanted::Auto, Some(Cassandra), true, Some((Cassandra, "as before"))),
            (Wanted::Scylla, None, true, Some((Scylla, "as asked"))),
            (Wanted::Scylla, None, false, None),
            (Wanted::Cassandra, None, true, Some((Cassandra, "as asked"))),
            (Wanted::Cassandra, Some(Scylla), false, Some((Cassandra, "as asked"))),
        ];
        for (wanted, recorded, docker, expected) in table {
            let probe = || if docker { Ok(()) } else { Err("down".to_owned()) };
            let chosen = choose(wanted, recorded, probe).ok();
            assert_eq!(
                chosen.as_ref().map(|(engine, why)| (*engine, why.as_str())),
                expected,
                "{wanted:?}, {recorded:?}, {docker}"
            );
        }
    }

    #[test]
    fn without_docker_the_error_names_the_other_engine() {
        let message = choose(Wanted::Scylla, None, || Err("no socket".to_owned())).unwrap_err().to_string();
        assert!(message.contains("no socket") && message.contains("--engine cassandra"), "{message}");
    }
}
