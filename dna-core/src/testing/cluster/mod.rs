//! The conformance suite of the [`ClusterStore`] port.

mod beats;
mod fixture;
mod journals;
mod names;
mod takeover;
mod timestamps;
mod view;

use std::future::Future;

use crate::cluster::{ClusterStore, EntryProblem, NodeId};

/// A cluster's store as its conformance suite sees it: how to make one, how another process connects to it, and how its
/// journals are brought into the states that the suite is about.
pub trait ClusterUnderTest {
    /// The store, as one process has it.
    type Store: ClusterStore;
    /// What must live as long as the database: a server, or `()`.
    type Guard: Send + Sync;

    /// Why the suite cannot run here, such as a server that is not there, and how to make it run. Each case then says so
    /// on stdout and passes.
    fn skipped() -> Option<String> {
        None
    }

    /// Makes an empty database, and a connection to it.
    fn open() -> impl Future<Output = (Self::Guard, Self::Store)> + Send;

    /// One more connection to the same database, as another process would have it.
    fn another(guard: &Self::Guard, store: &Self::Store) -> impl Future<Output = Self::Store> + Send;

    /// From now on nothing that is committed over this connection is stored as rows, as if the database were slow to
    /// take them; until [`release_rows`](ClusterUnderTest::release_rows), or until the node is dropped. What is replayed
    /// over this connection may be held, too; the suite takes over only from others.
    fn hold_rows(guard: &Self::Guard, store: &Self::Store) -> impl Future<Output = ()> + Send;

    /// Ends the hold.
    fn release_rows(guard: &Self::Guard, store: &Self::Store) -> impl Future<Output = ()> + Send;

    /// Spoils an entry of a journal that is committed, in the way that `problem` says.
    fn damage_entry(
        guard: &Self::Guard,
        node: NodeId,
        lane: u16,
        number: u64,
        problem: EntryProblem,
    ) -> impl Future<Output = ()> + Send;

    /// Removes a journal, header and all.
    fn lose_journal(guard: &Self::Guard, node: NodeId, lane: u16) -> impl Future<Output = ()> + Send;
}

/// The cases of the suite, for [`cluster_conformance!`](crate::cluster_conformance).
#[doc(hidden)]
pub mod cases {
    pub use super::{beats::*, journals::*, names::*, takeover::*, timestamps::*, view::*};
}

/// Expands to one `#[test]` for each case of the conformance suite of
/// [`ClusterStore`](crate::ClusterStore), run against the
/// [`ClusterUnderTest`](crate::testing::ClusterUnderTest) that is named.
///
/// A case runs on a current-thread runtime of its own, and opens a database of its own. The docs of
/// [`ClusterStore`](crate::ClusterStore) show the whole of what a store writes for it.
#[macro_export]
macro_rules! cluster_conformance {
    ($store:ty) => {
        $crate::cluster_conformance!(@cases $store:
            a_new_register_has_version_zero_and_no_bytes
            a_swap_at_its_version_is_in_and_one_at_another_is_lost
            everyone_sees_the_same_view
            of_many_swappers_exactly_one_wins_each_version
            a_swap_that_nobody_waited_for_is_in_or_not
            a_view_at_its_limit_is_taken_and_one_byte_more_is_not
            a_view_may_be_empty_and_may_be_any_bytes
            what_nodes_must_have_alike_is_the_same_text_everywhere
            before_the_first_beat_there_is_none
            every_beat_is_seen_by_everyone
            an_older_beat_behind_a_newer_one_has_no_effect
            each_node_has_its_own_beats
            the_journals_of_a_node_are_opened_once
            a_node_has_as_many_lanes_as_it_asked_for_within_the_limit
            each_lane_has_numbers_and_groups_of_its_own
            what_waits_to_be_stored_is_seen_by_its_own_node
            what_was_drained_is_seen_by_every_node
            a_drain_waits_for_the_rows
            a_drain_with_nothing_to_do_is_done
            a_ring_is_gone_round_more_than_once
            what_is_written_above_a_floor_wins_over_what_was_written_below
            what_is_written_above_a_raised_floor_wins_over_what_was_written_below
            the_last_timestamp_rises_with_every_commit_and_never_falls
            a_replay_tells_the_last_timestamp_of_what_was_stored_and_of_what_was_not
            a_floor_far_ahead_of_the_database_is_refused
            a_node_that_never_committed_leaves_nothing
            a_sealed_journal_takes_nothing_and_hands_out_no_claim
            a_journal_that_was_sealed_unseen_is_not_claimed_again
            every_lane_of_a_node_is_sealed
            all_that_was_acknowledged_is_there_after_a_replay
            a_replay_does_not_undo_what_was_written_since
            late_rows_of_a_deposed_node_have_no_effect
            several_may_take_over_at_once
            a_takeover_that_was_given_up_is_ended_by_another
            a_commit_that_races_with_a_seal_is_in_or_never_will_be
            a_group_that_is_in_is_answered_ok_also_once_its_journal_is_sealed
            what_was_drained_is_not_replayed
            a_node_leaves_by_sealing_itself
            a_missing_journal_is_an_alarm
            an_entry_that_cannot_be_read_is_an_error
            the_first_registration_of_a_name_stands
            of_many_registrations_of_a_name_one_stands
            odd_names_are_registered_apart
            odd_names_have_rows_of_their_own_also_after_a_replay
        );
    };
    (@cases $store:ty: $($case:ident)*) => {
        $(
            #[test]
            fn $case() {
                let skipped = <$store as $crate::testing::ClusterUnderTest>::skipped();
                $crate::testing::run_unless(skipped, $crate::testing::cluster_cases::$case::<$store>());
            }
        )*
    };
}
