//! What a journaled store makes of a journal and rows that fail, lose answers or hang, and of a restart after that.
#![allow(clippy::unwrap_used, reason = "a test that fails is to panic")]

use std::{sync::Arc, time::Duration};

use dna_core::{
    ActorName, AttachError, CommitError, Group, KeyRange, Refusal, Store,
    testing::{Committer, actor, delete_range, put, writes},
};
use dna_storage::journaled::{
    DrainError, EntryError, Host, Journaled, JournaledOptions, RELEASE_AFTER, RecoverError, UpkeepError,
    testing::{MemoryJournal, MemoryRows},
};
use futures_util::FutureExt;

type MemoryJournaled = Journaled<MemoryJournal, MemoryRows>;
type Disk = (MemoryJournal, MemoryRows);

async fn open_with(disk: &Disk, options: JournaledOptions) -> Result<MemoryJournaled, RecoverError> {
    Journaled::open(disk.0.clone(), disk.1.clone(), Host::Threads, options).await
}

async fn open(disk: &Disk) -> MemoryJournaled {
    open_with(disk, JournaledOptions::default()).await.unwrap()
}

fn group(number: u64, value: &str) -> Arc<Group> {
    Arc::new(Group { number, actors: vec![writes(&alice(), vec![put("m", "a", value.to_owned())])] })
}

fn alice() -> ActorName {
    actor("alice")
}

async fn value(store: &MemoryJournaled) -> Option<bytes::Bytes> {
    store.get(&alice(), "m", b"a").await.unwrap()
}

#[tokio::test]
async fn a_lost_answer_is_settled_by_asking_again_and_has_one_effect() {
    let disk = Disk::default();
    let store = open(&disk).await;
    store.attach().await.unwrap();
    disk.1.stores().hold();
    disk.0.lose_next_answer();

    assert_eq!(store.commit(group(1, "1")).await, Err(CommitError::Unknown));
    assert_eq!(value(&store).await, None, "what is in doubt is not shown");
    assert_eq!(store.commit(group(1, "1")).await, Ok(()));
    assert_eq!(value(&store).await, Some("1".into()));
    assert_eq!(disk.0.contents().entries.len(), 1);
}

#[tokio::test]
async fn a_lost_request_is_sent_again_byte_for_byte() {
    let disk = Disk::default();
    let store = open(&disk).await;
    store.attach().await.unwrap();
    disk.0.lose_next_request();
    disk.0.lose_next_answer();

    assert_eq!(store.commit(group(1, "1")).await, Err(CommitError::Unknown));
    assert_eq!(store.commit(group(1, "1")).await, Err(CommitError::Unknown));
    // The journal asserts that what comes again is what came first.
    assert_eq!(store.commit(group(1, "1")).await, Ok(()));
}

#[tokio::test]
async fn a_claim_settles_the_group_that_its_predecessor_left_in_doubt() {
    let disk = Disk::default();
    let store = open(&disk).await;
    store.attach().await.unwrap();
    disk.0.lose_next_answer();
    assert_eq!(store.commit(group(1, "1")).await, Err(CommitError::Unknown));
    store.detach();

    assert_eq!(store.attach().await, Ok(2));
    assert_eq!(value(&store).await, Some("1".into()));
}

#[tokio::test]
async fn a_refusal_after_an_unknown_proves_nothing() {
    let disk = Disk::default();
    let store = open(&disk).await;
    store.attach().await.unwrap();
    disk.0.lose_next_request();
    disk.0.refuse_next(Refusal::Unavailable);

    assert_eq!(store.commit(group(1, "1")).await, Err(CommitError::Unknown));
    assert_eq!(store.commit(group(1, "1")).await, Err(CommitError::Unknown));
    assert_eq!(store.commit(group(1, "1")).await, Ok(()));
}

#[tokio::test]
async fn a_refused_group_leaves_its_number_free() {
    let disk = Disk::default();
    let store = open(&disk).await;
    store.attach().await.unwrap();
    disk.0.refuse_next(Refusal::Full);

    assert_eq!(store.commit(group(1, "1")).await, Err(CommitError::NotApplied(Refusal::Full)));
    assert_eq!(store.commit(group(1, "2")).await, Ok(()));
    assert_eq!(value(&store).await, Some("2".into()));
}

#[tokio::test]
async fn a_fenced_journal_ends_the_claim_for_good() {
    let disk = Disk::default();
    let store = open(&disk).await;
    store.attach().await.unwrap();
    store.commit(group(1, "1")).await.unwrap();
    disk.0.fence();

    assert_eq!(store.commit(group(2, "2")).await, Err(CommitError::Fenced));
    assert_eq!(store.commit(group(2, "2")).await, Err(CommitError::Fenced));
    store.detach();
    assert_eq!(store.attach().await, Err(AttachError::Fenced));
    assert_eq!(value(&store).await, Some("1".into()));
}

#[tokio::test]
async fn a_group_that_is_in_is_in_though_the_journal_is_fenced_since() {
    let disk = Disk::default();
    let store = open(&disk).await;
    store.attach().await.unwrap();
    store.commit(group(1, "1")).await.unwrap();
    disk.0.fence();
    assert_eq!(store.commit(group(2, "2")).await, Err(CommitError::Fenced));

    assert_eq!(store.commit(group(1, "1")).await, Ok(()));
    assert_eq!(store.commit(group(2, "2")).await, Err(CommitError::Fenced));
}

#[tokio::test]
async fn a_failed_append_poisons_and_a_restart_finds_the_group_whole_or_not_at_all() {
    for applied in [false, true] {
        let disk = Disk::default();
        let store = open(&disk).await;
        store.attach().await.unwrap();
        disk.0.fail_next(applied);

        assert_eq!(store.commit(group(1, "1")).await, Err(CommitError::Poisoned));
        assert_eq!(store.commit(group(1, "1")).await, Err(CommitError::Poisoned), "in doubt still");
        assert_eq!(store.commit(group(2, "2")).await, Err(CommitError::Closed));
        assert_eq!(value(&store).await, None);
        store.detach();
        assert_eq!(store.attach().await, Err(AttachError::Poisoned));
        drop(store);

        let store = open(&disk).await;
        assert_eq!(store.attach().await, Ok(if applied { 2 } else { 1 }));
        assert_eq!(value(&store).await, applied.then(|| "1".into()));
    }
}

#[tokio::test]
async fn rows_that_fail_for_now_are_tried_again_and_counted() {
    let disk = Disk::default();
    let store = open(&disk).await;
    store.attach().await.unwrap();
    disk.1.fail_next(UpkeepError::Unavailable);
    disk.1.fail_next(UpkeepError::Unavailable);

    store.commit(group(1, "1")).await.unwrap();
    store.drain().await.unwrap();

    assert_eq!((store.stats().row_failures, store.stats().batches, disk.1.len()), (2, 1, 1));
}

#[tokio::test]
async fn rows_that_fail_for_good_poison_the_store_and_lose_nothing() {
    let disk = Disk::default();
    let store = open(&disk).await;
    store.attach().await.unwrap();
    disk.1.fail_next(UpkeepError::Failed);

    store.commit(group(1, "1")).await.unwrap();
    assert!(store.drain().await.is_err());

    assert_eq!(store.commit(group(1, "1")).await, Ok(()), "it is in");
    assert_eq!(store.commit(group(2, "2")).await, Err(CommitError::Closed));
    assert_eq!(value(&store).await, Some("1".into()));
    drop(store);
    let store = open(&disk).await;
    assert_eq!(store.attach().await, Ok(2));
    assert_eq!(value(&store).await, Some("1".into()));
    store.drain().await.unwrap();
    assert_eq!(disk.1.len(), 1);
}

#[tokio::test]
async fn a_commit_that_waits_for_room_when_the_store_is_poisoned_was_not_applied() {
    let disk = Disk::default();
    disk.1.stores().hold();
    let options = JournaledOptions { lag_entries_max: 1, ..JournaledOptions::default() };
    let store = open_with(&disk, options).await.unwrap();
    store.attach().await.unwrap();
    store.commit(group(1, "1")).await.unwrap();
    let second = store.commit(group(2, "2"));
    disk.1.stores().waiting(1).await;
    disk.1.fail_next(UpkeepError::Failed);
    disk.1.stores().release();

    assert_eq!(second.await, Err(CommitError::Closed));
    drop(store);
    assert_eq!(open(&disk).await.attach().await, Ok(2));
}

#[tokio::test]
async fn a_group_in_doubt_when_the_rows_fail_for_good_stays_in_doubt() {
    let disk = Disk::default();
    disk.1.stores().hold();
    let store = open(&disk).await;
    store.attach().await.unwrap();
    store.commit(group(1, "1")).await.unwrap();
    disk.0.lose_next_answer();
    assert_eq!(store.commit(group(2, "2")).await, Err(CommitError::Unknown));
    disk.1.fail_next(UpkeepError::Failed);
    disk.1.stores().release();
    assert!(store.drain().await.is_err());

    assert_eq!(store.commit(group(2, "2")).await, Err(CommitError::Poisoned));
    assert_eq!(store.commit(group(3, "3")).await, Err(CommitError::Closed));
    drop(store);
    assert_eq!(open(&disk).await.attach().await, Ok(3));
}

#[tokio::test]
async fn commits_wait_while_too_much_waits_to_be_stored() {
    let by_entries = JournaledOptions { lag_entries_max: 3, ..JournaledOptions::default() };
    let by_bytes = JournaledOptions { lag_bytes_max: 3 * 1000, ..JournaledOptions::default() };
    for options in [by_entries, by_bytes] {
        let disk = Disk::default();
        disk.1.stores().hold();
        let store = open_with(&disk, options).await.unwrap();
        store.attach().await.unwrap();
        for number in 1..=3 {
            store.commit(group(number, &"x".repeat(1000))).await.unwrap();
        }

        let mut fourth = store.commit(group(4, "4"));
        disk.1.stores().waiting(1).await;
        for _ in 0..100 {
            assert!((&mut fourth).now_or_never().is_none());
            tokio::task::yield_now().await;
        }
        assert_eq!(disk.0.contents().entries.len(), 3);
        disk.1.stores().release();
        assert_eq!(fourth.await, Ok(()));
        assert_eq!(value(&store).await, Some("4".into()));
    }
}

#[tokio::test]
async fn a_commit_that_waits_too_long_for_room_is_refused() {
    let disk = Disk::default();
    disk.1.stores().hold();
    let busy_after = Duration::from_millis(20);
    let options = JournaledOptions { lag_entries_max: 1, busy_after, ..JournaledOptions::default() };
    let store = open_with(&disk, options).await.unwrap();
    store.attach().await.unwrap();
    store.commit(group(1, "1")).await.unwrap();

    assert_eq!(store.commit(group(2, "2")).await, Err(CommitError::NotApplied(Refusal::Busy)));
    disk.1.stores().release();
    store.drain().await.unwrap();
    assert_eq!(store.commit(group(2, "3")).await, Ok(()));
    assert_eq!(value(&store).await, Some("3".into()));
}

#[tokio::test]
async fn a_commit_whose_future_is_dropped_is_settled_before_the_next_claim() {
    let disk = Disk::default();
    let store = open(&disk).await;
    store.attach().await.unwrap();
    disk.0.appends().hold();
    drop(store.commit(group(1, "1")));
    store.detach();

    let mut claim = store.attach();
    disk.0.appends().waiting(1).await;
    assert!((&mut claim).now_or_never().is_none());
    disk.0.appends().release();

    assert_eq!(claim.await, Ok(2));
    assert_eq!(value(&store).await, Some("1".into()));
}

#[tokio::test]
async fn commits_that_pile_up_are_bounded() {
    let disk = Disk::default();
    let store = open(&disk).await;
    store.attach().await.unwrap();
    disk.0.appends().hold();
    let mut answers = Vec::new();
    for _ in 0..200 {
        answers.push(store.commit(group(1, "1")));
    }

    assert_eq!(answers.pop().unwrap().await, Err(CommitError::Unknown));
    disk.0.appends().release();
    assert_eq!(answers.swap_remove(0).await, Ok(()));
    assert_eq!(disk.0.contents().entries.len() + usize::from(disk.0.contents().done == 1), 1);
}

#[tokio::test]
async fn what_was_not_stored_is_stored_after_a_restart() {
    let disk = Disk::default();
    for (round, hold) in [MemoryRows::stores, MemoryRows::halves].into_iter().enumerate() {
        let store = open(&disk).await;
        hold(&disk.1).hold();
        let mut committer = Committer::attach(&store).await;
        committer.write(&alice(), vec![delete_range("m", KeyRange::all()), put("m", "a", "1")]).await;
        committer.write(&alice(), vec![put("m", "a", round.to_string()), put("m", "b", "2")]).await;
        hold(&disk.1).waiting(1).await;
        drop(store);
        hold(&disk.1).release();

        let store = open(&disk).await;
        let rows = store.scan(&alice(), "m", &KeyRange::all(), 10, false).await.unwrap();
        assert_eq!(rows, [("a".into(), round.to_string().into()), ("b".into(), "2".into())]);
        store.drain().await.unwrap();
        assert_eq!(store.scan(&alice(), "m", &KeyRange::all(), 10, false).await.unwrap(), rows);
        assert_eq!(disk.0.contents().entries, []);
    }
}

#[tokio::test]
async fn what_is_stored_is_released_by_the_next_commit_and_what_is_not_is_kept() {
    let disk = Disk::default();
    let store = open(&disk).await;
    let mut committer = Committer::attach(&store).await;
    committer.write(&alice(), vec![put("m", "a", "1")]).await;
    while store.stats().batches == 0 {
        tokio::task::yield_now().await;
    }

    disk.1.stores().hold();
    committer.write(&alice(), vec![put("m", "a", "2")]).await;
    let contents = disk.0.contents();
    assert_eq!((contents.done, contents.entries.len(), disk.0.releases()), (1, 1, 0));
    drop(store);
    assert_eq!(disk.0.contents(), contents);
}

#[tokio::test(start_paused = true)]
async fn an_idle_store_releases_what_it_has_stored() {
    let disk = Disk::default();
    let host = Host::Tokio(tokio::runtime::Handle::current());
    let store = Journaled::open(disk.0.clone(), disk.1.clone(), host, JournaledOptions::default()).await.unwrap();
    store.attach().await.unwrap();
    store.commit(group(1, "1")).await.unwrap();

    #[allow(clippy::disallowed_methods, reason = "the clock of this test is paused and moves on by itself")]
    tokio::time::sleep(RELEASE_AFTER * 2).await;

    assert_eq!((disk.0.contents().done, disk.0.releases()), (1, 1));
}

#[tokio::test]
async fn a_store_that_is_closed_releases_what_it_has_stored() {
    let disk = Disk::default();
    let store = open(&disk).await;
    let mut committer = Committer::attach(&store).await;
    disk.1.stores().hold();
    committer.write(&alice(), vec![put("m", "a", "1")]).await;
    disk.1.stores().waiting(1).await;
    disk.1.stores().release();
    while store.stats().batches == 0 {
        tokio::task::yield_now().await;
    }
    drop(store);

    assert_eq!(disk.0.contents().done, 1);
}

#[tokio::test]
async fn a_journal_with_a_gap_or_a_damaged_entry_is_not_opened() {
    let disk = Disk::default();
    disk.1.stores().hold();
    let store = open(&disk).await;
    let mut committer = Committer::attach(&store).await;
    for _ in 0..4 {
        committer.write(&alice(), vec![put("m", "a", "1")]).await;
    }
    drop(store);
    let whole = disk.0.contents();

    disk.0.damage(3, |entry| Some(entry.slice(..entry.len() - 1)));
    let error = open_with(&disk, JournaledOptions::default()).await.unwrap_err();
    assert!(matches!(error, RecoverError::Entry { number: 3, reason: EntryError::Checksum }), "{error}");
    disk.0.damage(3, |_| Some(whole.entries.first().unwrap().1.clone()));
    let error = open_with(&disk, JournaledOptions::default()).await.unwrap_err();
    assert!(matches!(error, RecoverError::Misplaced { number: 3, found: 1 }), "{error}");
    disk.0.damage(3, |_| Some(vec![9, 0, 0].into()));
    let error = open_with(&disk, JournaledOptions::default()).await.unwrap_err();
    let newer = EntryError::Newer { found: 9, supported: 1 };
    assert!(matches!(error, RecoverError::Entry { number: 3, reason } if reason == newer), "{error}");
    disk.0.damage(3, |_| None);
    let error = open_with(&disk, JournaledOptions::default()).await.unwrap_err();
    assert!(matches!(error, RecoverError::Gap { expected: 3, found: 4 }), "{error}");
}

#[tokio::test]
async fn the_loops_can_run_as_tasks_too() {
    let disk = Disk::default();
    let host = Host::Tokio(tokio::runtime::Handle::current());
    let options = JournaledOptions::default();
    let store = Journaled::open(disk.0.clone(), disk.1.clone(), host, options).await.unwrap();
    store.attach().await.unwrap();

    store.commit(group(1, "1")).await.unwrap();
    store.drain().await.unwrap();

    assert_eq!(value(&store).await, Some("1".into()));
    assert_eq!((disk.1.len(), disk.0.contents().done), (1, 1));
}

#[tokio::test]
async fn a_drain_asks_again_while_the_journal_is_not_available_but_not_for_ever() {
    let disk = Disk::default();
    let store = open(&disk).await;
    store.attach().await.unwrap();
    store.commit(group(1, "1")).await.unwrap();
    disk.0.fail_next_release(UpkeepError::Unavailable);
    disk.0.fail_next_release(UpkeepError::Unavailable);

    assert_eq!(store.drain().await, Ok(()));
    assert_eq!((disk.0.contents().done, disk.1.len()), (1, 1));

    store.commit(group(2, "2")).await.unwrap();
    for _ in 0..1000 {
        disk.0.fail_next_release(UpkeepError::Unavailable);
    }
    let error = store.drain().await.unwrap_err();
    assert_eq!((error, error.is_retryable()), (DrainError::Unavailable, true));
    assert_eq!(store.commit(group(3, "3")).await, Ok(()), "it goes on");
}

#[tokio::test]
async fn a_drain_whose_release_fails_for_good_says_so_and_poisons() {
    let disk = Disk::default();
    let store = open(&disk).await;
    store.attach().await.unwrap();
    store.commit(group(1, "1")).await.unwrap();
    disk.0.fail_next_release(UpkeepError::Failed);

    let error = store.drain().await.unwrap_err();

    assert_eq!((error, error.is_retryable()), (DrainError::Poisoned, false));
    assert_eq!(store.commit(group(2, "2")).await, Err(CommitError::Closed));
}

#[tokio::test]
async fn a_drain_of_a_fenced_journal_says_so() {
    let disk = Disk::default();
    let store = open(&disk).await;
    store.attach().await.unwrap();
    disk.1.stores().hold();
    store.commit(group(1, "1")).await.unwrap();
    disk.0.fence();
    assert_eq!(store.commit(group(2, "2")).await, Err(CommitError::Fenced));
    disk.1.stores().release();

    let error = store.drain().await.unwrap_err();

    assert_eq!((error, error.is_retryable()), (DrainError::Fenced, false));
    assert_eq!(disk.0.contents().done, 0);
}

#[tokio::test]
async fn a_drain_settles_a_group_in_doubt_and_says_so_where_it_cannot() {
    let disk = Disk::default();
    let store = open(&disk).await;
    store.attach().await.unwrap();
    disk.1.stores().hold();
    store.commit(group(1, "1")).await.unwrap();
    for _ in 0..1000 {
        disk.0.lose_next_request();
    }
    assert_eq!(store.commit(group(2, "2")).await, Err(CommitError::Unknown));
    disk.1.stores().release();

    let error = store.drain().await.unwrap_err();
    assert_eq!((error, error.is_retryable()), (DrainError::InDoubt, true));
    assert_eq!(disk.0.contents().done, 0);

    disk.0.forget_faults();
    assert_eq!(store.drain().await, Ok(()));
    assert_eq!(disk.0.contents().done, 1);
    assert_eq!(store.commit(group(2, "2")).await, Ok(()), "it was settled, and its fate is told");
    assert_eq!(value(&store).await, Some("2".into()));
}

#[tokio::test]
async fn a_drain_waits_for_what_was_committed_before_it_and_for_nothing_else() {
    let disk = Disk::default();
    let store = open(&disk).await;
    store.attach().await.unwrap();
    disk.1.stores().hold();
    store.commit(group(1, "1")).await.unwrap();
    disk.1.stores().waiting(1).await;

    let mut drain = Box::pin(store.drain());
    assert!((&mut drain).now_or_never().is_none());
    store.commit(group(2, "2")).await.unwrap();
    disk.1.stores().let_through(1);

    assert_eq!(drain.await, Ok(()), "the second group is held back");
    assert_eq!((disk.0.contents().done, disk.0.contents().entries.len()), (1, 1));
}

#[tokio::test]
async fn a_drained_store_has_released_all_that_was_committed_before() {
    let disk = Disk::default();
    let store = open(&disk).await;
    store.attach().await.unwrap();
    for number in 1..=500 {
        store.commit(group(number, "1")).await.unwrap();
        assert_eq!(store.drain().await, Ok(()));
        assert_eq!(disk.0.contents().done, number);
    }
}
