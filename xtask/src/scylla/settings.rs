//! What an instance is: asked for, recorded, or by default. A pure decision; it starts nothing.

use std::{
    net::{Ipv4Addr, SocketAddrV4},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{
    engine::Engine,
    error::Error,
    options::{Name, UpOptions},
};

/// What one instance is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Settings {
    pub(super) engine: Engine,
    /// The release that ran last.
    pub(super) version: String,
    pub(super) nodes: u8,
    /// The first node's address.
    pub(super) address: Ipv4Addr,
    pub(super) port: u16,
    /// Whether a write is answered only when it is on disk.
    pub(super) durable: bool,
    pub(super) memory_mib: u32,
    /// Where each node has a folder.
    pub(super) data_dir: PathBuf,
    /// A file with more of the configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) yaml: Option<PathBuf>,
}

impl Settings {
    /// Where node `index` answers CQL.
    pub(super) fn cql(&self, index: u8) -> SocketAddrV4 {
        let [a, b, c, last] = self.address.octets();
        SocketAddrV4::new(Ipv4Addr::new(a, b, c, last.saturating_add(index)), self.port)
    }

    /// Where node `index` speaks with the others: 7000 beside CQL on 9042, and as far from it elsewhere, so that
    /// instances on one address but other ports keep out of each other's way.
    pub(super) fn internode(&self, index: u8) -> SocketAddrV4 {
        const BELOW: u16 = 9042 - 7000;
        let port = self.port.checked_sub(BELOW).filter(|port| *port >= 1024).unwrap_or(self.port.saturating_add(BELOW));
        SocketAddrV4::new(*self.cql(index).ip(), port)
    }

    /// The folder of node `index`'s data.
    pub(super) fn data_of(&self, index: u8) -> PathBuf {
        self.data_dir.join(format!("node{}", index + 1)).join("data")
    }
}

/// What is left of an instance.
#[derive(Debug, Clone, Copy)]
pub(super) struct Recorded<'a> {
    pub(super) settings: &'a Settings,
    /// Whether a node of it runs.
    pub(super) runs: bool,
}

/// What is to run: what is asked for, else what is recorded, else the default. Beside a running server nothing may
/// differ from it; beside data only what the data does not depend on.
pub(super) fn settle(
    asked: &UpOptions,
    engine: Engine,
    recorded: Option<Recorded<'_>>,
    default_dir: &Path,
) -> Result<Settings, Error> {
    let before = recorded.map(|recorded| recorded.settings);
    let running = recorded.filter(|recorded| recorded.runs).map(|recorded| recorded.settings.version.clone());
    if engine == Engine::Scylla && asked.data_dir.is_some() {
        let why = "Docker keeps the data in volumes";
        return Err(Error::Useless { option: "--data-dir", engine: "ScyllaDB", why });
    }
    if engine == Engine::Scylla && asked.yaml.is_some() {
        let why = "it is configured by its command line";
        return Err(Error::Useless { option: "--yaml", engine: "ScyllaDB", why });
    }
    let settings = Settings {
        engine,
        version: running.unwrap_or_else(|| engine.version().to_owned()),
        nodes: asked.nodes.or(before.map(|before| before.nodes)).unwrap_or(1),
        address: asked.address.or(before.map(|before| before.address)).unwrap_or(Ipv4Addr::LOCALHOST),
        port: asked.port.or(before.map(|before| before.port)).unwrap_or(9042),
        durable: asked.durable.or(before.map(|before| before.durable)).unwrap_or(false),
        memory_mib: asked
            .heap
            .map(|heap| heap.0)
            .or(before.map(|before| before.memory_mib))
            .or(asked.heap_at_first.map(|heap| heap.0))
            .unwrap_or(engine.memory_default_mib()),
        data_dir: asked
            .data_dir
            .clone()
            .or(before.map(|before| before.data_dir.clone()))
            .unwrap_or_else(|| default_dir.to_path_buf()),
        yaml: asked.yaml.clone().or(before.and_then(|before| before.yaml.clone())),
    };
    match recorded {
        Some(recorded) => refuse_differences(&settings, recorded, &asked.name).map(|()| settings),
        None => Ok(settings),
    }
}

fn refuse_differences(asked: &Settings, recorded: Recorded<'_>, name: &Name) -> Result<(), Error> {
    let before = recorded.settings;
    let mut list = Vec::new();
    let mut compare = |option: &str, before: String, asked: String| {
        if before != asked {
            list.push(format!("{option} {before}, not {asked}"));
        }
    };
    compare("--engine", before.engine.option().to_owned(), asked.engine.option().to_owned());
    compare("--nodes", before.nodes.to_string(), asked.nodes.to_string());
    compare("--address", before.address.to_string(), asked.address.to_string());
    compare("--port", before.port.to_string(), asked.port.to_string());
    compare("--data-dir", before.data_dir.display().to_string(), asked.data_dir.display().to_string());
    if recorded.runs {
        compare("--durable", before.durable.to_string(), asked.durable.to_string());
        compare("--heap", format!("{}M", before.memory_mib), format!("{}M", asked.memory_mib));
        let shown = |yaml: &Option<PathBuf>| yaml.as_ref().map_or("none".to_owned(), |yaml| yaml.display().to_string());
        compare("--yaml", shown(&before.yaml), shown(&asked.yaml));
    }
    if list.is_empty() {
        return Ok(());
    }
    let (list, option) = (list.join("; "), name.option());
    let other = "start another beside it with `--name` and `--address`";
    Err(Error::Differs(if recorded.runs {
        format!("`{name}` runs with {list}; stop it with `cargo xtask scylla-down{option}`, or {other}")
    } else {
        let wipe = format!("remove that with `cargo xtask scylla-down{option} --wipe`");
        format!("`{name}` has left data of {list}; {wipe}, leave the option out, or {other}")
    }))
}

#[cfg(test)]
pub(super) mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        options: UpOptions,
    }

    pub(crate) fn cassandra(nodes: u8) -> Settings {
        Settings {
            engine: Engine::Cassandra,
            version: "5.0.8".to_owned(),
            nodes,
            address: Ipv4Addr::LOCALHOST,
            port: 9042,
            durable: false,
            memory_mib: 512,
            data_dir: "/t/scylla/default".into(),
            yaml: None,
        }
    }

    fn asked(line: &str) -> UpOptions {
        Line::parse_from(["up"].into_iter().chain(line.split_whitespace())).options
    }

    fn settled(line: &str, recorded: Option<Recorded<'_>>) -> Result<Settings, String> {
        let engine = asked(line).engine.named().unwrap_or(Engine::Cassandra);
        let default_dir = Path::new("/t/scylla/default");
        settle(&asked(line), engine, recorded, default_dir).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_not_said_is_as_recorded_else_the_default() {
        assert_eq!(settled("", None), Ok(cassandra(1)));
        assert_eq!(settled("--engine scylla", None).unwrap().memory_mib, 1024);
        let three = Settings { durable: true, memory_mib: 2048, ..cassandra(3) };
        for runs in [true, false] {
            assert_eq!(settled("", Some(Recorded { settings: &three, runs })), Ok(three.clone()));
            let same = "--nodes 3 --durable --heap 2G --port 9042 --engine cassandra";
            assert_eq!(settled(same, Some(Recorded { settings: &three, runs })), Ok(three.clone()));
        }
    }

    #[test]
    fn a_server_that_runs_keeps_its_release_and_the_next_start_takes_the_pinned_one() {
        let before = Settings { version: "5.0.7".to_owned(), ..cassandra(1) };
        for (runs, version) in [(true, "5.0.7"), (false, "5.0.8")] {
            assert_eq!(settled("", Some(Recorded { settings: &before, runs })).unwrap().version, version);
        }
    }

    #[test]
    fn beside_a_running_server_nothing_may_differ() {
        let before = cassandra(1);
        let table = [
            ("--nodes 3", "--nodes 1, not 3"),
            ("--engine scylla", "--engine cassandra, not scylla"),
            ("--address 127.0.0.11", "--address 127.0.0.1, not 127.0.0.11"),
            ("--port 9142", "--port 9042, not 9142"),
            ("--durable", "--durable false, not true"),
            ("--heap 2G", "--heap 512M, not 2048M"),
            ("--data-dir /elsewhere", "--data-dir /t/scylla/default, not /elsewhere"),
            ("--yaml more.yaml", "--yaml none, not more.yaml"),
        ];
        for (line, expected) in table {
            let message = settled(line, Some(Recorded { settings: &before, runs: true })).unwrap_err();
            assert!(message.contains(expected) && message.contains("scylla-down"), "{line}: {message}");
        }
        let message = settled("--name crash --nodes 3", Some(Recorded { settings: &before, runs: true })).unwrap_err();
        assert!(message.contains("scylla-down --name crash`"), "{message}");
    }

    #[test]
    fn beside_data_only_what_it_does_not_depend_on_may_differ() {
        let before = cassandra(1);
        let stopped = Some(Recorded { settings: &before, runs: false });
        for (line, good) in [
            ("--durable --heap 2G --yaml more.yaml", true),
            ("--durable=false", true),
            ("--nodes 3", false),
            ("--engine scylla", false),
            ("--address 127.0.0.2", false),
            ("--port 9142", false),
            ("--data-dir /elsewhere", false),
        ] {
            let settled = settled(line, stopped);
            assert_eq!(settled.is_ok(), good, "{line}");
            assert!(settled.map_or_else(|message| message.contains("--wipe"), |_| true), "{line}");
        }
    }

    #[test]
    fn each_node_has_an_address_of_its_own_and_one_port() {
        let settings = Settings { address: Ipv4Addr::new(127, 0, 0, 11), ..cassandra(3) };
        assert_eq!(settings.cql(2).to_string(), "127.0.0.13:9042");
        assert_eq!(settings.internode(2).to_string(), "127.0.0.13:7000");
        for (port, internode) in [(9142, 7100), (3066, 1024), (3065, 5107), (1024, 3066), (65_535, 63_493)] {
            assert_eq!(Settings { port, ..cassandra(1) }.internode(0).port(), internode, "{port}");
        }
        assert_eq!(settings.data_of(0), Path::new("/t/scylla/default/node1/data"));
    }

    #[test]
    fn docker_keeps_its_own_data() {
        assert!(settled("--engine scylla --data-dir /d", None).unwrap_err().contains("volumes"));
        assert!(settled("--engine scylla --yaml more.yaml", None).unwrap_err().contains("command line"));
    }
}
