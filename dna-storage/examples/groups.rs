//! `dna-storage` alone: open a store, commit groups, read them back, close it, and find them again.
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::{error::Error, sync::Arc};

use dna_core::{ActorName, ActorWrites, Group, KeyRange, Store, Write, WriteKind};
use dna_storage::Embedded;

/// A put into the module `lines`.
fn put(key: &str, value: &str) -> Write {
    let kind = WriteKind::Put { key: key.to_owned().into(), value: value.to_owned().into() };
    Write { module: "lines".into(), kind }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("cart.dna");
    let alice = ActorName::new("default", "Cart", "alice")?;
    let bob = ActorName::new("default", "Cart", "bob")?;

    let store = Embedded::open(&path)?;
    let mut number = store.attach().await?;
    println!("opened {}; the first group has the number {number}", path.display());

    // One group, two actors: both are in, or neither.
    let actors = vec![
        ActorWrites { actor: alice.clone(), writes: vec![put("apple", "3"), put("pear", "1")] },
        ActorWrites { actor: bob.clone(), writes: vec![put("plum", "12")] },
    ];
    store.commit(Arc::new(Group { number, actors })).await?;
    println!("group {number} is synced to disk");

    number += 1;
    let actors = vec![ActorWrites { actor: alice.clone(), writes: vec![put("apple", "4")] }];
    store.commit(Arc::new(Group { number, actors })).await?;
    println!("group {number} is synced to disk");

    drop(store);
    let store = Embedded::open(&path)?;
    println!("closed and opened again; the next group has the number {}", store.attach().await?);
    for actor in [&alice, &bob] {
        for (key, value) in store.scan(actor, "lines", &KeyRange::all(), 10, false).await? {
            println!("{actor}: {} = {}", String::from_utf8_lossy(&key), String::from_utf8_lossy(&value));
        }
    }
    Ok(())
}
