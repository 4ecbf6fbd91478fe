//! A lane's committer: takes what waits from all actors, commits it as one group, and lets go what waited for it.
//!
//! One commit is under way while the next group collects, so a commit is shared by all that came meanwhile, without a
//! timer. Behind a commit that took long, whoever it answered gets the chance to ask again before the next group is
//! closed. It never guesses: a group whose answer was lost is sent again, with its number, until the answer is definite.

use std::{
    collections::VecDeque,
    future::poll_fn,
    sync::{Arc, atomic::Ordering},
    task::Poll,
    thread,
    time::Duration,
};

use tokio::sync::oneshot;

use crate::{
    call_error::Loss,
    limits::{GROUP_BYTES_MAX, GROUP_NAMES_BYTES_MAX},
    meter::{GROUPS_REFUSED, GROUPS_RESENT},
    partition::ActorRows,
    runtime::{self, Stopwatch},
    store::{ActorWrites, CommitError, Group},
};

use super::{End, Shared, lane::Lane};

/// How long to wait before a group without an answer is sent again: at first, and at the most.
const RESEND_PAUSE: (Duration, Duration) = (Duration::from_millis(1), Duration::from_secs(1));

/// How much of the time that a commit took may be spent behind it on letting callers ask again: one part of so many.
const GATHER_PART: u32 = 8;

/// A commit that is shorter is not waited behind: its callers meet in the next one soon enough.
const GATHER_BEHIND: Duration = Duration::from_micros(250);

/// After how many turns of the others that bring nothing new it is closed. A message needs two: one of the caller that
/// sends it, one of the actor that handles it.
const GATHER_IN_VAIN: u32 = 3;

pub(super) struct Committer {
    pub(super) shared: Arc<Shared>,
    pub(super) lane: Arc<Lane>,
    /// The number of the next group.
    pub(super) next: u64,
}

impl Drop for Committer {
    /// Without a committer nothing is ever answered: where it goes with its runtime, the node ends. A member's that panics
    /// ends the incarnation, and says so, since others could serve what it owns.
    fn drop(&mut self) {
        if !self.lane.has_ended()
            && let Some(engine) = self.shared.engine.upgrade()
        {
            if thread::panicking() && self.lane.authority().is_some() {
                engine.lose(&self.lane, End::Lost(Loss::Poisoned), Loss::Poisoned);
            } else {
                engine.end(End::Stopped);
            }
        }
    }
}

/// Whose writes a group holds, and up to where.
type Members = Vec<(Arc<ActorRows>, u64)>;

/// A group that is to be committed.
struct Formed {
    group: Group,
    members: Members,
    bytes: usize,
    /// How many messages wrote it.
    messages: u64,
}

impl Committer {
    /// Commits until the lane has ended, and drops `_done` when it has let go of the store.
    pub(super) async fn run(mut self, _done: oneshot::Sender<()>) {
        let mut queue = VecDeque::new();
        while !self.lane.has_ended() {
            self.lane.take_to_commit(&mut queue);
            let Some(Formed { group, members, bytes, messages }) = self.form_group(&mut queue) else {
                tokio::select! {
                    biased;
                    () = self.lane.work.notified() => {}
                    () = self.lane.end() => {}
                }
                continue;
            };
            self.shared.groups.fetch_add(1, Ordering::Relaxed);
            let took = Stopwatch::start();
            match self.commit(group).await {
                Ok(()) => {
                    let took = took.elapsed();
                    self.shared.counts.count_group(bytes, messages, took);
                    self.next += 1;
                    for (rows, upto) in members {
                        rows.settle(upto);
                    }
                    self.gather(took).await;
                }
                Err(CommitError::NotApplied(refusal)) => {
                    tracing::warn!(%refusal, actors = members.len(), "the store refused a group");
                    GROUPS_REFUSED.add(&[], 1);
                    for (rows, _) in members {
                        rows.refuse(refusal);
                    }
                }
                Err(CommitError::Fenced) => self.lose(Loss::Fenced, members, true),
                // An answer that stays open until the lane has ended is in doubt, as is one behind a failed fsync.
                Err(CommitError::Poisoned | CommitError::Unknown) => self.lose(Loss::Poisoned, members, true),
                Err(CommitError::Closed) => self.lose(Loss::Poisoned, members, false),
            }
        }
    }

    /// Lets those who were just answered ask again, for as long as that brings anything. Without it, callers that wait for
    /// each answer part into two halves for good, one of which is under way while the other one waits: groups are half as
    /// large as they could be, and each call takes two commits.
    async fn gather(&self, took: Duration) {
        if took < GATHER_BEHIND {
            return;
        }
        let clock = Stopwatch::start();
        let mut waiting = self.shared.uncommitted_bytes();
        let mut in_vain = 0;
        while in_vain < GATHER_IN_VAIN && waiting < GROUP_BYTES_MAX && clock.elapsed() < took / GATHER_PART {
            runtime::yield_now().await;
            let now = self.shared.uncommitted_bytes();
            in_vain = if now == waiting { in_vain + 1 } else { 0 };
            waiting = now;
        }
    }

    /// Fills a group from the queue. A name stands in it once; what does not fit stays at the head of the queue.
    fn form_group(&self, queue: &mut VecDeque<Arc<ActorRows>>) -> Option<Formed> {
        let (mut actors, mut members, mut later) = (Vec::new(), Members::new(), Vec::new());
        let mut messages = 0;
        let (mut room, mut room_for_names) = (GROUP_BYTES_MAX, GROUP_NAMES_BYTES_MAX);
        while room_for_names > 0
            && let Some(rows) = queue.pop_front()
        {
            if let Some(taken) = rows.take(room) {
                room = room.saturating_sub(taken.bytes);
                messages += taken.messages;
                room_for_names = room_for_names.saturating_sub(rows.name().cost());
                actors.push(ActorWrites { actor: rows.name().clone(), writes: taken.writes });
                if taken.more {
                    later.push(rows.clone());
                }
                members.push((rows, taken.upto));
            } else if rows.is_queued() {
                queue.push_front(rows);
                break;
            }
        }
        queue.extend(later);
        let group = Group { number: self.next, actors };
        let bytes = GROUP_BYTES_MAX - room;
        (!members.is_empty()).then_some(Formed { group, members, bytes, messages })
    }

    /// Sends the group until its fate is known, or the lane has ended.
    async fn commit(&self, group: Group) -> Result<(), CommitError> {
        let group = Arc::new(group);
        let mut pause = RESEND_PAUSE.0;
        let mut asked_before = false;
        loop {
            let answer = tokio::select! {
                biased;
                answer = self.send(group.clone()) => answer,
                () = self.lane.end() => Err(CommitError::Unknown),
            };
            if answer == Err(CommitError::Closed) && asked_before {
                // That the store takes nothing now proves nothing about the time before.
                return Err(CommitError::Poisoned);
            }
            if answer != Err(CommitError::Unknown) || self.lane.has_ended() {
                return answer;
            }
            asked_before = true;
            GROUPS_RESENT.add(&[], 1);
            tracing::debug!(number = group.number, "no answer from the store, the group is sent again");
            tokio::select! {
                biased;
                () = runtime::sleep(pause) => {}
                () = self.lane.end() => return Err(CommitError::Unknown),
            }
            pause = (2 * pause).min(RESEND_PAUSE.1);
        }
    }

    async fn send(&self, group: Arc<Group>) -> Result<(), CommitError> {
        let Some(store) = self.lane.store() else { return Err(CommitError::Unknown) };
        // Called, and polled once, while the claim lasts: a store may take the group at either. From then on it settles
        // the commit's fate before it lets itself be claimed again.
        let begun = poll_fn(|cx| {
            Poll::Ready(self.lane.while_claimed(|| {
                let mut commit = store.commit(group.clone());
                let polled = commit.as_mut().poll(cx);
                (commit, polled)
            }))
        });
        match begun.await {
            Some((_, Poll::Ready(answer))) => answer,
            Some((commit, Poll::Pending)) => commit.await,
            None => Err(CommitError::Unknown),
        }
    }

    /// The store is lost, or let go of: the group is in doubt or was not applied, as `in_doubt` says, everything behind
    /// it was not applied, the node ends, or its incarnation.
    fn lose(&self, loss: Loss, members: Members, in_doubt: bool) {
        let end = self.lane.ended().unwrap_or(End::Lost(loss));
        for (rows, _) in members {
            if in_doubt {
                rows.end(end);
            } else {
                rows.end_untouched(end);
            }
        }
        if let Some(engine) = self.shared.engine.upgrade() {
            engine.lose(&self.lane, end, loss);
        }
    }
}
