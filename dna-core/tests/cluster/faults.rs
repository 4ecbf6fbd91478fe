//! What the cluster's store in memory answers when requests and answers are lost, late or doubled.

use std::{sync::Arc, time::Duration};

use dna_core::{
    AttachError, ClusterError, ClusterStore, CommitError, DrainError, EntryProblem, Group, MemoryCluster, NodeId,
    NodeJournals, OpenJournalsError, Outcome, ReadError, Refusal, SealError, Shard, Store, Swap, Timestamp,
    testing::{Fate, LaneStore, RequestKind, actor, put, writes},
};
use futures_util::FutureExt;

async fn node(cluster: &MemoryCluster) -> (NodeId, LaneStore) {
    let id = NodeId::new();
    let journals = cluster.open_journals(id, 1, Timestamp::ZERO).await.unwrap();
    let store = LaneStore::new(journals, 0);
    assert_eq!(store.attach().await, Ok(1));
    (id, store)
}

fn group(number: u64, value: &'static str) -> Arc<Group> {
    Arc::new(Group { number, actors: vec![writes(&actor("alice"), vec![put("m", "k", value)])] })
}

async fn value(store: &impl Store) -> Option<bytes::Bytes> {
    store.get(&actor("alice"), "m", b"k").await.unwrap()
}

#[tokio::test]
async fn a_swap_whose_answer_is_lost_is_in() {
    let cluster = MemoryCluster::new();
    cluster.faults().next(1, RequestKind::SwapView, Fate::LoseAnswer);

    assert_eq!(cluster.swap_view(0, "a".into()).await, Err(ClusterError::Unknown));
    assert_eq!(cluster.read_view().await.unwrap().bytes, "a");
    assert_eq!(cluster.swap_view(0, "a".into()).await, Ok(Swap::Lost { current: 1 }));
}

#[tokio::test]
async fn a_swap_whose_request_is_lost_or_refused_is_not_in() {
    let cluster = MemoryCluster::new();
    for (fate, error) in [(Fate::LoseRequest, ClusterError::Unknown), (Fate::Refuse, ClusterError::Unavailable)] {
        cluster.faults().next(1, RequestKind::SwapView, fate);
        assert_eq!(cluster.swap_view(0, "a".into()).await, Err(error));
        assert_eq!(cluster.read_view().await.unwrap().version, 0);
    }
    assert_eq!(cluster.swap_view(0, "b".into()).await, Ok(Swap::Done));
}

#[tokio::test]
async fn a_late_swap_is_in_unless_its_version_has_passed() {
    let cluster = MemoryCluster::new();
    cluster.faults().next(2, RequestKind::SwapView, Fate::Strand);
    assert_eq!(cluster.swap_view(0, "late".into()).await, Err(ClusterError::Unknown));
    assert_eq!(cluster.faults().deliver_stranded(), 1);
    assert_eq!(cluster.read_view().await.unwrap().bytes, "late");

    assert_eq!(cluster.swap_view(1, "too late".into()).await, Err(ClusterError::Unknown));
    assert_eq!(cluster.another().swap_view(1, "b".into()).await, Ok(Swap::Done));
    assert_eq!(cluster.faults().deliver_stranded(), 1);
    assert_eq!(cluster.read_view().await.unwrap().bytes, "b");
}

#[tokio::test]
async fn what_only_reads_is_never_unknown() {
    let cluster = MemoryCluster::new();
    let (_, store) = node(&cluster).await;
    for fate in [Fate::Refuse, Fate::LoseRequest, Fate::LoseAnswer, Fate::Strand] {
        for kind in [RequestKind::ReadView, RequestKind::Beats, RequestKind::Get, RequestKind::ReadHeader] {
            cluster.faults().next(1, kind, fate);
        }
        assert_eq!(cluster.read_view().await, Err(ClusterError::Unavailable));
        assert_eq!(cluster.beats().await, Err(ClusterError::Unavailable));
        assert_eq!(store.get(&actor("a"), "m", b"k").await, Err(ReadError::Unavailable));
        store.detach();
        assert_eq!(store.attach().await, Err(AttachError::Read(ReadError::Unavailable)));
    }
    assert_eq!(store.attach().await, Ok(1));
}

#[tokio::test]
async fn a_late_beat_does_not_hide_a_newer_one() {
    let cluster = MemoryCluster::new();
    let node = NodeId::new();
    cluster.faults().next(1, RequestKind::Beat, Fate::Strand);
    assert_eq!(cluster.beat(node, 1).await, Err(ClusterError::Unknown));
    cluster.beat(node, 2).await.unwrap();
    cluster.faults().deliver_stranded();
    assert_eq!(cluster.beats().await, Ok(vec![(node, 2)]));
}

#[tokio::test]
async fn a_group_whose_answer_was_lost_is_settled_by_asking_again() {
    let cluster = MemoryCluster::new();
    let (_, store) = node(&cluster).await;
    for (number, fate) in (1..).zip([Fate::LoseAnswer, Fate::LoseRequest, Fate::Strand]) {
        cluster.faults().next(1, RequestKind::Append, fate);
        assert_eq!(store.commit(group(number, "x")).await, Err(CommitError::Unknown), "{fate:?}");
        cluster.faults().next(1, RequestKind::Append, Fate::Refuse);
        assert_eq!(store.commit(group(number, "x")).await, Err(CommitError::Unknown), "in doubt still");
        assert_eq!(store.commit(group(number, "x")).await, Ok(()));
        assert_eq!(cluster.faults().asked(RequestKind::Append), 3 * number);
    }
    cluster.faults().deliver_stranded();
    assert_eq!(store.commit(group(4, "y")).await, Ok(()));
    assert_eq!(value(&store).await, Some("y".into()));
}

#[tokio::test]
async fn a_group_that_was_never_sent_leaves_its_number_free() {
    let cluster = MemoryCluster::new();
    let (_, store) = node(&cluster).await;
    cluster.faults().cut();
    let refused = Err(CommitError::NotApplied(Refusal::Unavailable));
    assert_eq!(store.commit(group(1, "a")).await, refused);
    cluster.faults().follow(Default::default());
    assert_eq!(store.commit(group(1, "b")).await, Ok(()));
    assert_eq!(value(&store).await, Some("b".into()));
}

#[tokio::test]
async fn a_claim_settles_what_is_in_doubt() {
    let cluster = MemoryCluster::new();
    let (_, store) = node(&cluster).await;
    cluster.faults().next(2, RequestKind::Append, Fate::LoseRequest);
    assert_eq!(store.commit(group(1, "a")).await, Err(CommitError::Unknown));
    store.detach();

    assert_eq!(store.attach().await, Err(AttachError::Read(ReadError::Unavailable)), "in doubt still");
    assert_eq!(store.attach().await, Ok(2));
    assert_eq!(value(&store).await, Some("a".into()));
}

#[tokio::test]
async fn a_group_in_doubt_is_fenced_by_a_seal_unless_it_is_in() {
    for (fate, is_in) in [(Fate::Strand, false), (Fate::LoseRequest, false), (Fate::LoseAnswer, true)] {
        let cluster = MemoryCluster::new();
        let (id, store) = node(&cluster).await;
        cluster.faults().next(1, RequestKind::Append, fate);
        assert_eq!(store.commit(group(1, "x")).await, Err(CommitError::Unknown));

        let replayed = cluster.another().seal_and_replay(id, 1).await.unwrap();
        assert_eq!(replayed.entries, u64::from(is_in));
        cluster.faults().deliver_stranded();

        let answer = store.commit(group(1, "x")).await;
        assert_eq!(answer, if is_in { Ok(()) } else { Err(CommitError::Fenced) }, "{fate:?}");
        assert_eq!(value(&store).await, is_in.then(|| "x".into()));
        assert_eq!(cluster.another().seal_and_replay(id, 1).await.map(|again| again.last), Ok(replayed.last));
    }
}

#[tokio::test]
async fn a_row_that_comes_again_long_after_does_not_hide_what_was_written_since() {
    let cluster = MemoryCluster::new();
    let (id, store) = node(&cluster).await;
    cluster.faults().next(1, RequestKind::StoreRows, Fate::Echo);
    store.commit(group(1, "old")).await.unwrap();
    store.journals().drain().await.unwrap();
    let other = cluster.another();
    let floor = other.seal_and_replay(id, 1).await.unwrap().last;
    let next = LaneStore::new(other.open_journals(NodeId::new(), 1, floor).await.unwrap(), 0);
    next.attach().await.unwrap();
    next.commit(group(1, "new")).await.unwrap();
    next.journals().drain().await.unwrap();

    assert_eq!(cluster.faults().deliver_stranded(), 1);
    assert_eq!(value(&next).await, Some("new".into()));
}

#[tokio::test]
async fn journals_whose_making_is_in_doubt_are_not_to_be_had() {
    for fate in [Fate::LoseAnswer, Fate::Strand] {
        let cluster = MemoryCluster::new();
        let (id, open) = (NodeId::new(), |id| cluster.open_journals(id, 2, Timestamp::ZERO));
        cluster.faults().next(1, RequestKind::OpenJournal, fate);
        let error = open(id).await.err().unwrap();
        assert_eq!(error, OpenJournalsError::Store(ClusterError::Unknown));
        assert_eq!((error.outcome(), error.is_retryable()), (Outcome::Unknown, true));
        cluster.faults().deliver_stranded();

        assert_eq!(open(id).await.err(), Some(OpenJournalsError::Exists { node: id }));
        assert!(open(NodeId::new()).await.is_ok());
    }
}

#[tokio::test]
async fn a_wall_clock_far_from_that_of_the_database_is_refused() {
    let cluster = MemoryCluster::new();
    let minute = 60_000_000;
    for micros in [minute + 1_000_000, -minute - 1_000_000] {
        cluster.faults().set_clock_offset(micros);
        let refused = cluster.open_journals(NodeId::new(), 1, Timestamp::ZERO).await.err().unwrap();
        assert!(matches!(refused, OpenJournalsError::ClockOffset { .. }), "{refused}");
        assert_eq!((refused.outcome(), refused.is_retryable()), (Outcome::NotApplied, true));
    }
    for micros in [minute - 1_000_000, 1_000_000 - minute] {
        cluster.faults().set_clock_offset(micros);
        assert!(cluster.open_journals(NodeId::new(), 1, Timestamp::ZERO).await.is_ok());
    }
}

#[tokio::test]
async fn a_takeover_that_meets_a_fault_can_be_done_again() {
    let kinds = [RequestKind::Seal, RequestKind::ReadJournal, RequestKind::StoreRows];
    for (kind, fate) in kinds.into_iter().flat_map(|kind| [(kind, Fate::Refuse), (kind, Fate::LoseAnswer)]) {
        let (cluster, other) = {
            let first = MemoryCluster::new();
            (first.another(), first)
        };
        let (id, store) = node(&cluster).await;
        cluster.faults().hold([RequestKind::StoreRows]);
        store.commit(group(1, "x")).await.unwrap();
        drop(store);

        other.faults().next(1, kind, fate);
        let error = other.seal_and_replay(id, 1).await.unwrap_err();
        assert!(matches!(error, SealError::Store(ClusterError::Unavailable | ClusterError::Unknown)), "{error:?}");
        assert_eq!((error.outcome(), error.is_retryable()), (Outcome::Unknown, true));

        assert_eq!(other.seal_and_replay(id, 1).await.unwrap().entries, 1);
        assert_eq!(value(&node(&other).await.1).await, Some("x".into()));
    }
}

#[tokio::test]
async fn a_last_entry_that_cannot_be_read_is_an_error_even_if_it_was_stored() {
    let cluster = MemoryCluster::new();
    let (id, store) = node(&cluster).await;
    store.commit(group(1, "x")).await.unwrap();
    store.journals().drain().await.unwrap();

    cluster.faults().damage_entry(id, 0, 1, EntryProblem::Damaged);
    let error = SealError::Entry { node: id, lane: 0, number: 1, problem: EntryProblem::Damaged };
    assert_eq!(cluster.seal_and_replay(id, 1).await, Err(error), "nobody knows its timestamp");
}

#[tokio::test]
async fn a_drain_says_what_it_could_not_do() {
    let cluster = MemoryCluster::new();
    let (_, store) = node(&cluster).await;
    cluster.faults().next(2, RequestKind::Append, Fate::LoseRequest);
    assert_eq!(store.commit(group(1, "x")).await, Err(CommitError::Unknown));
    assert_eq!(store.journals().drain().await, Err(DrainError::InDoubt));
    cluster.faults().next(1, RequestKind::Release, Fate::Refuse);
    assert_eq!(store.journals().drain().await, Err(DrainError::Unavailable));
    assert_eq!(store.journals().drain().await, Ok(()));
    assert_eq!(value(&store).await, Some("x".into()));
}

#[tokio::test(start_paused = true)]
async fn a_full_ring_holds_commits_back_and_refuses_them_in_the_end() {
    let cluster = MemoryCluster::new();
    let (_, store) = node(&cluster).await;
    cluster.faults().hold([RequestKind::StoreRows]);
    for number in 1..=256 {
        store.commit(group(number, "x")).await.unwrap();
    }
    assert_eq!(store.commit(group(257, "y")).await, Err(CommitError::NotApplied(Refusal::Busy)));

    let mut waits = store.commit(group(257, "z"));
    assert!((&mut waits).now_or_never().is_none());
    cluster.faults().release([RequestKind::StoreRows]);
    assert_eq!(waits.await, Ok(()));
    assert_eq!(value(&store).await, Some("z".into()));
}

#[tokio::test(start_paused = true)]
async fn requests_and_answers_take_the_time_that_they_are_told_to() {
    let cluster = MemoryCluster::new();
    let other = cluster.another();
    let delay = Fate::Delay { request: Duration::from_secs(3), answer: Duration::from_secs(4) };
    cluster.faults().always(RequestKind::SwapView, delay);
    let start = tokio::time::Instant::now();

    let swap = tokio::spawn(async move { cluster.swap_view(0, "a".into()).await });
    tokio::time::sleep(Duration::from_millis(2_999)).await;
    assert_eq!(other.read_view().await.unwrap().version, 0);
    tokio::time::sleep(Duration::from_millis(2)).await;
    assert_eq!(other.read_view().await.unwrap().version, 1);
    assert_eq!(swap.await.unwrap(), Ok(Swap::Done));
    assert_eq!(start.elapsed().as_secs(), 7);

    other.faults().next(1, RequestKind::RegisterName, Fate::Late(Duration::from_secs(5)));
    assert_eq!(other.register_name(&actor("a"), Shard(1)).await, Err(ClusterError::Unknown));
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(other.register_name(&actor("a"), Shard(2)).await, Ok(Shard(1)));
}

#[tokio::test]
async fn a_request_that_is_held_is_under_way_even_if_nobody_waits() {
    let cluster = MemoryCluster::new();
    cluster.faults().hold(RequestKind::ALL);
    {
        let mut swap = cluster.swap_view(0, "a".into());
        assert!((&mut swap).now_or_never().is_none());
    }
    cluster.faults().held(1).await;
    assert_eq!(cluster.another().read_view().await.unwrap().version, 0);
    cluster.faults().release(RequestKind::ALL);
    assert_eq!(cluster.read_view().await.unwrap().version, 1);
}

#[tokio::test]
async fn what_runs_in_the_background_ends_with_the_journals() {
    let cluster = MemoryCluster::new();
    let (id, store) = node(&cluster).await;
    cluster.faults().hold([RequestKind::StoreRows]);
    store.commit(group(1, "x")).await.unwrap();
    cluster.faults().held(1).await;
    let journals: Arc<dyn NodeJournals> = store.journals().clone();
    let weak = Arc::downgrade(&journals);
    drop((journals, store));

    assert!(weak.upgrade().is_none(), "no task holds the journals");
    let rows = node(&cluster).await.1;
    assert_eq!(value(&rows).await, None, "not stored by anyone");
    cluster.faults().release([RequestKind::StoreRows]);
    assert_eq!(value(&rows).await, Some("x".into()), "what was under way arrives");
    assert_eq!(cluster.another().seal_and_replay(id, 1).await.unwrap().entries, 1);
}
