//! What can keep a CQL server from running, each with what to do about it.

use std::{io, net::SocketAddrV4, path::PathBuf, time::Duration};

/// Why a server could not be started, asked or stopped.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// ScyllaDB was asked for, and no engine runs its image.
    #[error(
        "ScyllaDB needs a Docker engine, and none answers: {why}; start one (see that `docker info` succeeds), or say \
         `--engine cassandra`"
    )]
    NoDocker { why: String },
    /// A `docker` command failed.
    #[error("`{command}` failed: {why}; see to what it says, or say `--engine cassandra`")]
    Docker { command: String, why: String },
    /// The pinned image cannot be fetched.
    #[error("the image {image} cannot be had: {why}; load it into the engine by hand, or say `--engine cassandra`")]
    NoImage { image: &'static str, why: String },
    /// An option that this engine has no use for.
    #[error("{option} does nothing with {engine}: {why}; leave it out")]
    Useless { option: &'static str, engine: &'static str, why: &'static str },
    /// Processes cannot be told apart here.
    #[error(
        "Apache Cassandra is started only where /proc tells which process is which; start a Docker engine and say \
         `--engine scylla`"
    )]
    NoProc,
    /// No JDK of the release that the server runs on.
    #[error(
        "Apache Cassandra runs on Java 17, and there is none; found: {found}. Install one (Debian: `apt-get install \
         openjdk-17-jre-headless`) or point JAVA_HOME at it; with a Docker engine, `--engine scylla` needs no Java"
    )]
    NoJava { found: String },
    /// No Maven.
    #[error(
        "Apache Cassandra is fetched with Maven, and `mvn` cannot be started: {source}. Install it (Debian: `apt-get \
         install maven`) and see that it is on the PATH; with a Docker engine, `--engine scylla` needs no Maven"
    )]
    NoMaven { source: io::Error },
    /// Maven has not fetched the server.
    #[error(
        "Maven could not fetch Apache Cassandra {version}: {why}\nSee {}; see that Maven reaches its repository (proxy \
         and mirror stand in its settings.xml), or put the jars of this release into {} by hand",
        log.display(), jars.display()
    )]
    Fetch { version: &'static str, why: String, log: PathBuf, jars: PathBuf },
    /// Another program listens where the server should.
    #[error(
        "{address} is taken by {by}; stop that, or choose another address or port, as in `--address 127.0.0.11` or \
         `--port 9142`"
    )]
    Taken { address: SocketAddrV4, by: &'static str },
    /// The machine has no such address.
    #[error(
        "nothing can listen on {address}: {source}; where only 127.0.0.1 is configured, add the others to the loopback \
         interface (macOS: `sudo ifconfig lo0 alias {ip}`), or say `--nodes 1`", ip = address.ip()
    )]
    Listen { address: SocketAddrV4, source: io::Error },
    /// What runs, or what left its data, is not what was asked for.
    #[error("{0}")]
    Differs(String),
    /// There is data that no record says anything of.
    #[error(
        "{} holds files that `scylla-up --name {name}` has not written; choose another `--data-dir`, or remove them",
        path.display()
    )]
    Foreign { path: PathBuf, name: String },
    /// A server ended while it started.
    #[error("the server on {address} ended while it started; its last words:\n{words}\nAll of it: {}", log.display())]
    Died { address: SocketAddrV4, words: String, log: PathBuf },
    /// A server does not answer in time.
    #[error(
        "the server on {address} has not answered CQL within {} s; see {}. `cargo xtask scylla-up` again waits on, \
         `cargo xtask scylla-down` stops it", waited.as_secs(), log.display()
    )]
    Silent { address: SocketAddrV4, waited: Duration, log: PathBuf },
    /// A server that was told to stop goes on.
    #[error("process {pid} does not end; see `ps -fp {pid}`, and end it by hand")]
    Unstoppable { pid: u32 },
    /// The tables could not be created.
    #[error(
        "the server runs, but keyspace `{keyspace}` is not ready: `{command}` failed, see above; mend that and repeat \
         the command, or say `--no-schema`"
    )]
    Schema { keyspace: String, command: String },
    /// The record of what runs cannot be understood.
    #[error(
        "the record {} cannot be read: {why}; see with `ps` whether a server of it still runs, stop that, and remove \
         the file's directory", path.display()
    )]
    Record { path: PathBuf, why: String },
    /// A program could not be started.
    #[error("`{command}` could not be started: {source}; see that it is installed and on the PATH")]
    Start { command: String, source: io::Error },
    /// A file or directory could not be read.
    #[error("{} cannot be read: {source}; see that it exists and is readable", path.display())]
    Read { path: PathBuf, source: io::Error },
    /// A file or directory could not be written.
    #[error("{} cannot be written: {source}; see that there is room and that it may be written", path.display())]
    Write { path: PathBuf, source: io::Error },
}
