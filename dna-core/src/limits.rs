//! Every bound of this crate, with its unit in its name. What is configurable has its default here.
//!
//! A limit that is hit has an error of its own: see [`CallError`](crate::CallError) and
//! [`WriteError`](crate::WriteError).

use std::time::Duration;

/// Longest namespace, actor type or module name, in bytes of UTF-8.
pub const LABEL_BYTES_MAX: usize = 128;

/// Longest actor name, in bytes of UTF-8.
pub const NAME_BYTES_MAX: usize = 1024;

/// Longest key of a storage module, in bytes.
pub const KEY_BYTES_MAX: usize = 2048;

/// Longest value of a storage module, in bytes.
pub const VALUE_BYTES_MAX: usize = 256 * 1024;

/// What one message may write, in bytes: half a group, on every store.
pub const MESSAGE_WRITE_BYTES_MAX: usize = GROUP_BYTES_MAX / 2;

/// What one commit carries at the most, in bytes of writes.
pub const GROUP_BYTES_MAX: usize = 1024 * 1024;

/// What the addresses of the actors in one commit may take, in bytes; the one that passes the bound still goes in.
pub const GROUP_NAMES_BYTES_MAX: usize = 256 * 1024;

/// What a write costs beside its key and value when it is counted against a limit, in bytes.
pub const WRITE_OVERHEAD_BYTES: usize = 16;

/// What waits to be committed on one node before its actors wait, in bytes of writes.
pub const UNCOMMITTED_BYTES_MAX: usize = 8 * GROUP_BYTES_MAX;

/// How many replies may be held back on one node before its actors wait.
pub const HELD_REPLIES_MAX: usize = 128 * 1024;

/// How many messages one batch takes from a mailbox, unless the actor says otherwise.
pub const BATCH_MESSAGES_MAX: usize = 1024;

/// How many messages a mailbox admits, unless the actor says otherwise.
pub const MAILBOX_MESSAGES_MAX: usize = 4096;

/// How many messages may be queued on one node, in all mailboxes together.
pub const QUEUED_MESSAGES_MAX: usize = 1024 * 1024;

/// What the view of a cluster may take in its register, in bytes.
pub const VIEW_BYTES_MAX: usize = 1024 * 1024;

/// How many journals one node may have.
pub const JOURNAL_LANES_MAX: u16 = 64;

/// How many names of types that are placed `local` a node knows the shards of by heart, in names. One that falls out is
/// looked up again.
pub const PLACED_NAMES_MAX: usize = 128 * 1024;

/// How many names of types that are placed `local` one node looks up at once, in requests to the database. Others wait.
pub const PLACING_LOOKUPS_MAX: usize = 64;

/// How far the wall clock of a node may be from that of the database when its journals are opened.
pub const CLOCK_OFFSET_MAX: Duration = Duration::from_secs(60);

/// How far the timestamps of a cluster may be ahead of the database's wall clock when a node's journals are opened.
pub const TIMESTAMP_AHEAD_MAX: Duration = Duration::from_secs(3600);

/// How many activations a node keeps before it passivates the least recently used.
pub const ACTIVE_ACTORS_MAX: usize = 1_000_000;

/// What the caches of all actors of a node may hold, in bytes.
pub const CACHE_BYTES_MAX: usize = 256 * 1024 * 1024;

/// What the cache of one actor may hold, in bytes.
pub const ACTOR_CACHE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// How many actors may stand in one call chain.
pub const CALL_CHAIN_MAX: usize = 64;

/// How many casts and schedules one message may send out.
pub const OUTBOX_MESSAGES_MAX: usize = 10_000;

/// How many scheduled messages one activation may have outstanding.
pub const SCHEDULED_MESSAGES_MAX: usize = 10_000;

/// How long a call may take, unless the node or the call says otherwise.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(30);

/// How long an actor may be idle before it is passivated, unless the node says otherwise.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(300);

/// How long a stopping node lets its actors finish what they have begun.
pub const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the task of an actor handles messages before other tasks of its thread get their turn. A handler is not
/// interrupted, and the clock is looked at behind every message only where messages are slow: it may take a few messages longer.
pub const ACTOR_TURN_MAX: Duration = Duration::from_millis(1);

/// The step of a node's coarse clock: deadlines are kept to this.
pub const CLOCK_TICK: Duration = Duration::from_millis(100);

/// How many tasks of actors may be there so that one that has nothing to do lingers, since a spawned task costs more than
/// a woken one. Beyond that it ends at once: tasks that linger cost memory.
pub const LINGERING_TASKS_MAX: usize = 4096;
