//! The command line of the three commands, and what a value of it may be.

use std::{fmt, net::Ipv4Addr, path::PathBuf, str::FromStr};

use super::engine::Wanted;

/// What `scylla-up` is to start. What is not said is as before, or else the default.
#[derive(Debug, clap::Args)]
pub(crate) struct UpOptions {
    /// The server to run.
    #[arg(long, value_enum, default_value_t)]
    pub(super) engine: Wanted,

    /// How many nodes, on consecutive addresses: 1 or 3 [default: 1]
    #[arg(long, value_name = "1|3", value_parser = nodes)]
    pub(super) nodes: Option<u8>,

    /// The address of the first node, on loopback, or in a network for tests (198.18.0.0/15) [default: 127.0.0.1]
    #[arg(long, value_name = "IP", value_parser = own_address)]
    pub(super) address: Option<Ipv4Addr>,

    /// The port that CQL is answered on, the same on each node [default: 9042]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1024..))]
    pub(super) port: Option<u16>,

    /// Answer a write only when it is on disk, in groups of 2 ms: for tests that kill the server.
    ///
    /// Without it the commit log is synced now and then, as in the servers' own defaults: faster, and a server that is
    /// stopped by scylla-down loses nothing, but one that is killed may lose its last moments.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    pub(super) durable: Option<bool>,

    /// The memory of a node: Java's heap, or what ScyllaDB takes in all [default: 512M, ScyllaDB 1G]
    ///
    /// Take 2G or more to measure; Java then uses G1 in place of the serial collector.
    #[arg(long, value_name = "SIZE")]
    pub(super) heap: Option<Mebibytes>,

    /// What else the configuration of Apache Cassandra says: a file of lines as in cassandra.yaml, read at each start.
    ///
    /// The server has to answer OPTIONS without encryption all the same (`client_encryption_options: optional: true`).
    #[arg(long, value_name = "FILE")]
    pub(super) yaml: Option<PathBuf>,

    /// Where the data is kept, in a folder a node [default: below target/scylla]
    #[arg(long, value_name = "DIR")]
    pub(super) data_dir: Option<PathBuf>,

    /// The instance: another name is another server with data of its own, and needs another address or port.
    #[arg(long, default_value_t)]
    pub(super) name: Name,

    /// The keyspace that is made ready.
    #[arg(long, default_value = "dna", conflicts_with = "no_schema")]
    pub(super) keyspace: Name,

    /// Leave keyspace and tables alone.
    #[arg(long)]
    pub(super) no_schema: bool,

    /// The memory of a node that has none set: neither here, nor when it was first started.
    #[arg(skip)]
    pub(super) heap_at_first: Option<Mebibytes>,
}

/// What a node has in which load is measured.
const HEAP_TO_MEASURE: Mebibytes = Mebibytes(2048);

impl UpOptions {
    /// What tests need: what is there, or the default, without tables, which tests create for themselves.
    pub(crate) fn for_tests() -> Self {
        UpOptions {
            engine: Wanted::Auto,
            nodes: None,
            address: None,
            port: None,
            durable: None,
            heap: None,
            yaml: None,
            data_dir: None,
            name: Name::default(),
            keyspace: Name::default(),
            no_schema: true,
            heap_at_first: None,
        }
    }

    /// What benchmarks need: the same, with memory enough for a server that is new.
    pub(crate) fn for_benchmarks() -> Self {
        UpOptions { heap_at_first: Some(HEAP_TO_MEASURE), ..UpOptions::for_tests() }
    }
}

/// What `scylla-down` is to stop.
#[derive(Debug, clap::Args)]
pub(crate) struct DownOptions {
    /// The instance.
    #[arg(long, default_value_t)]
    pub(super) name: Name,

    /// Remove its data, its logs and the record of it.
    #[arg(long)]
    pub(super) wipe: bool,

    /// Kill it (SIGKILL), so that nothing is written any more: for tests of what survives.
    #[arg(long)]
    pub(super) kill: bool,
}

/// What `scylla-status` is to show.
#[derive(Debug, clap::Args)]
pub(crate) struct StatusOptions {
    /// Only this instance.
    #[arg(long)]
    pub(super) name: Option<Name>,
}

/// The name of an instance or keyspace: fit for a folder, a container and a statement.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Name(String);

impl Name {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// The option that names it, with a space before it; nothing for the default.
    pub(super) fn option(&self) -> String {
        if *self == Name::default() { String::new() } else { format!(" --name {self}") }
    }
}

impl Default for Name {
    fn default() -> Self {
        Name("default".to_owned())
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Name {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if text.len() <= 40 && text.starts_with(|c: char| c.is_ascii_lowercase()) && text.chars().all(fits) {
            Ok(Name(text.to_owned()))
        } else {
            Err("a name has at most 40 of a-z, 0-9 and _, and starts with a letter".to_owned())
        }
    }
}

/// An amount of memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mebibytes(pub(super) u32);

impl FromStr for Mebibytes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let lower = text.to_ascii_lowercase();
        let (number, factor) = match (lower.strip_suffix('m'), lower.strip_suffix('g')) {
            (Some(number), _) => (number, 1),
            (_, Some(number)) => (number, 1024),
            _ => ("", 1),
        };
        let mebibytes = number.parse::<u32>().ok().and_then(|number| number.checked_mul(factor));
        match mebibytes {
            Some(mebibytes @ 256..=65_536) => Ok(Mebibytes(mebibytes)),
            _ => Err("a size is written as 512M or 2G, from 256M to 64G".to_owned()),
        }
    }
}

fn nodes(text: &str) -> Result<u8, String> {
    match text {
        "1" => Ok(1),
        "3" => Ok(3),
        _ => Err("1 or 3 nodes: with two, a majority is both of them".to_owned()),
    }
}

/// Loopback, or the block that is set aside for tests of networks (RFC 2544): no machine has such an address unless
/// somebody has made a network of it, as `chaos` does.
fn own_address(text: &str) -> Result<Ipv4Addr, String> {
    let is_own = |address: &Ipv4Addr| {
        let [first, second, _, last] = address.octets();
        let is_for_tests = first == 198 && matches!(second, 18 | 19);
        (1..=250).contains(&last) && (address.is_loopback() || is_for_tests)
    };
    text.parse::<Ipv4Addr>()
        .ok()
        .filter(is_own)
        .ok_or_else(|| "an address of this machine alone, from 127.0.0.1 to 127.255.255.250".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_says_its_unit() {
        for (text, expected) in
            [("512M", Some(512)), ("2g", Some(2048)), ("64G", Some(65_536)), ("256m", Some(256)), ("255M", None)]
        {
            assert_eq!(text.parse::<Mebibytes>().ok(), expected.map(Mebibytes), "{text}");
        }
        for text in ["", "512", "M", "1.5G", "-1G", "65G", "9999999999G", "5k"] {
            assert!(text.parse::<Mebibytes>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_name_is_fit_for_a_folder_and_a_statement() {
        for text in ["default", "a", "crash_2"] {
            assert!(text.parse::<Name>().is_ok(), "{text}");
        }
        for text in ["", "..", ".jars", "a/b", "A", "2a", "a b", &"a".repeat(41)] {
            assert!(text.parse::<Name>().is_err(), "{text}");
        }
        assert_eq!(Name::default().option(), "");
        assert_eq!("crash".parse::<Name>().unwrap().option(), " --name crash");
    }

    #[test]
    fn only_addresses_that_nobody_else_reaches_are_listened_on() {
        for (text, good) in [
            ("127.0.0.1", true),
            ("127.9.8.250", true),
            ("127.0.0.251", false),
            ("127.0.0.0", false),
            ("10.0.0.1", false),
            ("198.18.77.1", true),
            ("198.20.0.1", false),
            ("0.0.0.0", false),
            ("::1", false),
        ] {
            assert_eq!(own_address(text).is_ok(), good, "{text}");
        }
        assert!(nodes("2").is_err() && nodes("3") == Ok(3));
    }
}
