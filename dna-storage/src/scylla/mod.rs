//! The store on ScyllaDB and Apache Cassandra: a journal and rows under what [`journaled`](crate::journaled) is, and
//! what the nodes of a cluster share beside them.
//!
//! It owns everything that is said to the database: the schema, the statements, their consistency, timestamps and
//! retries, and what an error means. It knows nothing of what a view says, of leases, and of who owns what.
//!
//! # Statements
//!
//! *Plain* is `LOCAL_QUORUM` or `QUORUM`, *serial* is `LOCAL_SERIAL` or `SERIAL`: one choice for a keyspace, see
//! [`Consistency`]. A conditional write is decided at serial and committed at plain consistency. No table sees both
//! conditional writes and plain ones.
//!
//! `journal`, one partition for each lane of a node; `h` is the header, `WHERE node = ? AND lane = ? AND slot = -1`:
//!
//! | For | Statement | Consistency |
//! |---|---|---|
//! | opening | `INSERT … (head, done, sealed) VALUES (0, 0, false) IF NOT EXISTS` | conditional |
//! | the group *s* | one unlogged batch: `UPDATE … SET head = s, done = d` at h `IF head = s−1 AND sealed = false`, and `UPDATE … SET seq = s, data = …` at slot *s* mod 256 | conditional |
//! | releasing | `UPDATE … SET done = d` at h `IF head = ? AND sealed = false AND done < d` | conditional |
//! | sealing | `UPDATE … SET sealed = true` at h `IF sealed = false` | conditional |
//! | noting a replay | `UPDATE … SET done = head` at h `IF head = ? AND sealed = true` | conditional |
//! | header, slots | `SELECT head, done, sealed`, `SELECT seq, data` | read at serial |
//!
//! `actor`, one partition for each actor; each write is plain, and its timestamp says where it belongs:
//!
//! | For | Statement | Timestamp |
//! |---|---|---|
//! | a range delete | `DELETE … WHERE … module = ? AND key >= ? [AND key < ?]` | that of the entry |
//! | a put | `INSERT …` | that of the entry + 1 |
//! | a delete | `DELETE … WHERE … module = ? AND key = ?` | that of the entry + 1 |
//! | a row, a range | `SELECT value`, `SELECT key, value …`, both ways, page by page | read at plain |
//!
//! The others:
//!
//! | Table | For | Statement | Consistency |
//! |---|---|---|---|
//! | `view` | the first swap | `INSERT … (id, version, data) VALUES (0, 1, ?) IF NOT EXISTS` | conditional |
//! | `view` | a swap | `UPDATE … SET version = v + 1, data = ? WHERE id = 0 IF version = v` | conditional |
//! | `view` | reading it | `SELECT version, data … WHERE id = 0` | read at serial |
//! | `heartbeat` | a beat | `INSERT … USING TIMESTAMP beat AND TTL …` | plain |
//! | `heartbeat` | all beats | `SELECT node, beat … WHERE id = 0` | read at plain |
//! | `name` | registering | `INSERT … (…, shard) VALUES (…) IF NOT EXISTS` | conditional |
//!
//! Conditional writes are never repeated by the driver, and only a definite answer or the header ends what was begun:
//! the `journal` file has the rules, the `fate` file what an error means. Plain ones are idempotent, and repeated by
//! the driver as it sees fit and by the row writer for ever.
//!
//! # Bounds
//!
//! A journal holds 256 groups of 1 MiB of writes at the most and is overwritten in a ring: it neither grows nor gathers
//! tombstones. A batch of rows has 1,000 rows or 256 KiB, 128 partitions are written at once, each by up to four requests.
//! A page of a range read has about 1 MiB.
//!
//! Invariant: a statement is prepared once, binds its whole partition key, and names its keyspace.

mod answer;
mod beats;
mod config;
mod connection;
mod consistency;
mod error;
mod fate;
#[cfg(feature = "testing")]
mod faults;
mod header;
mod journal;
mod journals;
mod pieces;
mod register;
mod retry;
mod row_values;
mod rows;
mod schema;
mod session;
mod statements;
mod store;
mod takeover;

#[cfg(feature = "testing")]
pub use self::faults::ScyllaFaults;
pub use self::{
    config::{COMMIT_TIMEOUT, CONNECT_TIMEOUT, CONNECTIONS_PER_SHARD, REQUEST_TIMEOUT, ScyllaConfig},
    consistency::Consistency,
    error::{DriverError, SchemaProblem, ScyllaError},
    journals::ScyllaJournals,
    store::Scylla,
};
