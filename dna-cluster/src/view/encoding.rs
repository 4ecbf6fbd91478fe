//! How a view is written down:
//!
//! ```text
//! ┌────────────┬──────────────────────────────────────────────┐
//! │ format: u8 │ MessagePack, a map with field names          │
//! └────────────┴──────────────────────────────────────────────┘
//! settings  { shards, agreement, lease_ms, placements { type: "hash" | "local" } }
//! members   [ { id, address, state, types { type: version }, lanes, protocol, weight, machine: nil | { boot, network } } ]
//! owners    [ nil | index in members ]    one a shard
//! epochs    [ version ]                   one a shard
//! ts        timestamp
//! ```
//!
//! A reader ignores fields that it does not know and loses them with its next change: what must outlive a change by an
//! older program needs a new format. A format is written only once every member can read it (`protocol`).

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    num::{NonZeroU16, NonZeroU32},
    time::Duration,
};

use dna_core::{
    NodeId, Outcome, Timestamp,
    limits::{JOURNAL_LANES_MAX, VIEW_BYTES_MAX},
};
use serde::{Deserialize, Serialize};

use super::{Machine, Member, MemberState, Owned, Placement, Settings, View};
use crate::limits::{
    LABEL_BYTES_MAX, LEASE_MS_MAX, LEASE_MS_MIN, MEMBER_TYPES_MAX, MEMBERS_MAX, PLACEMENTS_MAX, SHARDS_MAX,
};

/// The format that this program writes, and the highest that it reads.
pub const FORMAT: u8 = 1;

/// Why a view cannot be written or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ViewError {
    /// It was written by a newer program. Nothing was changed.
    #[error("the cluster's view has format {found}, and this program reads up to {FORMAT}; run a newer version of it")]
    Newer {
        /// Its format.
        found: u8,
    },
    /// It is not what a member has written. Nothing was changed.
    #[error("the cluster's view cannot be read ({0}); is this the keyspace of a cluster of this kind?")]
    Damaged(String),
    /// It passes a bound. Nothing was changed.
    #[error("{what} of the view: {found}, and {max} is the most; use fewer")]
    TooMany {
        /// What there is too much of.
        what: &'static str,
        /// How much of it there is.
        found: usize,
        /// How much of it there may be.
        max: usize,
    },
    /// The lease is out of bounds. Nothing was changed.
    #[error("a lease of {found:?}; it must be {LEASE_MS_MIN} ms to {LEASE_MS_MAX} ms, in whole milliseconds")]
    Lease {
        /// How long it would be.
        found: Duration,
    },
}

impl ViewError {
    /// Always `NotApplied`: nothing was changed.
    pub fn outcome(&self) -> Outcome {
        Outcome::NotApplied
    }

    /// Always false: the same view fails again.
    pub fn is_retryable(&self) -> bool {
        false
    }
}

#[derive(Serialize, Deserialize)]
struct ViewWire {
    settings: SettingsWire,
    members: Vec<MemberWire>,
    owners: Vec<Option<u16>>,
    epochs: Vec<u64>,
    ts: Timestamp,
}

#[derive(Serialize, Deserialize)]
struct SettingsWire {
    shards: NonZeroU32,
    agreement: String,
    lease_ms: u32,
    placements: BTreeMap<String, Placement>,
}

#[derive(Serialize, Deserialize)]
struct MemberWire {
    id: NodeId,
    address: String,
    state: MemberState,
    types: BTreeMap<String, u32>,
    lanes: NonZeroU16,
    protocol: u16,
    weight: u32,
    machine: Option<Machine>,
}

impl View {
    /// Writes it down.
    ///
    /// # Errors
    /// Where a bound of [`limits`](crate::limits) is passed.
    pub fn encode(&self) -> Result<Vec<u8>, ViewError> {
        let settings = SettingsWire::new(&self.settings)?;
        let members = self.members.values().map(MemberWire::new).collect::<Result<Vec<_>, _>>()?;
        at_most("members", members.len(), MEMBERS_MAX)?;
        let index = |node: &NodeId| self.members.keys().position(|member| member == node);
        let indexes = self.members.keys().map(|node| (*node, index(node))).collect::<BTreeMap<_, _>>();
        let owner = |owned: &Owned| u16::try_from((*indexes.get(&owned.owner?)?)?).ok();
        let owners = self.shards.iter().map(owner).collect();
        let epochs = self.shards.iter().map(|owned| owned.epoch).collect();

        let wire = ViewWire { settings, members, owners, epochs, ts: self.ts };
        let mut bytes = vec![FORMAT];
        rmp_serde::encode::write_named(&mut bytes, &wire).map_err(|error| ViewError::Damaged(error.to_string()))?;
        at_most("bytes", bytes.len(), VIEW_BYTES_MAX)?;
        Ok(bytes)
    }

    /// Reads what [`encode`](View::encode) wrote.
    ///
    /// # Errors
    /// Where it was not written like this, or a bound of [`limits`](crate::limits) is passed.
    pub fn decode(bytes: &[u8]) -> Result<Self, ViewError> {
        at_most("bytes", bytes.len(), VIEW_BYTES_MAX)?;
        let damaged = |what: &str| ViewError::Damaged(what.to_owned());
        let (&format, mut rest) = bytes.split_first().ok_or_else(|| damaged("it is empty"))?;
        if format > FORMAT {
            return Err(ViewError::Newer { found: format });
        }
        if format == 0 {
            return Err(damaged("format 0"));
        }
        let mut deserializer = rmp_serde::Deserializer::new(&mut rest);
        let wire = ViewWire::deserialize(&mut deserializer).map_err(|error| ViewError::Damaged(error.to_string()))?;
        if !rest.is_empty() {
            return Err(damaged(&format!("{} bytes trail it", rest.len())));
        }
        wire.into_view()
    }
}

impl ViewWire {
    fn into_view(self) -> Result<View, ViewError> {
        let damaged = |what: String| ViewError::Damaged(what);
        at_most("members", self.members.len(), MEMBERS_MAX)?;
        let settings = self.settings.into_settings()?;
        let shards = settings.shards.get();
        if [self.owners.len(), self.epochs.len()].iter().any(|len| u32::try_from(*len) != Ok(shards)) {
            let (owners, epochs) = (self.owners.len(), self.epochs.len());
            return Err(damaged(format!("{shards} shards with {owners} owners and {epochs} epochs")));
        }
        let ids = self.members.iter().map(|member| member.id).collect::<Vec<_>>();
        let owned = |(owner, epoch): (Option<u16>, u64)| match owner {
            None => Ok(Owned { owner: None, epoch }),
            Some(index) => match ids.get(usize::from(index)) {
                Some(node) => Ok(Owned { owner: Some(*node), epoch }),
                None => Err(damaged(format!("owner {index} of {} members", ids.len()))),
            },
        };
        let shards = self.owners.into_iter().zip(self.epochs).map(owned).collect::<Result<_, _>>()?;
        let members = self.members.into_iter().map(MemberWire::into_member).collect::<Result<Vec<_>, _>>()?;
        let members = members.into_iter().map(|member| (member.id, member)).collect::<BTreeMap<_, _>>();
        if members.len() != ids.len() {
            return Err(damaged("a member stands in it twice".to_owned()));
        }
        Ok(View { settings, members, shards, ts: self.ts })
    }
}

impl SettingsWire {
    fn new(settings: &Settings) -> Result<Self, ViewError> {
        check_settings(settings)?;
        let Settings { shards, agreement, lease, placements } = settings.clone();
        let lease_ms = u32::try_from(lease.as_millis()).map_err(|_| ViewError::Lease { found: lease })?;
        Ok(SettingsWire { shards, agreement, lease_ms, placements })
    }

    fn into_settings(self) -> Result<Settings, ViewError> {
        let SettingsWire { shards, agreement, lease_ms, placements } = self;
        let settings = Settings { shards, agreement, lease: Duration::from_millis(u64::from(lease_ms)), placements };
        check_settings(&settings).map(|()| settings)
    }
}

impl MemberWire {
    fn new(member: &Member) -> Result<Self, ViewError> {
        check_member(member)?;
        let Member { id, address, state, types, lanes, protocol, weight, machine } = member.clone();
        Ok(MemberWire { id, address: address.to_string(), state, types, lanes, protocol, weight, machine })
    }

    fn into_member(self) -> Result<Member, ViewError> {
        let MemberWire { id, address, state, types, lanes, protocol, weight, machine } = self;
        at_most("bytes of an address", address.len(), LABEL_BYTES_MAX)?;
        let address: SocketAddr =
            address.parse().map_err(|_| ViewError::Damaged(format!("`{address}` is no address")))?;
        let member = Member { id, address, state, types, lanes, protocol, weight, machine };
        check_member(&member).map(|()| member)
    }
}

/// What settings must keep to, whoever made them.
pub(crate) fn check_settings(settings: &Settings) -> Result<(), ViewError> {
    at_most("shards", usize_of(settings.shards.get()), usize_of(SHARDS_MAX))?;
    at_most("bytes of the agreement", settings.agreement.len(), LABEL_BYTES_MAX)?;
    at_most("placements", settings.placements.len(), PLACEMENTS_MAX)?;
    check_labels(settings.placements.keys())?;
    let found = settings.lease;
    let is_whole = found.subsec_nanos().is_multiple_of(1_000_000);
    let is_in_bounds = (u128::from(LEASE_MS_MIN)..=u128::from(LEASE_MS_MAX)).contains(&found.as_millis());
    if is_whole && is_in_bounds { Ok(()) } else { Err(ViewError::Lease { found }) }
}

/// What a member must keep to, whoever made it.
pub(crate) fn check_member(member: &Member) -> Result<(), ViewError> {
    at_most("lanes of a member", usize::from(member.lanes.get()), usize::from(JOURNAL_LANES_MAX))?;
    at_most("types of a member", member.types.len(), MEMBER_TYPES_MAX)?;
    check_labels(member.types.keys())?;
    let machine = member.machine.iter().flat_map(|machine| [&machine.boot, &machine.network]);
    machine.map(String::len).try_for_each(|len| at_most("bytes of a machine's id", len, LABEL_BYTES_MAX))
}

fn check_labels<'a>(mut labels: impl Iterator<Item = &'a String>) -> Result<(), ViewError> {
    labels.try_for_each(|label| at_most("bytes of a type's name", label.len(), LABEL_BYTES_MAX))
}

fn at_most(what: &'static str, found: usize, max: usize) -> Result<(), ViewError> {
    if found <= max { Ok(()) } else { Err(ViewError::TooMany { what, found, max }) }
}

fn usize_of(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
