//! (b), the journal protocol without the engine: groups that were made beforehand are committed one after the other
//! through the fenced journal of a node, and their rows are written as for any other.

use std::{sync::Arc, time::Instant};

use dna_core::{ClusterStore, Group, NodeId, NodeJournals, Timestamp};
use dna_storage::Scylla;

use super::{server::Server, watched::Watched};
use crate::{
    error::{Error, check_eq},
    load::nanoseconds,
    measure::Measured,
    references::{Shape, store},
};

/// Commits the shape's groups.
pub(super) async fn groups(server: &Server, shape: &Shape) -> Result<Measured, Error> {
    let space = server.fresh().await?;
    let watched = Watched::new(Scylla::connect(space.config()).await?);
    let groups = store::groups(shape)?;
    let puts = groups.iter().flatten().map(|actor| u64::try_from(actor.writes.len()).unwrap_or(u64::MAX)).sum();
    check_eq("puts that were made beforehand", puts, shape.puts)?;
    let opened = watched.open_journals(NodeId::new(), 1, Timestamp::ZERO).await?;
    let measured = tokio::spawn(commit(opened, groups)).await??;
    watched.forget();
    space.end("the journal without the engine", puts).await?;
    Ok(Measured { operations: puts, ..measured })
}

async fn commit(journals: Arc<dyn NodeJournals>, groups: Vec<Vec<dna_core::ActorWrites>>) -> Result<Measured, Error> {
    let store = journals.stores().first().ok_or(Error::Gone("the only lane"))?;
    let mut measured = Measured::default();
    let mut number = store.attach().await?;
    let start = Instant::now();
    for actors in groups {
        let before = Instant::now();
        store.commit(Arc::new(Group { number, actors })).await?;
        measured.latencies.push(nanoseconds(before.elapsed()));
        measured.groups += 1;
        number += 1;
    }
    measured.elapsed = start.elapsed();
    journals.drain().await.map_err(|error| Error::Drain(error.to_string()))?;
    measured.stored = Some(start.elapsed());
    store.detach();
    Ok(measured)
}
