//! Where everything runs: a network namespace for each node and one for the database with a bridge in it, joined by veth
//! pairs; or, where that cannot be had, loopback, on which nothing can be taken apart.
//!
//! ```text
//!  node 1 (198.18.77.11) ── veth ──┐
//!  node 2 (198.18.77.12) ── veth ──┼─ bridge (198.18.77.1): the database
//!  node 3 (198.18.77.13) ── veth ──┘
//! ```
//! The addresses are of the block that is set aside for tests of networks (RFC 2544). What one sends to another is lost
//! where its neighbour table has a hardware address for that one which nobody has: silently, and in one direction.

use std::{
    ffi::OsStr,
    net::{IpAddr, Ipv4Addr},
    process::{Command, Stdio},
};

/// Something with an address of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Database,
    Node(usize),
}

/// Where everything runs. Dropped, its namespaces are removed.
#[derive(Debug)]
pub(crate) enum Ground {
    Namespaces {
        /// What the names of all of them begin with.
        prefix: String,
        nodes: usize,
    },
    Loopback,
}

/// A hardware address that no card has.
const NOBODY: &str = "02:00:00:00:00:fe";

impl Ground {
    /// Namespaces, or why there are none.
    pub(crate) fn namespaces(prefix: &str, nodes: usize) -> Result<Self, String> {
        let ground = Ground::Namespaces { prefix: prefix.to_owned(), nodes };
        // Those of a run that was killed.
        ground.remove();
        ground.make(nodes)?;
        Ok(ground)
    }

    fn make(&self, nodes: usize) -> Result<(), String> {
        let hub = self.namespace(Place::Database);
        ip(&["netns", "add", &hub])?;
        ip(&["-n", &hub, "link", "set", "lo", "up"])?;
        ip(&["-n", &hub, "link", "add", "br0", "type", "bridge"])?;
        ip(&["-n", &hub, "address", "add", &format!("{}/24", self.address(Place::Database)), "dev", "br0"])?;
        ip(&["-n", &hub, "link", "set", "br0", "up"])?;
        for node in 0..nodes {
            let (space, port) = (self.namespace(Place::Node(node)), port(node));
            ip(&["netns", "add", &space])?;
            ip(&["-n", &space, "link", "set", "lo", "up"])?;
            let pair = ["-n", &hub, "link", "add", &port, "type", "veth", "peer", "name", "eth0", "netns", &space];
            ip(&pair)?;
            ip(&["-n", &hub, "link", "set", &port, "master", "br0"])?;
            ip(&["-n", &hub, "link", "set", &port, "up"])?;
            let address = format!("{}/24", self.address(Place::Node(node)));
            ip(&["-n", &space, "address", "add", &address, "dev", "eth0"])?;
            ip(&["-n", &space, "link", "set", "eth0", "up"])?;
        }
        Ok(())
    }

    fn remove(&self) {
        if let Ground::Namespaces { nodes, .. } = self {
            for place in (0..*nodes).map(Place::Node).chain([Place::Database]) {
                // Where there is none, there is nothing to remove.
                let _ = ip(&["netns", "delete", &self.namespace(place)]);
            }
        }
    }

    fn namespace(&self, place: Place) -> String {
        match (self, place) {
            (Ground::Loopback, _) => String::new(),
            (Ground::Namespaces { prefix, .. }, Place::Database) => format!("{prefix}-hub"),
            (Ground::Namespaces { prefix, .. }, Place::Node(node)) => format!("{prefix}-{}", node + 1),
        }
    }

    pub(crate) fn has_networks(&self) -> bool {
        matches!(self, Ground::Namespaces { .. })
    }

    pub(crate) fn address(&self, place: Place) -> IpAddr {
        let last = match place {
            Place::Database => 1,
            Place::Node(node) => u8::try_from(node + 11).unwrap(),
        };
        IpAddr::V4(match self {
            Ground::Namespaces { .. } => Ipv4Addr::new(198, 18, 77, last),
            Ground::Loopback => Ipv4Addr::new(127, 0, 77, last),
        })
    }

    /// A command that runs there. Its process has the number of the child.
    pub(crate) fn command(&self, place: Place, program: impl AsRef<OsStr>) -> Command {
        if !self.has_networks() {
            return Command::new(program);
        }
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.namespace(place)]).arg(program);
        command
    }

    /// From now on what the one sends to the other is lost.
    pub(crate) fn cut(&self, from: Place, to: Place) {
        let to = self.address(to).to_string();
        let device = device(from);
        self.does(from, &["neighbour", "replace", &to, "lladdr", NOBODY, "dev", device, "nud", "permanent"]);
    }

    /// From now on it arrives again.
    pub(crate) fn mend(&self, from: Place, to: Place) {
        let to = self.address(to).to_string();
        self.does(from, &["neighbour", "delete", &to, "dev", device(from)]);
    }

    /// Pulls a node's cable.
    pub(crate) fn unplug(&self, node: usize) {
        self.does(Place::Database, &["link", "set", &port(node), "down"]);
    }

    /// Puts it in again.
    pub(crate) fn plug(&self, node: usize) {
        self.does(Place::Database, &["link", "set", &port(node), "up"]);
    }

    fn does(&self, place: Place, what: &[&str]) {
        assert!(self.has_networks(), "loopback cannot be taken apart");
        ip(&[&["-n", &self.namespace(place)], what].concat()).unwrap();
    }
}

/// The end of a node's cable at the bridge.
fn port(node: usize) -> String {
    format!("node{}", node + 1)
}

fn device(place: Place) -> &'static str {
    match place {
        Place::Database => "br0",
        Place::Node(_) => "eth0",
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        self.remove();
    }
}

fn ip(args: &[&str]) -> Result<(), String> {
    let output = Command::new("ip").args(args).stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("`ip` (of iproute2) cannot be started: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("`ip {}`: {}", args.join(" "), String::from_utf8_lossy(&output.stderr).trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_has_an_address_of_his_own_on_either_ground() {
        let namespaces = Ground::Namespaces { prefix: "unmade".to_owned(), nodes: 0 };
        for ground in [namespaces, Ground::Loopback] {
            let places = [Place::Database, Place::Node(0), Place::Node(1), Place::Node(2)];
            let mut addresses = places.map(|place| ground.address(place)).to_vec();
            addresses.dedup();
            assert_eq!(addresses.len(), 4);
            assert_eq!(addresses.iter().all(IpAddr::is_loopback), !ground.has_networks());
        }
    }
}
