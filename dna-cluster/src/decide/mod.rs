//! What follows from what is known: pure functions of view, heartbeats and clock. No input, no output, no waiting; what
//! they say is done by [`Membership`](crate::Membership), and by nothing else.

mod address;
mod clock;
mod detection;
mod hand_over;
mod join;
mod lease;
mod leave;
mod moves;
mod probe;
mod rejoin;
mod shards;
mod swap;
mod takeover;
mod types;

#[cfg(test)]
mod tables;

pub use self::{
    address::gone_from_this_address,
    clock::{ClockError, check_clock},
    detection::{Detector, Reading, margin},
    hand_over::{Move, hand_over, hand_over_resting, misplaced},
    join::{JoinError, join},
    lease::{Lease, Renewal, beat_interval},
    leave::{LeaveStep, leave},
    moves::{Late, MoveStep, Steady, batch_len, next_moves, steady_enough},
    probe::may_beat,
    rejoin::rejoin_pause,
    shards::{ShardChanges, shard_changes},
    swap::{NextSwap, settle},
    takeover::{TakeoverStep, take_over},
    types::{Misfit, known_by, misfit, shard_for_new},
};
