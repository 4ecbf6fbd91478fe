//! The suite can fail: each rule of the port, taken out, is missed by the cases that are named here.

use std::panic::catch_unwind;

use dna_core::testing::{Rule, cluster_cases, run};

use crate::{simulation::TAKEN_OUT_OF_SIMULATION, under_test::InMemory};

macro_rules! without {
    ($($name:ident: $rule:ident => $($case:ident)+;)+) => {
        /// The rules that are taken out below.
        const TAKEN_OUT: &[Rule] = &[$(Rule::$rule),+];

        $(
            #[test]
            fn $name() {
                const WITHOUT: usize = Rule::$rule as usize;
                $(
                    let outcome = catch_unwind(|| run(cluster_cases::$case::<InMemory<WITHOUT>>()));
                    assert!(outcome.is_err(), "{} does not miss {:?}", stringify!($case), Rule::$rule);
                )+
            }
        )+
    };
}

without! {
    swap_needs_its_version: SwapNeedsItsVersion => a_swap_at_its_version_is_in_and_one_at_another_is_lost of_many_swappers_exactly_one_wins_each_version everyone_sees_the_same_view;
    lost_swap_says_so: LostSwapSaysSo => a_swap_at_its_version_is_in_and_one_at_another_is_lost of_many_swappers_exactly_one_wins_each_version;
    view_is_bounded: ViewIsBounded => a_view_at_its_limit_is_taken_and_one_byte_more_is_not;
    higher_beat_stands: HigherBeatStands => an_older_beat_behind_a_newer_one_has_no_effect;
    beats_are_per_node: BeatsArePerNode => each_node_has_its_own_beats;
    journals_open_once: JournalsOpenOnce => the_journals_of_a_node_are_opened_once;
    lanes_are_bounded: LanesAreBounded => a_node_has_as_many_lanes_as_it_asked_for_within_the_limit;
    floor_is_checked: FloorIsChecked => a_floor_far_ahead_of_the_database_is_refused;
    sealed_refuses: SealedRefuses => a_sealed_journal_takes_nothing_and_hands_out_no_claim every_lane_of_a_node_is_sealed a_node_leaves_by_sealing_itself a_commit_that_races_with_a_seal_is_in_or_never_will_be;
    sealed_is_not_claimed: SealedIsNotClaimed => a_journal_that_was_sealed_unseen_is_not_claimed_again;
    stamps_above_floor: StampsAboveFloor => what_is_written_above_a_floor_wins_over_what_was_written_below;
    stamps_are_raised: StampsAreRaised => what_is_written_above_a_raised_floor_wins_over_what_was_written_below the_last_timestamp_rises_with_every_commit_and_never_falls;
    last_timestamp_covers: LastTimestampCovers => the_last_timestamp_rises_with_every_commit_and_never_falls what_is_written_above_a_floor_wins_over_what_was_written_below;
    rows_go_by_timestamp: RowsGoByTimestamp => late_rows_of_a_deposed_node_have_no_effect a_replay_does_not_undo_what_was_written_since;
    reads_merge_what_waits: ReadsMergeWhatWaits => what_waits_to_be_stored_is_seen_by_its_own_node;
    every_lane_is_sealed: EveryLaneIsSealed => every_lane_of_a_node_is_sealed;
    replay: Replay => all_that_was_acknowledged_is_there_after_a_replay each_lane_has_numbers_and_groups_of_its_own several_may_take_over_at_once odd_names_have_rows_of_their_own_also_after_a_replay a_takeover_that_was_given_up_is_ended_by_another;
    replay_keeps_stamps: ReplayKeepsStamps => a_replay_does_not_undo_what_was_written_since;
    replay_last_includes_stored: ReplayLastIncludesStored => a_replay_tells_the_last_timestamp_of_what_was_stored_and_of_what_was_not a_node_leaves_by_sealing_itself;
    missing_is_an_alarm: MissingIsAnAlarm => a_missing_journal_is_an_alarm;
    damage_is_an_error: DamageIsAnError => an_entry_that_cannot_be_read_is_an_error;
    drain_waits: DrainWaits => a_drain_waits_for_the_rows;
    drain_releases: DrainReleases => what_was_drained_is_not_replayed a_node_leaves_by_sealing_itself;
    first_name_stands: FirstNameStands => the_first_registration_of_a_name_stands of_many_registrations_of_a_name_one_stands;
    name_parts_stay_apart: NamePartsStayApart => odd_names_are_registered_apart;
    lanes_are_apart: LanesAreApart => each_lane_has_numbers_and_groups_of_its_own all_that_was_acknowledged_is_there_after_a_replay;
}

#[test]
fn no_rule_is_left_out() {
    let taken_out = [TAKEN_OUT, TAKEN_OUT_OF_SIMULATION].concat();
    let left_out: Vec<_> = Rule::ALL.into_iter().filter(|rule| !taken_out.contains(rule)).collect();
    assert_eq!(left_out, []);
}
