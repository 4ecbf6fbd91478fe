//! An actor with more rows than are meant for memory: its ranges are listed in pieces, in constant memory, and a list
//! with a limit reads no more than it needs. `DNA_LIST_BYTES` says how many bytes of rows; 32 MiB unless it is set.

use std::{env, fs, process::Command, sync::Arc};

use bytes::Bytes;
use dna_core::{
    ClusterStore, Group, KeyRange, NodeId, NodeJournals, Store, Timestamp,
    testing::{actor, put, writes},
};
use dna_storage::Scylla;

use crate::{
    proxy::{Fault, Proxied},
    support::{Keyspace, has_server},
};

const VALUE_BYTES: usize = 4096;
const GROUP_ROWS: usize = 200;
/// What a piece of the list is asked for: 1 MiB.
const PIECE_ROWS: usize = 256;
/// What listing may take beside what the process has when it begins.
const LISTING_BYTES_MAX: usize = 24 * 1024 * 1024;

const CHILD: &str = "DNA_LIST_CHILD";

fn rows() -> usize {
    let bytes = env::var("DNA_LIST_BYTES").ok().and_then(|bytes| bytes.parse().ok());
    bytes.unwrap_or(32 * 1024 * 1024) / VALUE_BYTES
}

fn key(row: usize) -> Bytes {
    Bytes::copy_from_slice(&u64::try_from(row).unwrap().to_be_bytes())
}

async fn fill(scylla: &Scylla) {
    let journals = scylla.journals(NodeId::new(), 1, Timestamp::ZERO).await.unwrap();
    let store = &journals.stores()[0];
    let mut number = store.attach().await.unwrap();
    let value = Bytes::from(vec![7; VALUE_BYTES]);
    for start in (0..rows()).step_by(GROUP_ROWS) {
        let list = (start..rows().min(start + GROUP_ROWS)).map(|row| put("m", key(row), value.clone())).collect();
        let group = Arc::new(Group { number, actors: vec![writes(&actor("large"), list)] });
        while store.commit(group.clone()).await.is_err() {}
        number += 1;
    }
    journals.drain().await.unwrap();
}

/// Lists everything in pieces; how many rows there are.
async fn list_all(store: &dyn Store, reverse: bool) -> usize {
    let (name, mut range, mut count) = (actor("large"), KeyRange::all(), 0);
    loop {
        let piece = store.scan(&name, "m", &range, PIECE_ROWS, reverse).await.unwrap();
        let Some((last, _)) = piece.last() else { return count };
        count += piece.len();
        if reverse {
            range.end = Some(last.clone());
        } else {
            range.start = [&last[..], &[0]].concat().into();
        }
    }
}

/// A figure of this process, in bytes.
fn memory(name: &str) -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    let kib: usize = line.trim_matches(|letter: char| !letter.is_ascii_digit()).parse().unwrap();
    kib * 1024
}

#[tokio::test]
async fn a_large_actor_is_listed_in_constant_memory() {
    if !has_server() {
        return;
    }
    if !cfg!(target_os = "linux") {
        println!("skipped: memory is measured on Linux only");
        return;
    }
    let keyspace = Keyspace::create().await;
    fill(&keyspace.connect().await).await;

    // In a process of its own, where no other test takes memory.
    let mut child = Command::new(env::current_exe().unwrap());
    child.args(["--exact", "listing::the_child_lists_a_large_actor", "--nocapture"]).env(CHILD, &keyspace.name);
    let listed = child.output().unwrap();

    let said = String::from_utf8_lossy(&listed.stdout);
    assert!(listed.status.success(), "{said}{}", String::from_utf8_lossy(&listed.stderr));
    assert!(said.contains("listed"), "{said}");
    println!("{said}");
}

#[tokio::test]
async fn the_child_lists_a_large_actor() {
    let Ok(name) = env::var(CHILD) else { return };
    // Dropped by the parent.
    let keyspace = std::mem::ManuallyDrop::new(Keyspace { name });
    let scylla = keyspace.connect().await;
    let journals = scylla.open_journals(NodeId::new(), 1, Timestamp::ZERO).await.unwrap();
    let before = memory("VmRSS:");

    for reverse in [false, true] {
        assert_eq!(list_all(&*journals.stores()[0], reverse).await, rows());
    }

    let taken = memory("VmHWM:").saturating_sub(before);
    println!("listed {} rows of {VALUE_BYTES} bytes twice, with {taken} bytes more than before", rows());
    assert!(taken < LISTING_BYTES_MAX, "{taken} bytes were taken");
}

#[tokio::test]
async fn a_list_with_a_limit_reads_no_more_than_it_needs() {
    if !has_server() {
        return;
    }
    let keyspace = Keyspace::create().await;
    fill(&keyspace.connect().await).await;
    let mut proxied = Proxied::connect(&keyspace).await;
    let journals = proxied.scylla.open_journals(NodeId::new(), 1, Timestamp::ZERO).await.unwrap();
    let store = &*journals.stores()[0];
    let last = key(rows() - 1);

    for (limit, reverse) in [(1, false), (1, true), (10, false), (10, true), (500, false)] {
        proxied.set(&Fault::watched());
        let found = store.scan(&actor("large"), "m", &KeyRange::all(), limit, reverse).await.unwrap();
        let answers = proxied.answer_bytes();

        assert_eq!(found.len(), limit);
        assert_eq!(found[0].0, if reverse { last.clone() } else { key(0) });
        let (total, largest) = (answers.iter().sum::<usize>(), answers.into_iter().max().unwrap());
        assert!(total < (limit + 1) * (VALUE_BYTES + 100), "{total} bytes for {limit} rows");
        assert!(largest < 3 * 1024 * 1024 / 2, "a page of {largest} bytes");
    }
}
