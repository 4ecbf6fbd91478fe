//! How a view is written down: its bytes, what older and newer programs make of them, and what is refused.

use std::collections::BTreeMap;

use dna_core::{
    NodeId, Shard,
    limits::{JOURNAL_LANES_MAX, VIEW_BYTES_MAX},
};
use proptest::prelude::*;
use serde::Serialize;

use super::*;
use crate::{
    decide::join,
    limits::{LABEL_BYTES_MAX, LEASE_MS_MAX, LEASE_MS_MIN, MEMBERS_MAX, SHARDS_MAX},
    samples::{joined, member, node, settings, ts},
};

/// A view with something in every field.
fn sample() -> View {
    let mut seen = joined(3, [member(1), Member { machine: None, lanes: 2.try_into().unwrap(), ..member(2) }]);
    seen.view.set_state(node(2), MemberState::Draining);
    seen.view.give(Shard(2), Some(node(2)), 300);
    seen.view.raise_ts(ts(70_000));
    seen.view.shards[0].owner = None;
    seen.view
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .map(|byte| if byte.is_ascii_graphic() { char::from(*byte).to_string() } else { format!("\\{byte:02x}") })
        .collect()
}

#[test]
fn a_view_is_written_as_these_bytes() {
    let member = r"\a7address\ae127.0.0.1:700";
    let golden = [
        r"\01\85\a8settings\84\a6shards\03\a9agreement\b9LOCAL_QUORUM/LOCAL_SERIAL\a8lease_ms\cd\0b\b8",
        r"\aaplacements\81\a4Cart\a4hash\a7members\92",
        r"\88\a2id\c4\10\01\01\01\01\01\01\01\01\01\01\01\01\01\01\01\01",
        &format!(r"{member}1\a5state\a6active\a5types\81\a4Cart\01\a5lanes\01\a8protocol\01\a6weightd"),
        r"\a7machine\82\a4boot\a4boot\a7network\a7net:[1]",
        r"\88\a2id\c4\10\02\02\02\02\02\02\02\02\02\02\02\02\02\02\02\02",
        &format!(r"{member}2\a5state\a8draining\a5types\81\a4Cart\01\a5lanes\02\a8protocol\01\a6weightd\a7machine\c0"),
        r"\a6owners\93\c0\00\01\a6epochs\93\01\01\cd\01,\a2ts\ce\00\01\11p",
    ];
    assert_eq!(hex(&sample().encode().unwrap()), golden.concat());
}

#[test]
fn a_view_reads_as_it_was_written() {
    assert_eq!(View::decode(&sample().encode().unwrap()).unwrap(), sample());
    let empty = View::empty(settings(1));
    assert_eq!(View::decode(&empty.encode().unwrap()).unwrap(), empty);
}

/// What a later release of the same format may write: fields that this one does not know, everywhere, in another order.
#[derive(Serialize)]
struct Later {
    added: Vec<String>,
    ts: u64,
    epochs: Vec<u64>,
    owners: Vec<Option<u16>>,
    members: Vec<LaterMember>,
    settings: LaterSettings,
}

#[derive(Serialize)]
struct LaterSettings {
    added: BTreeMap<String, u8>,
    placements: BTreeMap<String, String>,
    lease_ms: u64,
    agreement: String,
    shards: u64,
}

#[derive(Serialize)]
struct LaterMember {
    added: Option<u64>,
    machine: Option<LaterMachine>,
    weight: u8,
    protocol: u8,
    lanes: u8,
    types: BTreeMap<String, u8>,
    state: String,
    address: String,
    id: NodeId,
}

#[derive(Serialize)]
struct LaterMachine {
    added: bool,
    network: String,
    boot: String,
}

fn later(owners: Vec<Option<u16>>, state: &str, address: &str) -> Vec<u8> {
    let machine = LaterMachine { added: true, network: "net:[1]".to_owned(), boot: "boot".to_owned() };
    let later = Later {
        added: vec!["x".to_owned()],
        ts: 9,
        epochs: vec![1; 2],
        owners,
        members: vec![LaterMember {
            added: Some(1),
            machine: Some(machine),
            weight: 100,
            protocol: 1,
            lanes: 1,
            types: [("Cart".to_owned(), 1)].into(),
            state: state.to_owned(),
            address: address.to_owned(),
            id: node(1),
        }],
        settings: LaterSettings {
            added: BTreeMap::new(),
            placements: [("Cart".to_owned(), "hash".to_owned())].into(),
            lease_ms: 3000,
            agreement: "LOCAL_QUORUM/LOCAL_SERIAL".to_owned(),
            shards: 2,
        },
    };
    [vec![FORMAT], rmp_serde::to_vec_named(&later).unwrap()].concat()
}

#[test]
fn fields_that_a_later_release_adds_are_read_over() {
    let mut expected = joined(2, [member(1)]).view;
    expected.raise_ts(ts(9));
    assert_eq!(View::decode(&later(vec![Some(0); 2], "active", "127.0.0.1:7001")).unwrap(), expected);
}

#[test]
fn a_newer_format_is_told_apart_from_damage() {
    let mut bytes = sample().encode().unwrap();
    bytes[0] = FORMAT + 1;
    assert_eq!(View::decode(&bytes), Err(ViewError::Newer { found: FORMAT + 1 }));
    bytes[0] = 0;
    assert!(matches!(View::decode(&bytes), Err(ViewError::Damaged(_))));
}

#[test]
fn what_trails_a_view_is_refused() {
    let bytes = [sample().encode().unwrap(), vec![0xc0]].concat();
    assert_eq!(View::decode(&bytes), Err(ViewError::Damaged("1 bytes trail it".to_owned())));
}

#[test]
fn what_contradicts_itself_is_refused() {
    for bytes in [
        later(vec![Some(0)], "active", "127.0.0.1:7001"),
        later(vec![Some(0); 3], "active", "127.0.0.1:7001"),
        later(vec![Some(1); 2], "active", "127.0.0.1:7001"),
        later(vec![Some(0); 2], "asleep", "127.0.0.1:7001"),
        later(vec![Some(0); 2], "active", "nowhere"),
        vec![],
    ] {
        assert!(matches!(View::decode(&bytes), Err(ViewError::Damaged(_))), "{}", hex(&bytes));
    }
}

/// A view with so many shards, members and lanes, such a lease and so long a type's name.
fn sized(shards: u32, members: usize, lanes: u16, lease_ms: u32, label: usize) -> Result<Vec<u8>, ViewError> {
    let lease = std::time::Duration::from_millis(u64::from(lease_ms));
    let mut view = View::empty(Settings { lease, ..settings(shards) });
    for number in 0..members {
        let mut bytes = [0; 16];
        bytes[8..].copy_from_slice(&number.to_be_bytes());
        let types = [("T".repeat(label), 1)].into();
        view.add(Member { id: NodeId::from_bytes(bytes), types, lanes: lanes.try_into().unwrap(), ..member(1) });
    }
    let last = view.members().last().unwrap().id;
    for shard in 0..shards {
        view.shards[shard as usize] = Owned { owner: Some(last), epoch: 1 << 40 };
    }
    view.encode()
}

#[test]
fn a_view_at_every_limit_is_written_and_one_past_it_is_not() {
    let label = LABEL_BYTES_MAX;
    let largest = sized(SHARDS_MAX, MEMBERS_MAX, JOURNAL_LANES_MAX, LEASE_MS_MIN, 8).unwrap();
    assert!(View::decode(&largest).is_ok());
    assert!(sized(1, 1, 1, LEASE_MS_MAX, label).is_ok());

    let too_many = |result: Result<Vec<u8>, ViewError>| match result {
        Err(ViewError::TooMany { what, found, max }) => (what, found, max),
        other => panic!("{other:?}"),
    };
    let shards = SHARDS_MAX as usize;
    assert_eq!(too_many(sized(SHARDS_MAX + 1, 1, 1, 3000, 8)), ("shards", shards + 1, shards));
    assert_eq!(too_many(sized(1, MEMBERS_MAX + 1, 1, 3000, 8)), ("members", MEMBERS_MAX + 1, MEMBERS_MAX));
    let lanes = usize::from(JOURNAL_LANES_MAX);
    assert_eq!(too_many(sized(1, 1, JOURNAL_LANES_MAX + 1, 3000, 8)), ("lanes of a member", lanes + 1, lanes));
    assert_eq!(too_many(sized(1, 1, 1, 3000, label + 1)), ("bytes of a type's name", label + 1, label));
    for lease in [LEASE_MS_MIN - 1, LEASE_MS_MAX + 1] {
        assert!(matches!(sized(1, 1, 1, lease, 8), Err(ViewError::Lease { .. })));
    }
    let (what, _, max) = too_many(View::decode(&vec![FORMAT; VIEW_BYTES_MAX + 1]).map(|_| vec![]));
    assert_eq!((what, max), ("bytes", VIEW_BYTES_MAX));
}

#[test]
fn the_owner_of_a_shard_is_oneself_another_or_nobody() {
    let view = sample();
    for (shard, me, owner) in [
        (1, 1, Owner::Own { epoch: 1 }),
        (1, 2, Owner::Node(node(1))),
        (2, 2, Owner::Own { epoch: 300 }),
        (2, 1, Owner::Node(node(2))),
        (0, 1, Owner::Nobody),
        (3, 1, Owner::Nobody),
        (u32::MAX, 1, Owner::Nobody),
    ] {
        assert_eq!(view.owner(Shard(shard), node(me)), owner, "shard {shard} to node {me}");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), cut in 0..400_usize, flip in any::<u8>()) {
        let _ = View::decode(&bytes);
        let mut damaged = sample().encode().unwrap();
        let at = cut % damaged.len();
        damaged[at] ^= flip;
        if let Ok(view) = View::decode(&damaged) {
            prop_assert!(view.encode().is_ok());
        }
        damaged.truncate(at);
        prop_assert!(View::decode(&damaged).is_err());
    }
}

#[test]
fn what_a_node_may_join_with_can_be_written() {
    let bad = Settings { lease: std::time::Duration::from_micros(3_000_500), ..settings(1) };
    let view = join(None, &member(1), &bad, ts(0)).unwrap();
    assert!(matches!(view.encode(), Err(ViewError::Lease { .. })));
}
