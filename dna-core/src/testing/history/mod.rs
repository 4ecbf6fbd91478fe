//! Histories of operations on registers, one a name, and the check that they are linearizable: that every answer is one
//! which a single copy of the register could have given, at one moment between the call and its answer. Knows nothing of
//! actors and nodes: who records a history says what was called and what came back.
//!
//! ```
//! use dna_core::testing::history::{Action, Recorder, check};
//!
//! let recorder = Recorder::new();
//! let write = recorder.invoke("a", "alice", Action::Write(1));
//! let early = recorder.invoke("b", "alice", Action::Read);
//! early.ok(1); // the write has taken effect, and is not answered yet
//! write.ok(1);
//! recorder.invoke("b", "alice", Action::Read).ok(0);
//! let violation = check(&recorder.history()).unwrap_err();
//! assert!(violation.to_string().contains("read = 0, where 1 stood"), "{violation}");
//! ```

mod bits;
mod check;
mod event;
mod operation;
mod recorder;
mod search;
mod violation;

pub use self::{
    check::{CheckError, check},
    event::{Event, EventError, Step},
    operation::{Action, Ended, History, HistoryError, Operation},
    recorder::{Pending, Recorder},
    violation::Violation,
};
