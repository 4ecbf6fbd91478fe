//! Every bound of this crate, with its unit in its name.

use std::time::Duration;

/// How many shards a cluster may have.
pub const SHARDS_MAX: u32 = 65_536;

/// How many nodes a cluster may have.
pub const MEMBERS_MAX: usize = 1024;

/// How many actor types a node may know.
pub const MEMBER_TYPES_MAX: usize = 1024;

/// How many actor types a cluster may know the placement of.
pub const PLACEMENTS_MAX: usize = 4096;

/// Longest name of a consistency setting, of a boot id and of an address, in bytes.
pub const LABEL_BYTES_MAX: usize = 128;

/// Shortest lease, in milliseconds. A sixth of it is the interval of the heartbeats.
pub const LEASE_MS_MIN: u32 = 60;

/// Longest lease, in milliseconds.
pub const LEASE_MS_MAX: u32 = 600_000;

/// How many heartbeats of one node may wait for their answers.
pub const BEATS_IN_FLIGHT_MAX: usize = 6;

/// How long the main runtime may leave the probe task waiting before the node stops to beat.
pub const PROBE_AGE_MAX: Duration = Duration::from_secs(10);

/// From how many dead nodes one node takes over at a time.
pub const TAKEOVERS_MAX: usize = 8;

/// How long a start waits at the most until this process has taken over from the one that had its address before.
pub const SAME_ADDRESS_TAKEOVER_MAX: Duration = Duration::from_secs(10);

/// For how many leases the members of a cluster must have been the same before shards move between those that stay. A
/// newcomer that died at once is found out earlier.
pub const STEADY_LEASES: u32 = 2;

/// In how many batches all shards of a cluster would move: that fraction of them moves, and is not served, at a time.
pub const MOVE_BATCHES: u32 = 16;

/// How long the actors of a batch of shards have to end when these are to move, before they are served again and each
/// shard is tried alone; then twice as long every time.
pub const MOVE_PATIENCE: Duration = Duration::from_secs(2);

/// How long the actors of a node have to end when it leaves, unless it says otherwise; and those of one
/// shard at the most, when it is to move.
pub const RELEASE_DEADLINE: Duration = Duration::from_secs(30);

/// How many messages may be on their way to other nodes, or wait to be sent, before casts wait for room.
pub const ROUTED_CASTS_MAX: usize = 32 * 1024;

/// How many bytes these may have before casts wait for room. This bound, as the others of their bytes, is exceeded by one
/// message at the most: as long as there is room, a message goes, however long it is.
pub const ROUTED_CASTS_BYTES_MAX: usize = 64 * 1024 * 1024;

/// How many of these messages may be for one actor before casts to it wait for room.
pub const ROUTED_ACTOR_CASTS_MAX: usize = 3 * 1024;

/// How many bytes those for one actor may have before casts to it wait for room.
pub const ROUTED_ACTOR_CASTS_BYTES_MAX: usize = 16 * 1024 * 1024;

/// How many may be for one actor whose casts do not wait because of what is for others, unless calls would be refused, too.
pub const ROUTED_ACTOR_FREE_CASTS_MAX: usize = 16;

/// How many may be for one actor before calls to it are refused.
pub const ROUTED_ACTOR_MESSAGES_MAX: usize = 16 * 1024;

/// How many bytes those for one actor may have before calls to it are refused.
pub const ROUTED_ACTOR_BYTES_MAX: usize = 64 * 1024 * 1024;

/// How many messages may be on their way to other nodes, or wait to be sent, before calls are refused.
pub const ROUTED_MESSAGES_MAX: usize = 64 * 1024;

/// How many bytes these may have before calls are refused.
pub const ROUTED_BYTES_MAX: usize = 256 * 1024 * 1024;

/// How long a view that another node knows, and that a read has not found, is not asked for again.
pub const VIEW_PAUSE: Duration = Duration::from_millis(100);

/// How much longer than its deadline the answer to a message is waited for that may have been started: the node that
/// serves it knows whether it was.
pub const ANSWER_GRACE: Duration = Duration::from_millis(500);

/// Answers that are longer are not decoded by the task of the connection that has brought them, in bytes. And where those
/// to a peer were longer of late, they are not encoded by it either.
pub const ANSWERED_IN_PLACE_BYTES_MAX: usize = 16 * 1024;

/// For how many calls it is remembered that an answer was longer than [`ANSWERED_IN_PLACE_BYTES_MAX`].
pub const LONG_ANSWERS_REMEMBERED: u32 = 64;

/// How long a cast without a deadline may be on its way.
pub const CAST_DEADLINE: Duration = Duration::from_secs(600);

/// How long is waited before messages that were sent back are sent again, where no newer view says where to: at first, and
/// doubled up to the longest.
pub const RESEND_PAUSE: Duration = Duration::from_millis(10);

/// The longest of these pauses.
pub const RESEND_PAUSE_MAX: Duration = Duration::from_millis(320);

/// How long is waited before a name is registered once more whose registration had no answer: at first, and doubled up to
/// the longest.
pub const LOOKUP_PAUSE: Duration = Duration::from_millis(20);

/// The longest of these pauses.
pub const LOOKUP_PAUSE_MAX: Duration = Duration::from_millis(640);

/// How long the connections of a node that leaves may take to let answers through.
pub const CLOSE_DEADLINE: Duration = Duration::from_secs(5);
