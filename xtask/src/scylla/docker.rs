//! ScyllaDB in containers of a Docker engine. Each node's port is published on a loopback address of its own, and the
//! node names that address to drivers, so that they find all nodes as they would find Apache Cassandra's.

use std::{
    process::{Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use super::{error::Error, options::Name, settings::Settings, state::Handle};
use crate::cargo;

/// The release.
pub(super) const VERSION: &str = "2026.1.8";
/// The image of that release.
const IMAGE: &str = "scylladb/scylla:2026.1.8";

/// How long an engine may take to say that it is there.
const PROBE_SECONDS_MAX: u64 = 10;

/// Whether an engine answers, not just the client; else why not.
pub(super) fn probe() -> Result<(), String> {
    let mut command = Command::new("docker");
    command.args(["info", "--format", "{{.ServerVersion}}"]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => "`docker` is not installed".to_owned(),
        _ => format!("`docker` could not be started: {error}"),
    })?;
    let start = Instant::now();
    while child.try_wait().is_ok_and(|status| status.is_none()) {
        if start.elapsed() > Duration::from_secs(PROBE_SECONDS_MAX) {
            let _ = child.kill();
            let _ = child.wait();
            return Err(format!("`docker info` has not answered within {PROBE_SECONDS_MAX} s"));
        }
        thread::sleep(Duration::from_millis(20));
    }
    let output = child.wait_with_output().map_err(|error| error.to_string())?;
    if output.status.success() { Ok(()) } else { Err(said(&output)) }
}

/// Sees that the image is there, and fetches it if it is not.
pub(super) fn fetch() -> Result<(), Error> {
    if run(&["image", "inspect", "--format", "{{.Id}}", IMAGE]).is_ok() {
        return Ok(());
    }
    eprintln!("fetching the image {IMAGE}");
    match run(&["pull", "--quiet", IMAGE]) {
        Ok(_) => Ok(()),
        Err(Error::Docker { why, .. }) => Err(Error::NoImage { image: IMAGE, why }),
        Err(error) => Err(error),
    }
}

/// Starts node `index`.
pub(super) fn start(settings: &Settings, name: &Name, index: u8) -> Result<Handle, Error> {
    if run(&["network", "inspect", "--format", "{{.Id}}", &common(name)]).is_err() {
        run(&["network", "create", &common(name)])?;
    }
    let arguments = run_arguments(settings, name, index);
    let arguments = arguments.iter().map(String::as_str).collect::<Vec<_>>();
    Ok(Handle::Container { id: run(&arguments)?.trim().to_owned() })
}

/// Whether a container runs.
pub(super) fn runs(id: &str) -> bool {
    run(&["container", "inspect", "--format", "{{.State.Running}}", id]).is_ok_and(|answer| answer.trim() == "true")
}

/// What a container printed last.
pub(super) fn log(id: &str) -> Option<String> {
    let output = Command::new("docker").args(["logs", "--tail", "5", id]).stdin(Stdio::null()).output().ok()?;
    let text = [output.stdout, output.stderr].concat();
    Some(String::from_utf8_lossy(&text).trim_end().to_owned())
}

/// Ends a container and removes it; its data stays.
pub(super) fn stop(id: &str, kill: bool, patience: Duration) -> Result<(), Error> {
    let seconds = patience.as_secs().to_string();
    if kill {
        run(&["kill", id])?;
    } else {
        run(&["stop", "--time", &seconds, id])?;
    }
    run(&["rm", "--force", id]).map(drop)
}

/// Removes a container that has ended by itself.
pub(super) fn remove(id: &str) {
    let _ = run(&["rm", id]);
}

/// Removes the data of all nodes.
pub(super) fn wipe(settings: &Settings, name: &Name) -> Result<(), Error> {
    for index in 0..settings.nodes {
        run(&["volume", "rm", "--force", &container(name, index)])?;
    }
    let _ = run(&["network", "rm", &common(name)]);
    Ok(())
}

/// The network of an instance.
fn common(name: &Name) -> String {
    format!("dna_scylla_{name}")
}

/// The container and the volume of a node.
fn container(name: &Name, index: u8) -> String {
    format!("{}_{}", common(name), index + 1)
}

fn run_arguments(settings: &Settings, name: &Name, index: u8) -> Vec<String> {
    let (own, cql) = (container(name, index), settings.cql(index));
    let memory = format!("{}M", settings.memory_mib);
    let (volume, published) = (format!("{own}:/var/lib/scylla"), format!("{cql}:9042"));
    let (seed, ip) = (container(name, 0), cql.ip().to_string());
    let engine = ["run", "--detach", "--name", &own, "--hostname", &own, "--network", &common(name)];
    let mounts = ["--volume", &volume, "--publish", &published, IMAGE];
    let server = ["--smp", "1", "--memory", &memory, "--overprovisioned", "1", "--developer-mode", "1"];
    // Drivers would look for the port of a shard on this machine, where another instance's may be; there is one shard.
    let addresses = ["--seeds", &seed, "--broadcast-rpc-address", &ip, "--enable-shard-aware-drivers", "0"];
    let mut all = [&engine[..], &mounts, &server, &addresses].concat();
    if settings.durable {
        all.extend(["--commitlog-sync", "batch"]);
    }
    all.into_iter().map(str::to_owned).collect()
}

/// Runs `docker` and answers what it prints.
fn run(arguments: &[&str]) -> Result<String, Error> {
    let mut command = Command::new("docker");
    command.args(arguments).stdin(Stdio::null());
    let shown = cargo::shown(&command);
    let output = command.output().map_err(|source| Error::Start { command: shown.clone(), source })?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(Error::Docker { command: shown, why: said(&output) })
    }
}

/// The last thing that a failing command said.
fn said(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    match text.lines().rev().find(|line| !line.trim().is_empty()) {
        Some(line) => line.trim().to_owned(),
        None => output.status.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::scylla::{engine::Engine, settings::tests::cassandra};

    #[test]
    fn a_node_is_published_on_the_address_that_it_names_to_drivers() {
        let settings = Settings {
            engine: Engine::Scylla,
            address: Ipv4Addr::new(127, 0, 0, 11),
            port: 9142,
            memory_mib: 1024,
            ..cassandra(3)
        };
        let line = run_arguments(&settings, &"crash".parse().unwrap(), 2).join(" ");
        assert_eq!(
            line,
            "run --detach --name dna_scylla_crash_3 --hostname dna_scylla_crash_3 --network dna_scylla_crash \
             --volume dna_scylla_crash_3:/var/lib/scylla --publish 127.0.0.13:9142:9042 scylladb/scylla:2026.1.8 \
             --smp 1 --memory 1024M --overprovisioned 1 --developer-mode 1 --seeds dna_scylla_crash_1 \
             --broadcast-rpc-address 127.0.0.13 --enable-shard-aware-drivers 0"
        );
        let durable = run_arguments(&Settings { durable: true, ..settings }, &Name::default(), 0);
        assert!(durable.ends_with(&["--commitlog-sync".to_owned(), "batch".to_owned()]));
    }

    #[test]
    fn the_image_is_that_of_the_release() {
        assert_eq!(IMAGE.split_once(':'), Some(("scylladb/scylla", VERSION)));
    }
}
