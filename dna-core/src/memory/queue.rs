//! The order in which a [`Memory`](super::Memory) store takes what it was asked, and what may stand in the way: one
//! queue, worked off at once unless a fault holds its head back.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use tokio::sync::oneshot;

use super::{Ticket, ledger::Ledger};
use crate::store::{AttachError, CommitError, Group, ReadError, Refusal};

/// What was asked of the store and waits to be done, in order.
pub(super) enum Request {
    Commit { group: Arc<Group>, answer: oneshot::Sender<Result<(), CommitError>>, wait: Option<u64> },
    Attach { ticket: Ticket, answer: oneshot::Sender<Result<(Ticket, u64), AttachError>> },
    Detach,
}

/// What is to go wrong, and what has been counted.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) hold_commits: bool,
    pub(super) permits: usize,
    pub(super) commit_delay: Option<Duration>,
    pub(super) read_delay: Option<Duration>,
    pub(super) refuse: VecDeque<Refusal>,
    pub(super) lose_answers: usize,
    pub(super) lose_requests: usize,
    pub(super) poison_next: Option<bool>,
    pub(super) fail_reads: VecDeque<ReadError>,
    pub(super) commits_received: u64,
    pub(super) groups_committed: u64,
    pub(super) reads: u64,
}

/// Everything behind the one lock of a memory store.
#[derive(Default)]
pub(super) struct State {
    pub(super) ledger: Ledger,
    pub(super) plan: Plan,
    pub(super) queue: VecDeque<Request>,
    /// Whether the store will be claimed once the queue is empty.
    pub(super) claimed: bool,
    timers: u64,
}

impl State {
    /// A new timer's id.
    pub(super) fn timer(&mut self) -> u64 {
        self.timers += 1;
        self.timers
    }

    /// Lets the commit that waits for this timer go on.
    pub(super) fn elapse(&mut self, timer: u64) {
        for request in &mut self.queue {
            if let Request::Commit { wait, .. } = request
                && *wait == Some(timer)
            {
                *wait = None;
            }
        }
        self.pump();
    }

    pub(super) fn commits_waiting(&self) -> usize {
        self.queue.iter().filter(|request| matches!(request, Request::Commit { .. })).count()
    }

    /// Does what waits, in order, until something holds back.
    pub(super) fn pump(&mut self) {
        while let Some(request) = self.queue.pop_front() {
            if self.holds_back(&request) {
                self.queue.push_front(request);
                return;
            }
            match request {
                Request::Commit { group, answer, .. } => {
                    let fate = self.settle(&group);
                    // The committer may have gone away; its group's fate stands all the same.
                    let _ = answer.send(fate);
                }
                Request::Attach { mut ticket, answer } => {
                    let next = self.ledger.attach();
                    ticket.armed = next.is_ok();
                    self.claimed = next.is_ok();
                    if let Err(Ok((mut ticket, _))) = answer.send(next.map(|number| (ticket, number))) {
                        ticket.armed = false;
                        self.ledger.detach();
                        self.claimed = false;
                    }
                }
                Request::Detach => self.ledger.detach(),
            }
        }
    }

    fn holds_back(&mut self, request: &Request) -> bool {
        let Request::Commit { wait, .. } = request else { return false };
        if wait.is_some() {
            return true;
        }
        if self.plan.hold_commits {
            let Some(left) = self.plan.permits.checked_sub(1) else { return true };
            self.plan.permits = left;
        }
        false
    }

    fn settle(&mut self, group: &Group) -> Result<(), CommitError> {
        if !self.ledger.admit(group)? {
            return Ok(());
        }
        if let Some(refusal) = self.plan.refuse.pop_front() {
            return Err(CommitError::NotApplied(refusal));
        }
        if let Some(left) = self.plan.lose_requests.checked_sub(1) {
            self.plan.lose_requests = left;
            self.ledger.leave_unknown(group.number);
            return Err(CommitError::Unknown);
        }
        if let Some(applied) = self.plan.poison_next.take() {
            if applied {
                self.apply(group);
            }
            self.ledger.poison(group.number);
            return Err(CommitError::Poisoned);
        }
        self.apply(group);
        if let Some(left) = self.plan.lose_answers.checked_sub(1) {
            self.plan.lose_answers = left;
            return Err(CommitError::Unknown);
        }
        Ok(())
    }

    fn apply(&mut self, group: &Group) {
        self.ledger.apply(group);
        self.plan.groups_committed += 1;
    }
}
