//! Moves: when a live owner gives shards away, which of them, and how long their actors may take.

use std::{collections::BTreeMap, num::NonZeroU32, time::Duration};

use dna_core::{NodeId, Shard};

use super::hand_over::{Move, misplaced};
use crate::{
    limits::{MOVE_BATCHES, MOVE_PATIENCE, STEADY_LEASES},
    moment::Moment,
    view::{MemberState, View},
};

/// Since when the members are the same, each in the same state. Owners may change meanwhile: who should own what follows
/// from the members alone.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Steady {
    members: Vec<(NodeId, MemberState)>,
    since: Moment,
}

impl Steady {
    /// Takes in a view that was learnt at `now`.
    pub fn observe(&mut self, view: &View, now: Moment) {
        let members = view.members().map(|member| (member.id, member.state)).collect::<Vec<_>>();
        if self.members != members {
            *self = Steady { members, since: now };
        }
    }

    /// For how long the members have been the same.
    pub fn lasts(&self, now: Moment) -> Duration {
        now.since(self.since)
    }
}

/// How long the members have to be the same before a shard moves to one of them that is not draining away: longer than it
/// takes to find out that a newcomer has died at once.
pub fn steady_enough(lease: Duration) -> Duration {
    lease * STEADY_LEASES
}

/// How many shards move at once, out of those of the cluster.
pub fn batch_len(shards: NonZeroU32) -> usize {
    usize::try_from(shards.get().div_ceil(MOVE_BATCHES)).unwrap_or(usize::MAX)
}

/// The shards whose actors did not end in time. Each is tried again alone, with more patience every time, and served in
/// between for at least as long as it was not.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Late(BTreeMap<Shard, Missed>);

/// A shard whose actors did not end in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Missed {
    tries: u32,
    not_before: Moment,
}

impl Late {
    /// At `now` it turned out that the actors of these shards do not all end within `patience`.
    pub fn missed(&mut self, shards: impl IntoIterator<Item = Shard>, patience: Duration, now: Moment) {
        for shard in shards {
            let tries = self.0.get(&shard).map_or(1, |missed| missed.tries.saturating_add(1));
            self.0.insert(shard, Missed { tries, not_before: now.after(patience) });
        }
    }

    /// These shards have moved.
    pub fn moved(&mut self, shards: impl IntoIterator<Item = Shard>) {
        for shard in shards {
            self.0.remove(&shard);
        }
    }
}

/// What to do about the shards of a node that belong elsewhere. See [`next_moves`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MoveStep {
    /// Nothing, until the view changes.
    Nothing,
    /// Nothing for so long, unless the view changes.
    Wait(Duration),
    /// Give these away, if their actors end within so much time.
    Move {
        /// One batch.
        moves: Vec<Move>,
        /// How long their actors may take.
        patience: Duration,
    },
}

/// What `me` does at `now` about its shards that belong elsewhere, by a view whose members have been the same for as long
/// as `steady` says. `late` are those whose actors did not end in time before; none ever waits for longer than
/// `patience_max`.
///
/// A node that drains does not wait for the members to be steady.
pub fn next_moves(
    view: &View,
    me: NodeId,
    steady: &Steady,
    late: &Late,
    patience_max: Duration,
    now: Moment,
) -> MoveStep {
    let mut moves = misplaced(view, me).peekable();
    if moves.peek().is_none() {
        return MoveStep::Nothing;
    }
    let waits = view.member(me).is_some_and(|member| member.is_active());
    let missing = steady_enough(view.settings().lease).saturating_sub(steady.lasts(now));
    if waits && !missing.is_zero() {
        return MoveStep::Wait(missing);
    }
    let mut first_late: Option<(Missed, Move)> = None;
    let mut batch = Vec::new();
    for a_move in moves {
        match late.0.get(&a_move.shard) {
            None => batch.push(a_move),
            Some(missed) => {
                let order = |missed: &Missed| (missed.not_before.max(now), missed.tries);
                if first_late.as_ref().is_none_or(|(first, _)| order(missed) < order(first)) {
                    first_late = Some((*missed, a_move));
                }
            }
        }
        if batch.len() == batch_len(view.settings().shards) {
            break;
        }
    }
    match first_late {
        _ if !batch.is_empty() => MoveStep::Move { moves: batch, patience: MOVE_PATIENCE.min(patience_max) },
        Some((missed, a_move)) if missed.not_before <= now => {
            let patience = MOVE_PATIENCE.saturating_mul(1 << missed.tries.min(16)).min(patience_max);
            MoveStep::Move { moves: vec![a_move], patience }
        }
        Some((missed, _)) => MoveStep::Wait(missed.not_before.since(now)),
        None => MoveStep::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        samples::{joined, member, node},
        view::{Member, Seen},
    };

    const LEASE: Duration = Duration::from_secs(3);
    const PATIENCE_MAX: Duration = Duration::from_secs(30);

    fn at(seconds: u64) -> Moment {
        Moment::since_boot(Duration::from_secs(seconds))
    }

    fn draining(byte: u8) -> Member {
        Member { state: MemberState::Draining, ..member(byte) }
    }

    /// What node 1 does so many seconds after it has learnt of the view.
    fn after(seen: &Seen, seconds: u64, late: &Late) -> MoveStep {
        let mut steady = Steady::default();
        steady.observe(&seen.view, at(100));
        next_moves(&seen.view, node(1), &steady, late, PATIENCE_MAX, at(100 + seconds))
    }

    fn moved(step: &MoveStep) -> (Vec<u32>, u64) {
        let MoveStep::Move { moves, patience } = step else { panic!("{step:?}") };
        (moves.iter().map(|a_move| a_move.shard.0).collect(), patience.as_secs())
    }

    #[test]
    fn an_owner_waits_until_the_members_have_been_the_same_for_two_leases() {
        assert_eq!(steady_enough(LEASE), Duration::from_secs(6));
        let seen = joined(64, [member(1), member(2)]);
        let wait = |seconds| MoveStep::Wait(Duration::from_secs(seconds));
        assert_eq!(after(&seen, 0, &Late::default()), wait(6));
        assert_eq!(after(&seen, 5, &Late::default()), wait(1));
        let (shards, patience) = moved(&after(&seen, 6, &Late::default()));
        assert_eq!((shards.len(), patience), (4, 2), "a sixteenth of the shards at once");
    }

    #[test]
    fn there_is_nothing_to_do_where_nothing_is_misplaced() {
        for members in
            [vec![member(1)], vec![member(1), draining(2)], vec![member(1), Member { weight: 0, ..member(2) }]]
        {
            assert_eq!(after(&joined(64, members), 60, &Late::default()), MoveStep::Nothing);
        }
        let other_types = Member { types: [("Order".to_owned(), 1)].into(), ..member(2) };
        assert_eq!(after(&joined(64, [member(1), other_types]), 60, &Late::default()), MoveStep::Nothing);
    }

    #[test]
    fn a_node_that_drains_gives_all_away_at_once_and_to_nobody_where_nobody_is_active() {
        for (others, to) in [(vec![member(2)], Some(node(2))), (vec![], None), (vec![draining(2)], None)] {
            let mut seen = joined(16, std::iter::once(member(1)).chain(others));
            seen.view.set_state(node(1), MemberState::Draining);
            let MoveStep::Move { moves, .. } = after(&seen, 0, &Late::default()) else { panic!() };
            assert_eq!(moves, [Move { shard: Shard(0), epoch: 1, to }]);
            assert_eq!(misplaced(&seen.view, node(1)).count(), 16);
        }
    }

    #[test]
    fn every_change_of_the_members_starts_the_wait_anew_and_a_change_of_owners_does_not() {
        let mut seen = joined(64, [member(1), member(2)]);
        let mut steady = Steady::default();
        steady.observe(&seen.view, at(100));
        seen.view.give(Shard(7), Some(node(2)), 9);
        steady.observe(&seen.view, at(103));
        assert_eq!(steady.lasts(at(105)), Duration::from_secs(5));

        steady.observe(&joined(64, [member(1), member(2), member(3)]).view, at(105));
        assert_eq!(steady.lasts(at(105)), Duration::ZERO, "one has joined");
        steady.observe(&joined(64, [member(1), draining(2), member(3)]).view, at(107));
        assert_eq!(steady.lasts(at(108)), Duration::from_secs(1), "one drains");
        steady.observe(&joined(64, [member(1), member(3)]).view, at(108));
        assert_eq!(steady.lasts(at(109)), Duration::from_secs(1), "one is gone");
    }

    #[test]
    fn shards_whose_actors_did_not_end_come_last_alone_and_with_twice_the_time() {
        let seen = {
            let mut seen = joined(16, [member(1), member(2)]);
            seen.view.set_state(node(1), MemberState::Draining);
            seen
        };
        let mut late = Late::default();
        late.missed((0..15).map(Shard), Duration::from_secs(2), at(100));
        assert_eq!(moved(&after(&seen, 0, &late)), (vec![15], 2), "a fresh one first");
        late.missed([Shard(15)], Duration::from_secs(2), at(101));
        assert_eq!(after(&seen, 1, &late), MoveStep::Wait(Duration::from_secs(1)), "they are served for a while");
        assert_eq!(moved(&after(&seen, 2, &late)), (vec![0], 4), "alone");
        late.missed([Shard(0)], Duration::from_secs(4), at(106));
        assert_eq!(moved(&after(&seen, 6, &late)).0, [1]);
        for (missed, patience) in [(2, 8), (3, 16), (4, 30), (5, 30), (60, 30)] {
            let mut late = Late::default();
            for _ in 0..missed {
                late.missed((0..16).map(Shard), Duration::from_secs(1), at(99));
            }
            assert_eq!(moved(&after(&seen, 0, &late)), (vec![0], patience), "missed {missed} times");
        }
        late.moved((0..16).map(Shard));
        assert_eq!(late, Late::default());
    }

    #[test]
    fn a_sixteenth_of_the_shards_moves_at_once_and_one_at_the_least() {
        for (shards, batch) in [(1, 1), (8, 1), (16, 1), (17, 2), (256, 16), (4096, 256), (65_536, 4096)] {
            assert_eq!(batch_len(NonZeroU32::new(shards).unwrap()), batch, "{shards} shards");
        }
    }
}
