//! Nodes and views for the tests.

use std::{
    num::{NonZeroU16, NonZeroU32},
    time::Duration,
};

use dna_core::{NodeId, Timestamp};

use crate::{
    decide::join,
    view::{Machine, Member, MemberState, Placement, Seen, Settings},
};

/// Node `byte`.
pub(crate) fn node(byte: u8) -> NodeId {
    NodeId::from_bytes([byte; 16])
}

pub(crate) fn ts(micros: u64) -> Timestamp {
    Timestamp::from_micros(micros)
}

pub(crate) fn settings(shards: u32) -> Settings {
    Settings {
        shards: NonZeroU32::new(shards).unwrap(),
        agreement: "LOCAL_QUORUM/LOCAL_SERIAL".to_owned(),
        lease: Duration::from_secs(3),
        placements: [("Cart".to_owned(), Placement::Hash)].into(),
    }
}

/// Node `byte`, which listens on port 7000 + `byte` and knows carts.
pub(crate) fn member(byte: u8) -> Member {
    Member {
        id: node(byte),
        address: ([127, 0, 0, 1], 7000 + u16::from(byte)).into(),
        state: MemberState::Active,
        types: [("Cart".to_owned(), 1)].into(),
        lanes: NonZeroU16::new(1).unwrap(),
        protocol: 1,
        weight: 100,
        machine: Some(Machine { boot: "boot".to_owned(), network: "net:[1]".to_owned() }),
    }
}

/// What becomes of the view when these nodes join one after the other, the first of them as owner of all.
pub(crate) fn joined(shards: u32, members: impl IntoIterator<Item = Member>) -> Seen {
    let mut seen = None;
    for member in members {
        let view = join(seen.as_ref(), &member, &settings(shards), ts(0)).unwrap();
        seen = Some(Seen { version: seen.map_or(1, |seen: Seen| seen.version + 1), view });
    }
    seen.unwrap()
}
