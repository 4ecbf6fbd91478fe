//! The store without the engine: the groups that DNA committed, as many and of the same size on the average, made
//! beforehand and given to the store one after another.

use std::{collections::BTreeMap, sync::Arc, time::Instant};

use bytes::Bytes;
use dna_core::{ActorName, ActorWrites, Group, KeyRange, Write, WriteKind};

use super::Shape;
use crate::{
    actors::ROWS,
    error::{Error, check_eq},
    keys::{Keys, VALUE},
    load::{self, Amount, nanoseconds},
    measure::Measured,
    store::{AnyStore, name_of, table},
};

/// Commits the shape's groups to a new store, and counts the rows afterwards.
pub(crate) async fn same_groups(store: &AnyStore, shape: &Shape) -> Result<Measured, Error> {
    let groups = groups(shape)?;
    let own = store.clone();
    let measured = tokio::spawn(async move { commit(&own, groups).await }).await??;
    let rows = store.count((0..shape.actors.min(shape.puts)).map(name_of)).await?;
    check_eq("rows of the store without the engine", rows, shape.puts)?;
    Ok(Measured { operations: shape.puts, ..measured })
}

async fn commit(store: &AnyStore, groups: Vec<Vec<ActorWrites>>) -> Result<Measured, Error> {
    let mut measured = Measured::default();
    let mut number = store.bare().attach().await?;
    let start = Instant::now();
    for actors in groups {
        let before = Instant::now();
        store.bare().commit(Arc::new(Group { number, actors })).await?;
        measured.latencies.push(nanoseconds(before.elapsed()));
        measured.groups += 1;
        number += 1;
    }
    measured.elapsed = start.elapsed();
    if store.drain().await? {
        measured.stored = Some(start.elapsed());
    }
    store.bare().detach();
    Ok(measured)
}

/// The puts of the shape, in its groups: each group goes on with the next actors in turn.
pub(crate) fn groups(shape: &Shape) -> Result<Vec<Vec<ActorWrites>>, Error> {
    let names = (0..shape.actors).map(|index| table(name_of(index))).collect::<Result<Vec<_>, _>>()?;
    let module: Arc<str> = ROWS.into();
    let value = dna::modules::encode_value(&VALUE.to_owned()).map_err(|error| Error::Invariant(error.to_string()))?;
    let each = shape.puts_a_group();
    let mut groups = Vec::new();
    for first in (0..shape.puts).step_by(usize::try_from(each).unwrap_or(usize::MAX)) {
        let mut actors = BTreeMap::<u64, Vec<Write>>::new();
        for place in first..(first + each).min(shape.puts) {
            let kind = WriteKind::Put { key: key(shape.keys, place), value: Bytes::copy_from_slice(&value) };
            actors.entry(place % shape.actors).or_default().push(Write { module: module.clone(), kind });
        }
        let writes = actors.into_iter().filter_map(|(index, writes)| {
            let actor = names.get(usize::try_from(index).ok()?)?.clone();
            Some(ActorWrites { actor, writes })
        });
        groups.push(writes.collect());
    }
    Ok(groups)
}

fn key(keys: Keys, place: u64) -> Bytes {
    dna::modules::encode_key::<u64>(&keys.at(place))
}

/// Reads one row of each actor, by the same callers.
pub(crate) async fn gets(
    store: &AnyStore,
    callers: u64,
    amount: Amount,
    row: impl Fn(u64) -> Result<(ActorName, u64), Error> + Clone + Send + 'static,
) -> Result<Measured, Error> {
    load::closed_loop(callers, amount, |mut turns| {
        let (store, row) = (store.clone(), row.clone());
        async move {
            while let Some(step) = turns.next() {
                let (actor, place) = row(turns.place(step))?;
                let found = store.bare().get(&actor, ROWS, &key(Keys::InOrder, place)).await?;
                found.ok_or_else(|| Error::Invariant(format!("{actor} has no row {place}")))?;
            }
            Ok(turns)
        }
    })
    .await
}

/// Reads `each` rows of one actor from a place on, by the same callers.
pub(crate) async fn scans(
    store: &AnyStore,
    callers: u64,
    amount: Amount,
    each: usize,
    row: impl Fn(u64) -> Result<(ActorName, u64), Error> + Clone + Send + 'static,
) -> Result<Measured, Error> {
    load::closed_loop(callers, amount, |mut turns| {
        let (store, row) = (store.clone(), row.clone());
        async move {
            while let Some(step) = turns.next() {
                let (actor, place) = row(turns.place(step))?;
                let range = KeyRange { start: key(Keys::InOrder, place), end: None };
                let found = store.bare().scan(&actor, ROWS, &range, each, false).await?.len();
                if found != each {
                    return Err(Error::Invariant(format!("{actor} has {found} rows from {place} on, not {each}")));
                }
            }
            Ok(turns)
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_hold_every_put_once_and_no_actor_twice() {
        for (puts, groups_wanted, actors) in [(10, 3, 1), (10, 10, 4), (7, 1, 3), (1000, 7, 64)] {
            let shape = Shape {
                callers: 1,
                actors,
                amount: Amount::Untimed(puts),
                keys: Keys::Scattered,
                puts,
                groups: groups_wanted,
            };
            let groups = groups(&shape).unwrap();
            assert!(groups.len() as u64 <= groups_wanted);
            let mut found = 0;
            for group in &groups {
                let mut names = group.iter().map(|actor| actor.actor.name()).collect::<Vec<_>>();
                found += group.iter().map(|actor| actor.writes.len()).sum::<usize>();
                names.dedup();
                assert_eq!(names.len(), group.len());
            }
            assert_eq!(found as u64, puts);
        }
    }
}
