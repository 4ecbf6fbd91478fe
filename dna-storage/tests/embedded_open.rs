//! What an embedded store opens, and what it refuses: without touching it, and saying why.
#![allow(clippy::unwrap_used, reason = "a test that fails is to panic")]

use std::{
    collections::BTreeMap,
    env,
    fs::{self, File, OpenOptions},
    io::{self, BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use dna_core::{
    ErrorKind, Store,
    testing::{Committer, actor, put},
};
use dna_storage::{Damage, Embedded, EmbeddedError, journaled::JournaledOptions};
use tempfile::TempDir;

/// The store that a child process is to open.
const CHILD_STORE: &str = "DNA_OPEN_CHILD_STORE";

/// A store of five groups, all of them stored as rows, closed.
async fn filled() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("dna");
    let store = Embedded::open(&path).unwrap();
    let mut committer = Committer::attach(&store).await;
    for group in 0..5_u32 {
        committer.write(&actor("a"), vec![put("m", group.to_string(), "v")]).await;
    }
    store.drain().await.unwrap();
    drop(store);
    (dir, path)
}

/// Every file below a directory with its content.
fn contents(path: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![path.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.insert(path.clone(), fs::read(&path).unwrap());
            }
        }
    }
    found
}

async fn opens_whole(path: &Path) {
    let store = Embedded::open(path).unwrap();
    assert_eq!(store.attach().await.unwrap(), 6);
    for group in 0..5_u32 {
        assert_eq!(store.get(&actor("a"), "m", group.to_string().as_bytes()).await.unwrap(), Some("v".into()));
    }
}

#[tokio::test]
async fn a_store_opens_again_as_soon_as_its_last_handle_is_dropped() {
    let (_dir, path) = filled().await;
    for _ in 0..5 {
        opens_whole(&path).await;
    }
}

#[tokio::test]
async fn a_store_needs_no_runtime_to_be_opened_or_closed() {
    let dir = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| drop(Embedded::open(dir.path()).unwrap()));
    });
}

#[tokio::test]
async fn a_second_open_is_refused_while_any_handle_lives() {
    let (_dir, path) = filled().await;
    let store = Embedded::open(&path).unwrap();
    let other = store.clone();
    drop(store);

    let error = Embedded::open(&path).unwrap_err();
    assert!(matches!(error, EmbeddedError::InUse { .. }));
    assert!(error.to_string().contains("open already"), "{error}");
    assert!(dna_core::Error::from(error).is_retryable());
    drop(other);
    opens_whole(&path).await;
}

#[test]
fn this_process_holds_a_store_until_its_input_ends_if_its_environment_says_so() {
    let Ok(path) = env::var(CHILD_STORE) else { return };
    let store = Embedded::open(path).unwrap();
    println!("\nopen");
    io::stdin().read_to_end(&mut Vec::new()).unwrap();
    drop(store);
}

#[tokio::test]
async fn a_store_that_another_process_has_open_is_refused() {
    let (_dir, path) = filled().await;
    let mut command = Command::new(env::current_exe().unwrap());
    command.args([
        "--exact",
        "this_process_holds_a_store_until_its_input_ends_if_its_environment_says_so",
        "--nocapture",
    ]);
    command.env(CHILD_STORE, &path).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    assert!(lines.any(|line| line == "open"), "the child has not opened the store");

    let error = Embedded::open(&path).unwrap_err();

    assert!(matches!(&error, EmbeddedError::InUse { path: named } if *named == path), "{error}");
    assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
    drop(child.stdin.take());
    lines.for_each(drop);
    assert!(child.wait().unwrap().success());
    opens_whole(&path).await;
}

#[tokio::test]
async fn a_directory_that_is_not_a_store_is_refused_and_not_touched() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("thesis.txt"), "the only copy").unwrap();
    let before = contents(dir.path());

    let error = Embedded::open(dir.path()).unwrap_err();

    assert!(matches!(error, EmbeddedError::NotAStore { .. }));
    assert_eq!(dna_core::Error::from(error).kind(), ErrorKind::Node);
    assert_eq!(contents(dir.path()), before);
}

#[tokio::test]
async fn an_empty_directory_becomes_a_store() {
    let dir = tempfile::tempdir().unwrap();
    let store = Embedded::open(dir.path()).unwrap();
    assert_eq!(store.attach().await.unwrap(), 1);
}

#[tokio::test]
async fn a_file_in_place_of_the_directory_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("dna");
    fs::write(&path, "a file").unwrap();

    assert!(matches!(Embedded::open(&path).unwrap_err(), EmbeddedError::Io { .. }));
    assert_eq!(fs::read(&path).unwrap(), b"a file");
}

#[tokio::test]
async fn a_newer_format_is_refused_with_both_numbers() {
    let (_dir, path) = filled().await;
    fs::write(path.join("FORMAT"), "dna embedded store\nformat 7\nsomething new\n").unwrap();
    let before = contents(&path);

    let error = Embedded::open(&path).unwrap_err();

    assert!(matches!(error, EmbeddedError::Newer { found: 7, supported: 1, .. }));
    assert!(error.to_string().contains("format 7") && error.to_string().contains("format 1"), "{error}");
    assert_eq!(contents(&path), before);
}

#[tokio::test]
async fn a_damaged_marker_is_refused() {
    for text in
        ["", "dna embedded store\n", "dna embedded store\nformat 1\n", "dna embedded store\nformat 0\ncomplete\n"]
    {
        let (_dir, path) = filled().await;
        fs::write(path.join("FORMAT"), text).unwrap();

        let error = Embedded::open(&path).unwrap_err();

        assert!(matches!(error, EmbeddedError::Damaged { damage: Damage::Marker, .. }), "{error}");
    }
}

#[tokio::test]
async fn a_creation_that_was_cut_off_starts_over() {
    let (_dir, path) = filled().await;
    let whole = path.join("FORMAT");
    // At each step: nothing but the lock; an unfinished marker; half of the databases.
    let empty = tempfile::tempdir().unwrap();
    File::create(empty.path().join("LOCK")).unwrap();
    fs::write(empty.path().join("FORMAT.new"), "dna emb").unwrap();
    assert_eq!(Embedded::open(empty.path()).unwrap().attach().await.unwrap(), 1);

    fs::write(&whole, "dna embedded store\nformat 1\ncreating\n").unwrap();
    fs::remove_dir_all(path.join("rows")).unwrap();
    fs::remove_file(path.join("journal/version")).unwrap();
    let store = Embedded::open(&path).unwrap();
    assert_eq!(store.attach().await.unwrap(), 1);
    assert_eq!(store.get(&actor("a"), "m", b"0").await.unwrap(), None);
}

#[tokio::test]
async fn a_store_that_lacks_a_part_is_not_opened_half() {
    let parts = ["journal", "rows", "journal/version", "rows/keyspaces/1/current", "journal/keyspaces", "rows/0.jnl"];
    for part in parts {
        let (_dir, path) = filled().await;
        let missing = path.join(part);
        if missing.is_dir() {
            fs::remove_dir_all(&missing).unwrap();
        } else {
            fs::remove_file(&missing).unwrap();
        }
        let before = contents(&path);

        let error = Embedded::open(&path).unwrap_err();

        assert!(matches!(error, EmbeddedError::Damaged { damage: Damage::Missing { .. }, .. }), "{part}: {error}");
        assert_eq!(contents(&path), before, "{part}");
    }
}

#[tokio::test]
async fn databases_of_different_times_are_not_opened_together() {
    let (_dir, path) = filled().await;
    let (_other_dir, new) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    drop(Embedded::open(new.path()).unwrap());

    for folder in ["journal", "rows"] {
        let kept = path.join("kept");
        fs::rename(path.join(folder), &kept).unwrap();
        copy(&new.path().join(folder), &path.join(folder));

        let error = Embedded::open(&path).unwrap_err();

        assert!(matches!(error, EmbeddedError::Damaged { damage: Damage::Apart { .. }, .. }), "{folder}: {error}");
        fs::remove_dir_all(path.join(folder)).unwrap();
        fs::rename(&kept, path.join(folder)).unwrap();
    }
    opens_whole(&path).await;
}

#[tokio::test]
async fn a_journal_cut_short_is_noticed_by_the_rows() {
    let (_dir, path) = filled().await;
    let file = path.join("journal/0.jnl");
    // All but the first batch, the empty header of the creation, is cut off; fjall takes that for an unfinished write.
    OpenOptions::new().write(true).open(&file).unwrap().set_len(60).unwrap();

    let error = Embedded::open(&path).unwrap_err();

    assert!(matches!(error, EmbeddedError::Damaged { .. }), "{error}");
}

#[tokio::test]
async fn a_bit_that_flipped_in_the_journal_takes_no_group_in_silence() {
    let dir = tempfile::tempdir().unwrap();
    let (path, damaged) = (dir.path().join("dna"), dir.path().join("damaged"));
    // With a second opening the file is no longer filled up with zeros.
    drop(Embedded::open(&path).unwrap());
    let journaled = JournaledOptions { gather_rows: Duration::from_secs(3600), ..JournaledOptions::default() };
    let store = Embedded::options().journaled(journaled).open(&path).unwrap();
    let mut committer = Committer::attach(&store).await;
    let file_len = || usize::try_from(fs::metadata(path.join("journal/0.jnl")).unwrap().len()).unwrap();
    let (first, mut last) = (file_len(), 0);
    for group in 0..10_u32 {
        last = file_len();
        committer.write(&actor("a"), vec![put("m", group.to_string(), "v")]).await;
    }
    let whole = fs::read(path.join("journal/0.jnl")).unwrap();
    copy(&path, &damaged);

    let mut refused = 0;
    for (round, position) in (first..whole.len()).step_by(23).enumerate() {
        let mut bytes = whole.clone();
        bytes[position] ^= 1 << (round % 8);
        fs::remove_dir_all(&damaged).unwrap();
        copy(&path, &damaged);
        fs::write(damaged.join("journal/0.jnl"), bytes).unwrap();

        match Embedded::open(&damaged) {
            Err(EmbeddedError::Damaged { .. }) => refused += 1,
            Err(error) => panic!("byte {position}: {error}"),
            Ok(store) => {
                // What is unreadable of the last group may be a write that was cut off.
                let groups = if position < last { 10 } else { 9 };
                for group in 0..groups {
                    let value = store.get(&actor("a"), "m", group.to_string().as_bytes()).await.unwrap();
                    assert_eq!(value, Some("v".into()), "byte {position}: group {group}");
                }
            }
        }
    }
    assert!(refused > 40, "{refused}");
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for (path, content) in contents(from) {
        let target = to.join(path.strip_prefix(from).unwrap());
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::write(target, content).unwrap();
    }
}
