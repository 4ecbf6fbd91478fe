//! A member of the cluster, as the others see it.

use std::{collections::BTreeMap, fs, net::SocketAddr, num::NonZeroU16};

use dna_core::NodeId;
use serde::{Deserialize, Serialize};

/// A node of the cluster.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Member {
    /// Its id: one start of one process.
    pub id: NodeId,
    /// Where it listens.
    pub address: SocketAddr,
    /// Whether it takes shards.
    pub state: MemberState,
    /// The actor types that it knows, with their versions.
    pub types: BTreeMap<String, u32>,
    /// How many journals it has.
    pub lanes: NonZeroU16,
    /// The highest version that it can read, of what nodes write for each other.
    pub protocol: u16,
    /// Its share of the shards, relative to that of the others.
    pub weight: u32,
    /// The machine and network that its address belongs to, if known.
    pub machine: Option<Machine>,
}

/// Whether a member takes shards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MemberState {
    /// It does.
    Active,
    /// It is about to leave, and takes none.
    Draining,
}

/// One boot of one machine, and one network on it: where two processes cannot listen on one address.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Machine {
    /// The id that the kernel made up when it booted.
    pub boot: String,
    /// The network namespace.
    pub network: String,
}

impl Member {
    /// Whether it knows all of these types, whatever their versions.
    pub fn knows(&self, types: &BTreeMap<String, u32>) -> bool {
        types.keys().all(|kind| self.types.contains_key(kind))
    }

    /// Whether it takes shards.
    pub fn is_active(&self) -> bool {
        self.state == MemberState::Active
    }
}

impl Machine {
    /// That of this process; none where the system does not tell.
    pub fn of_this_process() -> Option<Self> {
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
        let network = fs::read_link("/proc/self/ns/net").ok()?;
        let machine = Machine { boot: boot.trim().to_owned(), network: network.to_str()?.to_owned() };
        (!machine.boot.is_empty()).then_some(machine)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn the_machine_of_this_process_is_known_and_does_not_change() {
        let machine = Machine::of_this_process().unwrap();
        assert_eq!(machine.boot.len(), 36);
        assert!(machine.network.starts_with("net:["));
        assert_eq!(Machine::of_this_process(), Some(machine));
    }
}
