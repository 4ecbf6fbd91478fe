//! The journals of one node.

use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::{
    clock::NodeClock,
    database::{JournalId, micros},
    lane::Lane,
    link::Link,
    plan::RequestKind,
    rule::Rule,
};
use crate::{
    cluster::{DrainError, NodeId, NodeJournals, OpenJournalsError, Timestamp},
    limits::{CLOCK_OFFSET_MAX, JOURNAL_LANES_MAX, TIMESTAMP_AHEAD_MAX},
    store::Store,
};

pub(super) struct Node {
    id: NodeId,
    link: Link,
    clock: Arc<NodeClock>,
    lanes: Vec<Arc<Lane>>,
    stores: Vec<Arc<dyn Store>>,
}

impl Node {
    pub(super) async fn open(
        link: Link,
        node: NodeId,
        lanes: u16,
        floor: Timestamp,
    ) -> Result<Self, OpenJournalsError> {
        if !(1..=JOURNAL_LANES_MAX).contains(&lanes) && link.keeps(Rule::LanesAreBounded) {
            return Err(OpenJournalsError::Lanes { lanes, max: JOURNAL_LANES_MAX });
        }
        let wall = link.wall_clock();
        let database = link.ask(RequestKind::ReadClock, |database| database.now()).await.map_err(|no| no.of_read())?;
        let here = wall.now();
        if here.as_micros().abs_diff(database.as_micros()) > micros(CLOCK_OFFSET_MAX) {
            return Err(OpenJournalsError::ClockOffset { here, database });
        }
        let ahead = floor.as_micros().saturating_sub(database.as_micros());
        if ahead > micros(TIMESTAMP_AHEAD_MAX) && link.keeps(Rule::FloorIsChecked) {
            return Err(OpenJournalsError::FloorAhead { floor, database });
        }
        let ids = (0..lanes).map(|lane| JournalId { node, lane });
        for id in ids.clone() {
            let made = link.ask(RequestKind::OpenJournal, move |database| database.open_journal(id)).await;
            if !made.map_err(OpenJournalsError::from_no_answer)? {
                return Err(OpenJournalsError::Exists { node });
            }
        }
        let floor = if link.keeps(Rule::StampsAboveFloor) { floor } else { Timestamp::ZERO };
        let clock = Arc::new(NodeClock::above(floor, wall));
        let journal = |id: JournalId| if link.keeps(Rule::LanesAreApart) { id } else { JournalId { lane: 0, ..id } };
        let lanes: Vec<_> = ids.map(|id| Arc::new(Lane::start(journal(id), link.clone(), clock.clone()))).collect();
        let stores = lanes.iter().map(|lane| lane.clone() as Arc<dyn Store>).collect();
        Ok(Node { id: node, link, clock, lanes, stores })
    }
}

impl OpenJournalsError {
    fn from_no_answer(no: super::link::NoAnswer) -> Self {
        OpenJournalsError::Store(no.into())
    }
}

impl NodeJournals for Node {
    fn node(&self) -> NodeId {
        self.id
    }

    fn stores(&self) -> &[Arc<dyn Store>] {
        &self.stores
    }

    fn last_timestamp(&self) -> Timestamp {
        if self.link.keeps(Rule::LastTimestampCovers) { self.clock.last() } else { Timestamp::ZERO }
    }

    fn raise_timestamp(&self, floor: Timestamp) {
        if self.link.keeps(Rule::StampsAreRaised) {
            self.clock.raise(floor);
        }
    }

    fn drain(&self) -> BoxFuture<'_, Result<(), DrainError>> {
        Box::pin(async move {
            for lane in &self.lanes {
                lane.drain().await?;
            }
            Ok(())
        })
    }
}
