//! What tests of this crate and of those above it share: the conformance suites of the [`Store`] and the
//! [`ClusterStore`](crate::ClusterStore) port, the faults of [`Memory`](crate::Memory) and
//! [`MemoryCluster`](crate::MemoryCluster), and the check of [histories](history). Feature `testing`; nothing here is meant
//! for production.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    missing_docs,
    reason = "a test that fails is to panic, and the name of a case says what it checks"
)]

mod claims;
mod cluster;
mod commits;
mod fixture;
pub mod history;
mod isolation;
mod lane_store;
mod reads;
mod spawner;

use std::future::Future;

pub use self::{
    cluster::ClusterUnderTest,
    fixture::{Committer, actor, delete, delete_range, put, writes},
    lane_store::LaneStore,
    spawner::{Spawner, current_spawner, within_process},
};
pub use crate::fault_point::at_fault_points;
pub use crate::memory::{ClusterFaults, Fate, FaultPlan, MemoryFaults, MemoryStats, RequestKind, Rule};
use crate::store::Store;

/// A store as the conformance suite sees it: how to make one, and how to close it and open it again.
pub trait StoreUnderTest {
    /// The store.
    type Store: Store;
    /// What must live as long as the store: a temporary directory, a server, or `()`.
    type Guard: Send;

    /// Why the suite cannot run here, such as a server that is not there, and how to make it run. Each case then says so
    /// on stdout and passes.
    fn skipped() -> Option<String> {
        None
    }

    /// Makes an empty store that nobody has claimed.
    fn open() -> impl Future<Output = (Self::Guard, Self::Store)> + Send;

    /// Closes the store and opens it again, as a restart of the process would. A store that does not outlive its
    /// process only gives the claim back, which is what happens unless this is overridden.
    fn reopen(guard: Self::Guard, store: Self::Store) -> impl Future<Output = (Self::Guard, Self::Store)> + Send {
        async move {
            store.detach();
            (guard, store)
        }
    }
}

/// Runs one case of the suite, unless it is skipped.
#[doc(hidden)]
#[allow(clippy::print_stdout, reason = "a test that was skipped says so")]
pub fn run_unless(skipped: Option<String>, case: impl Future<Output = ()>) {
    match skipped {
        Some(reason) => println!("skipped: {reason}"),
        None => run(case),
    }
}

/// Runs one case of the suite on a runtime of its own.
#[doc(hidden)]
pub fn run(case: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a current-thread runtime can be made")
        .block_on(case);
}

/// The cases of the suite, for [`store_conformance!`](crate::store_conformance).
#[doc(hidden)]
pub mod cases {
    pub use super::{claims::*, commits::*, isolation::*, reads::*};
}

#[doc(hidden)]
pub use self::cluster::cases as cluster_cases;

/// Expands to one `#[test]` for each case of the conformance suite of [`Store`], run against the
/// [`StoreUnderTest`] that is named. The docs of [`Store`] show the whole of what a store writes for it.
#[macro_export]
macro_rules! store_conformance {
    ($store:ty) => {
        $crate::store_conformance!(@cases $store:
            a_new_store_begins_with_the_number_one
            a_second_claim_is_refused_while_the_first_stands
            giving_back_twice_is_as_good_as_once
            numbers_go_on_after_the_claim_was_given_back
            numbers_and_rows_go_on_after_a_restart
            a_claim_that_nobody_waited_for_is_given_back
            a_commit_without_a_claim_is_fenced
            a_number_that_is_neither_the_last_nor_the_next_is_fenced
            a_committed_group_is_visible
            a_group_is_applied_to_all_its_actors_and_modules
            a_group_that_comes_again_is_applied_once_and_answered_alike
            a_group_that_comes_again_does_not_undo_a_later_claims_start
            range_deletes_come_before_the_puts_of_their_group
            a_range_delete_takes_back_what_earlier_groups_put
            an_empty_range_delete_removes_nothing
            the_last_of_several_groups_wins
            a_dropped_commit_is_settled_all_the_same
            a_group_without_writes_has_a_number_too
            a_group_at_its_limit_is_taken
            a_group_past_its_limit_is_refused_and_its_number_is_free
            a_group_with_a_bound_or_label_past_its_limit_is_refused
            a_range_delete_may_end_behind_the_longest_key
            keys_and_values_at_their_limits_come_back
            an_empty_key_and_an_empty_value_are_rows
            a_read_of_what_was_never_written_finds_nothing
            a_list_answers_what_an_ordered_map_answers
            a_list_in_small_pieces_is_the_whole_list
            a_read_sees_every_commit_that_was_answered_before_it_began
            reads_may_be_dropped
            actors_do_not_see_each_other
            modules_do_not_see_each_other
            names_that_run_into_each_other_stay_apart
            a_range_delete_stays_within_its_actor_and_module
        );
    };
    (@cases $store:ty: $($case:ident)*) => {
        $(
            #[test]
            fn $case() {
                let skipped = <$store as $crate::testing::StoreUnderTest>::skipped();
                $crate::testing::run_unless(skipped, $crate::testing::cases::$case::<$store>());
            }
        )*
    };
}
