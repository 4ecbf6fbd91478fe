//! The heartbeats: a session of their own on a thread of its own, so that a runtime that is busy with other things
//! cannot starve them.
//!
//! A beat is a plain write whose timestamp is its number: a late one has no effect.

use std::{num::NonZeroUsize, sync::Arc};

use dna_core::{ClusterError, NodeId};
use futures_util::{StreamExt, stream::FuturesUnordered};
use scylla::{
    client::{PoolSize, session::Session},
    response::PagingState,
    statement::prepared::PreparedStatement,
};
use tokio::sync::{mpsc, oneshot};

use super::{
    answer::{bigint, unsigned},
    config::ScyllaConfig,
    connection::ReadFailure,
    consistency::Consistency,
    error::ScyllaError,
    fate::{Fate, Kind, fate},
    session,
    statements::Preparer,
};
use crate::journaled::{Host, Worker};

/// After how many seconds without a beat a node's row is dropped. Nothing is concluded from that: it only keeps the
/// table small.
const FORGET_AFTER_SECONDS: u32 = 2 * 24 * 60 * 60;

enum Request {
    Beat { node: NodeId, beat: u64, answer: oneshot::Sender<Result<(), ClusterError>> },
    Beats { answer: oneshot::Sender<Result<Vec<(NodeId, u64)>, ClusterError>> },
}

/// The way to the thread of the heartbeats. Dropped, it ends that thread.
#[derive(Debug)]
pub(super) struct Beats {
    requests: Option<mpsc::UnboundedSender<Request>>,
    worker: Option<Worker>,
}

impl Beats {
    /// Starts the thread, and waits until its session is there.
    pub(super) async fn start(config: &ScyllaConfig, consistency: Consistency) -> Result<Self, ScyllaError> {
        let (requests, receiver) = mpsc::unbounded_channel();
        let (ready, is_ready) = oneshot::channel();
        let config = config.clone();
        let body = async move {
            let mut ready = ready;
            let opened = tokio::select! {
                opened = Link::open(&config, consistency) => opened,
                // Who started it has gone away.
                () = ready.closed() => return,
            };
            match opened {
                Ok(link) => {
                    // If nobody takes it, the channel of requests is closed as well.
                    let _ = ready.send(Ok(()));
                    serve(&link, receiver).await;
                }
                Err(error) => {
                    let _ = ready.send(Err(error));
                }
            }
        };
        let beats = Beats { requests: Some(requests), worker: Some(Host::Threads.start("dna-beats", body)?) };
        match is_ready.await {
            Ok(Ok(())) => Ok(beats),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(ScyllaError::Thread(std::io::Error::other("it has panicked"))),
        }
    }

    pub(super) async fn beat(&self, node: NodeId, beat: u64) -> Result<(), ClusterError> {
        let (answer, answered) = oneshot::channel();
        self.send(Request::Beat { node, beat, answer });
        answered.await.unwrap_or(Err(ClusterError::Unknown))
    }

    pub(super) async fn beats(&self) -> Result<Vec<(NodeId, u64)>, ClusterError> {
        let (answer, answered) = oneshot::channel();
        self.send(Request::Beats { answer });
        answered.await.unwrap_or(Err(ClusterError::Unavailable))
    }

    /// Where the thread has ended, the answer's sender is dropped.
    fn send(&self, request: Request) {
        if let Some(requests) = &self.requests {
            // Not an error: who waits for an answer sees that there will be none.
            let _ = requests.send(request);
        }
    }
}

impl Drop for Beats {
    fn drop(&mut self) {
        self.requests = None;
        self.worker = None;
    }
}

/// Serves requests, several at once, until nobody can send any.
async fn serve(link: &Link, mut requests: mpsc::UnboundedReceiver<Request>) {
    let mut running = FuturesUnordered::new();
    loop {
        tokio::select! {
            request = requests.recv() => match request {
                Some(request) => running.push(link.serve(request)),
                None => return,
            },
            Some(()) = running.next(), if !running.is_empty() => {}
        }
    }
}

struct Link {
    session: Arc<Session>,
    beat: PreparedStatement,
    beats: PreparedStatement,
}

impl Link {
    async fn open(config: &ScyllaConfig, consistency: Consistency) -> Result<Self, ScyllaError> {
        let session = session::open(config, PoolSize::PerHost(NonZeroUsize::MIN)).await?;
        let preparer =
            Preparer { session: &session, keyspace: &config.keyspace, consistency, timeout: config.request_timeout };
        let table = format!("{}.\"heartbeat\"", config.keyspace);
        let beat = format!(
            "INSERT INTO {table} (id, node, beat) VALUES (0, ?, ?) USING TIMESTAMP ? AND TTL {FORGET_AFTER_SECONDS}"
        );
        let (beat, beats) = (
            preparer.plain(&beat).await?,
            preparer.plain(&format!("SELECT node, beat FROM {table} WHERE id = 0")).await?,
        );
        Ok(Link { session: Arc::new(session), beat, beats })
    }

    async fn serve(&self, request: Request) {
        // Who asked may have gone away; what was asked stands all the same.
        match request {
            Request::Beat { node, beat, answer } => {
                let _ = answer.send(self.write(node, beat).await);
            }
            Request::Beats { answer } => {
                let _ = answer.send(self.read().await.map_err(ClusterError::from));
            }
        }
    }

    async fn write(&self, node: NodeId, beat: u64) -> Result<(), ClusterError> {
        let number = bigint(beat);
        let answer = self.session.execute_unpaged(&self.beat, (node.as_uuid(), number, number)).await;
        answer.map(drop).map_err(|error| {
            tracing::warn!(%node, beat, %error, "a heartbeat was not stored, or not answered");
            match fate(Kind::Plain, &error) {
                Fate::Rejected => ClusterError::Rejected,
                Fate::NotApplied => ClusterError::Unavailable,
                Fate::Unknown => ClusterError::Unknown,
            }
        })
    }

    async fn read(&self) -> Result<Vec<(NodeId, u64)>, ReadFailure> {
        let mut beats = Vec::new();
        let mut state = PagingState::start();
        loop {
            let page = self.session.execute_single_page(&self.beats, (), state).await;
            let (page, next) = page.map_err(|error| ReadFailure::reported(&self.beats, &error))?;
            let page = page.into_rows_result().map_err(|_| ReadFailure::unreadable(&self.beats))?;
            let rows = page.rows::<(uuid::Uuid, Option<i64>)>();
            for row in rows.map_err(|_| ReadFailure::unreadable(&self.beats))? {
                let (node, beat) = row.map_err(|_| ReadFailure::unreadable(&self.beats))?;
                // A row whose beat has been forgotten is no beat.
                beats.extend(beat.map(|beat| (NodeId::from(node), unsigned(beat))));
            }
            match next.into_paging_control_flow() {
                std::ops::ControlFlow::Break(()) => return Ok(beats),
                std::ops::ControlFlow::Continue(next) => state = next,
            }
        }
    }
}
