//! The names whose shards a node knows by heart, and those that it is looking up.

use std::{collections::HashMap, panic::AssertUnwindSafe, sync::Arc};

use futures_util::{
    FutureExt,
    future::{BoxFuture, Shared, WeakShared},
};
use parking_lot::Mutex;
use tokio::sync::Semaphore;

use super::Places;
use crate::{
    call_error::{CallError, PlacingProblem},
    cluster::Shard,
    engine::End,
    limits::{PLACED_NAMES_MAX, PLACING_LOOKUPS_MAX},
    name::ActorName,
    outcome::Outcome,
    runtime::RandomState,
};

type Map<V> = HashMap<ActorName, V, RandomState>;

/// A lookup of one name, which all wait for that look it up.
pub(crate) type Lookup = Shared<Asking>;

type Asking = BoxFuture<'static, Result<Shard, CallError>>;

/// The names whose shards a node knows by heart. A shard never changes, so that one which is known is right.
pub(crate) struct Known {
    shards: Mutex<Generations>,
    lookups: Mutex<Map<WeakShared<Asking>>>,
    permits: Arc<Semaphore>,
}

impl Default for Known {
    fn default() -> Self {
        Known {
            shards: Mutex::new(Generations::new(PLACED_NAMES_MAX)),
            lookups: Mutex::default(),
            permits: Arc::new(Semaphore::new(PLACING_LOOKUPS_MAX)),
        }
    }
}

impl Known {
    /// The shard of a name, if it is known.
    pub(crate) fn shard(&self, actor: &ActorName) -> Option<Shard> {
        self.shards.lock().get(actor)
    }

    /// The shard of a name has been found out.
    pub(crate) fn learn(&self, actor: &ActorName, shard: Shard) {
        self.shards.lock().insert(actor.clone(), shard);
    }

    /// The lookup of a name: the one that is under way, or a new one.
    pub(crate) fn look_up(places: &Arc<Places>, actor: &ActorName, version: u32) -> Lookup {
        let mut lookups = places.known.lookups.lock();
        if let Some(lookup) = lookups.get(actor).and_then(WeakShared::upgrade)
            && lookup.peek().is_none()
        {
            return lookup;
        }
        let (asked, name, permits) = (places.clone(), actor.clone(), places.known.permits.clone());
        let lookup = async move {
            let Ok(_permit) = permits.acquire_owned().await else {
                return Err(End::Stopped.error(Outcome::NotApplied));
            };
            let looked_up = AssertUnwindSafe(asked.clone().look_up(name.clone(), version)).catch_unwind().await;
            // Who waits for it is told, whatever becomes of it.
            let shard = looked_up.unwrap_or_else(|_| {
                tracing::error!(actor = %name, "the lookup of a name panicked");
                Err(CallError::NotPlaced { actor: name.to_string(), problem: PlacingProblem::Unavailable })
            })?;
            asked.known.learn(&name, shard);
            Ok(shard)
        };
        let lookup = lookup.boxed().shared();
        if let Some(weak) = lookup.downgrade() {
            lookups.insert(actor.clone(), weak);
        }
        lookup
    }

    /// Somebody waits for a lookup no longer: where it was the last, it is forgotten.
    pub(crate) fn leave(&self, actor: &ActorName, lookup: Lookup) {
        drop(lookup);
        let mut lookups = self.lookups.lock();
        let goes_on = |weak: &WeakShared<_>| weak.upgrade().is_some_and(|lookup: Lookup| lookup.peek().is_none());
        if lookups.get(actor).is_some_and(|weak| !goes_on(weak)) {
            lookups.remove(actor);
        }
    }
}

/// A bounded map that forgets what was not asked for since it was last half full.
struct Generations {
    /// How many names each half may hold.
    half: usize,
    young: Map<Shard>,
    old: Map<Shard>,
}

impl Generations {
    fn new(max: usize) -> Self {
        Generations { half: (max / 2).max(1), young: Map::default(), old: Map::default() }
    }

    fn get(&mut self, actor: &ActorName) -> Option<Shard> {
        if let Some(shard) = self.young.get(actor) {
            return Some(*shard);
        }
        let (actor, shard) = self.old.remove_entry(actor)?;
        self.insert(actor, shard);
        Some(shard)
    }

    fn insert(&mut self, actor: ActorName, shard: Shard) {
        if self.young.len() == self.half && !self.young.contains_key(&actor) {
            self.old = std::mem::take(&mut self.young);
        }
        self.old.remove(&actor);
        self.young.insert(actor, shard);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(n: u32) -> ActorName {
        ActorName::new("n", "T", format!("{n}")).unwrap()
    }

    #[test]
    fn as_many_names_are_known_as_may_be_and_what_is_asked_for_stays() {
        let mut names = Generations::new(8);
        for n in 0..8 {
            names.insert(name(n), Shard(n));
        }
        assert!((0..8).all(|n| names.old.contains_key(&name(n)) || names.young.contains_key(&name(n))), "at the limit");
        assert_eq!(names.get(&name(0)), Some(Shard(0)));
        for n in 8..1000 {
            names.insert(name(n), Shard(n));
            assert!(names.young.len() + names.old.len() <= 8, "one past the limit");
            assert_eq!(names.get(&name(0)), Some(Shard(0)), "it is asked for again and again");
        }
        assert_eq!(names.get(&name(1)), None);
        assert_eq!(names.get(&name(999)), Some(Shard(999)));
    }
}
