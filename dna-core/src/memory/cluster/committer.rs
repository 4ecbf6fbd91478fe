//! The task that takes a lane's groups to its journal, one after the other, and knows of each whether it is in.

use std::{sync::Arc, time::Duration};

use tokio::sync::{mpsc, oneshot};

use super::{
    journal::{Entry, JOURNAL_SLOTS},
    lane::{Shared, Ticket},
    link::NoAnswer,
    plan::RequestKind,
    rule::Rule,
};
use crate::{
    cluster::DrainError,
    runtime,
    store::{AttachError, CommitError, Group, ReadError, Refusal},
};

/// How long a group waits for a free slot before it is refused.
const BUSY_AFTER: Duration = Duration::from_secs(10);

/// What is asked of a lane, done in order.
pub(super) enum Request {
    Attach {
        ticket: Ticket,
        answer: oneshot::Sender<Result<(Ticket, u64), AttachError>>,
    },
    Detach,
    Commit {
        group: Arc<Group>,
        answer: oneshot::Sender<Result<(), CommitError>>,
    },
    /// Learns whether a group that is in doubt is in; the number of the last that is.
    Settle {
        answer: oneshot::Sender<Result<u64, DrainError>>,
    },
    /// Notes in the journal what is stored.
    Release {
        answer: oneshot::Sender<Result<(), DrainError>>,
    },
}

pub(super) struct Committer {
    shared: Arc<Shared>,
    requests: mpsc::UnboundedReceiver<Request>,
    claimed: bool,
    fenced: bool,
    head: u64,
    /// The next entry, once a try to append it had no definite end. It comes again as it is, until it has one.
    in_doubt: Option<Arc<Entry>>,
}

impl Committer {
    pub(super) fn new(shared: Arc<Shared>, requests: mpsc::UnboundedReceiver<Request>) -> Self {
        Committer { shared, requests, claimed: false, fenced: false, head: 0, in_doubt: None }
    }

    /// Works until the lane is dropped. Whoever waits for an answer may be gone; what was asked for is done all the
    /// same, so that answers that nobody takes are dropped.
    pub(super) async fn run(mut self) {
        let mut closed = self.shared.closed.subscribe();
        loop {
            let work = async {
                let Some(request) = self.requests.recv().await else { return false };
                self.answer(request).await;
                true
            };
            let goes_on = tokio::select! {
                biased;
                _ = closed.wait_for(|closed| *closed) => false,
                goes_on = work => goes_on,
            };
            if !goes_on {
                return;
            }
        }
    }

    async fn answer(&mut self, request: Request) {
        match request {
            Request::Attach { mut ticket, answer } => {
                let next = self.attach().await;
                match next {
                    Ok(number) => {
                        ticket.armed = true;
                        self.claimed = true;
                        let _ = answer.send(Ok((ticket, number)));
                    }
                    Err(error) => {
                        self.shared.unclaim();
                        let _ = answer.send(Err(error));
                    }
                }
            }
            Request::Detach => self.claimed = false,
            Request::Commit { group, answer } => {
                let fate = self.commit(group).await;
                let _ = answer.send(fate);
            }
            Request::Settle { answer } => {
                let head = self.settle().await;
                let _ = answer.send(head);
            }
            Request::Release { answer } => {
                let released = self.release().await;
                let _ = answer.send(released);
            }
        }
    }

    async fn attach(&mut self) -> Result<u64, AttachError> {
        if self.shared.link.keeps(Rule::SealedIsNotClaimed) {
            let id = self.shared.id;
            let header = self.shared.link.ask(RequestKind::ReadHeader, move |database| database.header(id)).await;
            let header = header.map_err(ReadError::from)?;
            self.fenced |= header.is_none_or(|header| header.sealed);
        }
        match self.settle().await {
            Ok(head) => Ok(head + 1),
            Err(DrainError::Fenced) => Err(AttachError::Fenced),
            Err(_) => Err(AttachError::Read(ReadError::Unavailable)),
        }
    }

    async fn commit(&mut self, group: Arc<Group>) -> Result<(), CommitError> {
        if !self.claimed {
            return Err(CommitError::Fenced);
        }
        if group.number == self.head && self.head > 0 {
            return Ok(());
        }
        if self.fenced || group.number != self.head + 1 {
            return Err(CommitError::Fenced);
        }
        let entry = match &self.in_doubt {
            Some(entry) => entry.clone(),
            None => {
                group.check().map_err(CommitError::NotApplied)?;
                self.wait_for_room(group.number).await?;
                Arc::new(Entry { group, stamp: self.shared.clock.next() })
            }
        };
        self.append(entry).await
    }

    /// Waits until the slot of this entry holds nothing that is not stored.
    async fn wait_for_room(&self, number: u64) -> Result<(), CommitError> {
        let mut done = self.shared.done.subscribe();
        let room = done.wait_for(|done| number.saturating_sub(*done) <= JOURNAL_SLOTS);
        match runtime::within(BUSY_AFTER, room).await {
            Some(_) => Ok(()),
            None => Err(CommitError::NotApplied(Refusal::Busy)),
        }
    }

    async fn append(&mut self, entry: Arc<Entry>) -> Result<(), CommitError> {
        let (id, number, done) = (self.shared.id, entry.group.number, *self.shared.done.borrow());
        let answer = self.shared.link.ask(RequestKind::Append, {
            let entry = entry.clone();
            move |database| database.append(id, &entry, done)
        });
        match answer.await {
            // This comes first: a group that is in stays in, whoever has sealed the journal since.
            Ok(Some(header)) if header.head >= number => {
                self.in_doubt = None;
                self.head = number;
                self.shared.waiting.lock().push_back(entry);
                self.shared.head.send_replace(number);
                Ok(())
            }
            // Sealed, or gone: it never will be in.
            Ok(_) => {
                self.in_doubt = None;
                self.fenced = true;
                Err(CommitError::Fenced)
            }
            Err(NoAnswer::Refused) if self.in_doubt.is_none() || !self.shared.link.keeps(Rule::DoubtStays) => {
                self.in_doubt = None;
                Err(CommitError::NotApplied(Refusal::Unavailable))
            }
            Err(_) => {
                self.in_doubt = Some(entry);
                Err(CommitError::Unknown)
            }
        }
    }

    async fn settle(&mut self) -> Result<u64, DrainError> {
        if let Some(entry) = self.in_doubt.clone() {
            match self.append(entry).await {
                Ok(()) | Err(CommitError::Fenced) => {}
                Err(_) => return Err(DrainError::InDoubt),
            }
        }
        if self.fenced { Err(DrainError::Fenced) } else { Ok(self.head) }
    }

    async fn release(&mut self) -> Result<(), DrainError> {
        let (id, done) = (self.shared.id, *self.shared.done.borrow());
        match self.shared.link.ask(RequestKind::Release, move |database| database.release(id, done)).await {
            Ok(Some(header)) if !header.sealed => Ok(()),
            Ok(_) => {
                self.fenced = true;
                Err(DrainError::Fenced)
            }
            Err(_) => Err(DrainError::Unavailable),
        }
    }
}
