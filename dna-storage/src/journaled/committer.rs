//! The commit loop: one group after the other into the journal, in the order in which they were asked for.
//!
//! Claims, numbers and the group in doubt are this loop's alone, so that nothing about them needs a lock, and dropping
//! a caller's future cancels nothing.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use bytes::Bytes;
use dna_core::{AttachError, CommitError, DrainError, Group, ReadError, Refusal, fault_point};
use tokio::sync::{mpsc, oneshot};

use super::{
    clock::HybridClock,
    entry,
    host::{pause, within},
    journal::{AppendError, FenceError, Journal, UpkeepError},
    options::{DRAIN_RETRY_AFTER, DRAIN_TRIES, RELEASE_AFTER},
    rows::Rows,
    run::Run,
    shared::{Shared, add},
};

/// What the loop is asked to do.
pub(super) enum Request {
    Commit {
        group: Arc<Group>,
        answer: oneshot::Sender<Result<(), CommitError>>,
        waiting: Waiting,
    },
    Attach {
        answer: oneshot::Sender<Result<Claim, AttachError>>,
        give_back: mpsc::UnboundedSender<Request>,
    },
    Detach,
    /// Note in the journal that everything up to `through`, which has been stored, is released.
    Release {
        through: u64,
        answer: oneshot::Sender<Result<(), DrainError>>,
    },
}

/// A claim on its way to whoever asked for it. Dropped on the way, it is given back.
pub(super) struct Claim {
    next: u64,
    give_back: Option<mpsc::UnboundedSender<Request>>,
}

impl Claim {
    /// Takes the claim: the number of the next group.
    pub(super) fn accept(mut self) -> u64 {
        self.give_back = None;
        self.next
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if let Some(give_back) = self.give_back.take() {
            // Where the loop has ended, so have its claims.
            let _ = give_back.send(Request::Detach);
        }
    }
}

/// Counts a commit as waiting for as long as it lives.
pub(super) struct Waiting(Arc<AtomicUsize>);

impl Waiting {
    /// `None` if there are `max` already.
    pub(super) fn enter(count: &Arc<AtomicUsize>, max: usize) -> Option<Self> {
        let entered = count.fetch_add(1, Ordering::Relaxed) < max;
        let waiting = Waiting(count.clone());
        entered.then_some(waiting)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A group that was handed to the journal, as it was handed to it.
struct Attempt {
    done: u64,
    entry: Bytes,
    run: Arc<Run>,
}

pub(super) struct Committer<J, R> {
    shared: Arc<Shared<J, R>>,
    requests: mpsc::UnboundedReceiver<Request>,
    clock: Arc<HybridClock>,
    /// The number of the last group that is in the journal.
    head: u64,
    /// What the journal has been told is stored.
    released: u64,
    claimed: bool,
    fenced: bool,
    /// The group `head + 1`, if it was handed to the journal, which has not said whether it is in.
    in_doubt: Option<Attempt>,
}

impl<J: Journal, R: Rows> Committer<J, R> {
    pub(super) fn new(
        shared: Arc<Shared<J, R>>,
        requests: mpsc::UnboundedReceiver<Request>,
        clock: Arc<HybridClock>,
    ) -> Self {
        let (head, released) = (shared.head.load(Ordering::SeqCst), shared.done.load(Ordering::SeqCst));
        Committer { shared, requests, clock, head, released, claimed: false, fenced: false, in_doubt: None }
    }

    /// Works until nobody can ask for anything any more, then ends the row writer and closes the journal.
    pub(super) async fn run(mut self) {
        while let Some(request) = self.next_request().await {
            match request {
                Request::Commit { group, answer, waiting } => {
                    let fate = self.commit(&group).await;
                    drop(waiting);
                    // The committer may have gone away; its group's fate stands all the same.
                    let _ = answer.send(fate);
                }
                Request::Attach { answer, give_back } => {
                    let claim = self.attach().await;
                    let claim = claim.map(|next| Claim { next, give_back: Some(give_back) });
                    // A claim that nobody waits for gives itself back.
                    let _ = answer.send(claim);
                }
                Request::Detach => self.claimed = false,
                Request::Release { through, answer } => {
                    let released = self.drain(through).await;
                    // Who does not wait has nothing to lose.
                    let _ = answer.send(released);
                }
            }
        }
        self.shared.closing.send_replace(true);
        // The sender of this is in `shared`, which this loop holds.
        let _ = self.shared.rows_ended.subscribe().wait_for(|ended| *ended).await;
        // What is not released is stored again after the next start.
        let _ = self.release().await;
    }

    /// The next request. A store that is idle uses the time to release what has been stored.
    async fn next_request(&mut self) -> Option<Request> {
        let shared = self.shared.clone();
        loop {
            let stored = shared.stored.notified();
            if self.released < self.stored() {
                match within(RELEASE_AFTER, self.requests.recv()).await {
                    Some(request) => return request,
                    None if self.release().await.is_ok() => continue,
                    // Not now: after the next request, or the next batch of rows.
                    None => {}
                }
            }
            tokio::select! {
                biased;
                request = self.requests.recv() => return request,
                () = stored => {}
            }
        }
    }

    async fn commit(&mut self, group: &Group) -> Result<(), CommitError> {
        if !self.claimed {
            return Err(CommitError::Fenced);
        }
        // Before the fence: what is in stays in, whatever became of the journal since.
        if group.number == self.head && self.head > 0 {
            return Ok(());
        }
        if self.fenced {
            return Err(CommitError::Fenced);
        }
        if self.shared.is_poisoned() && group.number > self.head {
            let in_doubt = self.in_doubt.as_ref().is_some_and(|attempt| attempt.run.number == group.number);
            return Err(if in_doubt { CommitError::Poisoned } else { CommitError::Closed });
        }
        if Some(group.number) != self.head.checked_add(1) {
            return Err(CommitError::Fenced);
        }
        if self.in_doubt.is_some() {
            return self.settle().await;
        }
        group.check().map_err(CommitError::NotApplied)?;
        self.wait_for_room().await?;
        fault_point("commit: to be stamped");
        let stamp = self.clock.next();
        let entry = entry::encode(group, stamp);
        let run = Arc::new(Run::new(group, stamp));
        self.append(Attempt { done: self.stored(), entry, run }, true).await
    }

    /// Hands a group to the journal, and makes it visible if it is in.
    async fn append(&mut self, attempt: Attempt, first: bool) -> Result<(), CommitError> {
        let number = attempt.run.number;
        fault_point("commit: to be appended");
        match self.shared.journal.append(number, attempt.done, attempt.entry.clone()).await {
            Ok(()) => {
                fault_point("commit: appended");
                self.head = number;
                self.released = self.released.max(attempt.done);
                self.shared.overlay.push(attempt.run);
                // Behind the push: who sees this number finds the group in the overlay, or stored.
                self.shared.head.store(number, Ordering::SeqCst);
                self.shared.work.notify_one();
                add(&self.shared.counters.groups, 1);
                fault_point("commit: to be answered");
                Ok(())
            }
            Err(AppendError::NotApplied(refusal)) if first => Err(CommitError::NotApplied(refusal)),
            // Once it is in doubt, a refusal of a later try proves nothing about the first.
            Err(AppendError::Unknown | AppendError::NotApplied(_)) => {
                self.in_doubt = Some(attempt);
                Err(CommitError::Unknown)
            }
            Err(AppendError::Fenced) => {
                self.fenced = true;
                Err(CommitError::Fenced)
            }
            Err(AppendError::Failed) => {
                tracing::error!(number, "a write or sync of the journal failed: the store takes nothing any more");
                self.shared.poison();
                self.in_doubt = Some(attempt);
                Err(CommitError::Poisoned)
            }
        }
    }

    /// Asks the journal once more about the group in doubt.
    async fn settle(&mut self) -> Result<(), CommitError> {
        match self.in_doubt.take() {
            Some(attempt) => self.append(attempt, false).await,
            None => Ok(()),
        }
    }

    async fn attach(&mut self) -> Result<u64, AttachError> {
        if self.shared.is_poisoned() {
            return Err(AttachError::Poisoned);
        }
        if self.claimed {
            return Err(AttachError::InUse);
        }
        match self.settle().await {
            Ok(()) if !self.fenced => self.claim().await,
            Ok(()) | Err(CommitError::Fenced) => Err(AttachError::Fenced),
            Err(CommitError::Poisoned) => Err(AttachError::Poisoned),
            Err(_) => Err(AttachError::Read(ReadError::Unavailable)),
        }
    }

    async fn claim(&mut self) -> Result<u64, AttachError> {
        match self.shared.journal.fence().await {
            Ok(()) => {
                self.claimed = true;
                Ok(self.head + 1)
            }
            Err(FenceError::Fenced) => {
                self.fenced = true;
                Err(AttachError::Fenced)
            }
            Err(FenceError::Read(error)) => Err(AttachError::Read(error)),
        }
    }

    async fn wait_for_room(&self) -> Result<(), CommitError> {
        let shared = &self.shared;
        if !shared.is_full() {
            return Ok(());
        }
        let room = shared.stored_until(|| !shared.is_full() || shared.is_poisoned());
        if within(shared.options.busy_after, room).await.is_none() {
            return Err(CommitError::NotApplied(Refusal::Busy));
        }
        if shared.is_poisoned() { Err(CommitError::Closed) } else { Ok(()) }
    }

    /// Releases everything up to `through`, which has been stored, and tries again for a while where that is worth it.
    async fn drain(&mut self, through: u64) -> Result<(), DrainError> {
        let mut wait = DRAIN_RETRY_AFTER;
        for _ in 1..DRAIN_TRIES {
            match self.settle_and_release(through).await {
                Err(error) if error.is_retryable() => pause(wait).await,
                definite => return definite,
            }
            wait *= 2;
        }
        self.settle_and_release(through).await
    }

    async fn settle_and_release(&mut self, through: u64) -> Result<(), DrainError> {
        if !self.shared.is_poisoned() && self.released < through {
            // What it answers is left to whoever committed the group: it stands in `in_doubt`, `fenced` or the poison.
            let _ = self.settle().await;
        }
        if self.shared.is_poisoned() {
            return Err(DrainError::Poisoned);
        }
        if self.released < through {
            self.release().await?;
        }
        debug_assert!(self.released >= through, "what has left the overlay can be released");
        if self.released < through { Err(DrainError::Unavailable) } else { Ok(()) }
    }

    /// Tells the journal what has been stored.
    async fn release(&mut self) -> Result<(), DrainError> {
        let done = self.stored();
        if self.released >= done {
            return Ok(());
        }
        if self.shared.is_poisoned() {
            return Err(DrainError::Poisoned);
        }
        if self.fenced {
            return Err(DrainError::Fenced);
        }
        if self.in_doubt.is_some() {
            return Err(DrainError::InDoubt);
        }
        fault_point("rows: to be released");
        match self.shared.journal.release(done).await {
            Ok(()) => {
                fault_point("rows: released");
                self.released = done;
                Ok(())
            }
            Err(UpkeepError::Unavailable) => Err(DrainError::Unavailable),
            Err(UpkeepError::Fenced) => {
                self.fenced = true;
                Err(DrainError::Fenced)
            }
            Err(UpkeepError::Failed) => {
                tracing::error!(done, "a write or sync of the journal failed: the store takes nothing any more");
                self.shared.poison();
                Err(DrainError::Poisoned)
            }
        }
    }

    fn stored(&self) -> u64 {
        self.shared.done.load(Ordering::SeqCst)
    }
}

impl<J, R> Drop for Committer<J, R> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.shared.poison();
        }
        self.shared.closing.send_replace(true);
    }
}
