//! Sealing a node's journals, and storing as rows what it has not.

use super::{database::JournalId, link::Link, plan::RequestKind, row_writer, rule::Rule};
use crate::cluster::{ClusterError, NodeId, Replayed, SealError, Timestamp};

pub(super) async fn seal_and_replay(link: &Link, node: NodeId, lanes: u16) -> Result<Replayed, SealError> {
    let lanes = (0..lanes).map(|lane| JournalId { node, lane });
    // All of them before the first is replayed: nothing may be committed any more on any of them by then.
    for id in lanes.clone().filter(|id| id.lane == 0 || link.keeps(Rule::EveryLaneIsSealed)) {
        let there = link.ask(RequestKind::Seal, move |database| database.seal(id)).await.map_err(ClusterError::from)?;
        if !there && link.keeps(Rule::MissingIsAnAlarm) {
            return Err(SealError::MissingJournal { node, lane: id.lane });
        }
    }
    let mut replayed = Replayed::default();
    for id in lanes {
        replay(link, id, &mut replayed).await?;
    }
    Ok(replayed)
}

async fn replay(link: &Link, id: JournalId, replayed: &mut Replayed) -> Result<(), SealError> {
    let JournalId { node, lane } = id;
    let read = link.ask(RequestKind::ReadJournal, move |database| database.read_journal(id)).await;
    let sealed = match read.map_err(|no| no.of_read())? {
        Some(Ok(sealed)) => sealed,
        Some(Err((number, problem))) => return Err(SealError::Entry { node, lane, number, problem }),
        None if link.keeps(Rule::MissingIsAnAlarm) => return Err(SealError::MissingJournal { node, lane }),
        None => return Ok(()),
    };
    // The second of the two that the last entry took.
    if let Some(stamp) = sealed.last
        && (link.keeps(Rule::ReplayLastIncludesStored) || !sealed.entries.is_empty())
    {
        replayed.last = replayed.last.max(Timestamp::from_micros(stamp.saturating_add(1)));
    }
    if !link.keeps(Rule::Replay) {
        return Ok(());
    }
    for entry in &sealed.entries {
        let now = || link.wall_clock().now().as_micros();
        let stamp = if link.keeps(Rule::ReplayKeepsStamps) { entry.stamp } else { now() };
        replayed.rows += row_writer::store(link, entry, stamp).await.map_err(ClusterError::from)?;
        replayed.entries += 1;
    }
    Ok(())
}
