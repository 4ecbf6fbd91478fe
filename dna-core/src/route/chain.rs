//! Who waits for an answer, as it crosses nodes.

use std::{
    collections::HashSet,
    sync::{Arc, Weak},
};

use serde::{Deserialize, Serialize};

use crate::{engine::EngineInner, limits::CALL_CHAIN_MAX, name::ActorName, scope::Chain};

/// How many of the actors that wait for a call cross to another node with it. A call that comes back to one beyond them
/// is not found out at once, and ends by its deadline.
const CALLERS_MAX: usize = 1024;

/// The actors that wait for a call, so that one that comes back to them is found out. Empty for a call from outside of
/// handlers.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Callers {
    /// How many of them wait for each other, at the longest.
    length: usize,
    /// Type and name of each.
    actors: Vec<(String, String)>,
}

impl Callers {
    /// Those of this chain.
    pub(crate) fn of(chain: Option<&Arc<Chain>>) -> Self {
        let Some(chain) = chain else { return Callers::default() };
        let mut actors = Vec::new();
        let mut seen = HashSet::new();
        let mut links = vec![chain];
        while let Some(link) = links.pop() {
            if actors.len() == CALLERS_MAX {
                break;
            }
            if !seen.insert(Arc::as_ptr(link)) {
                continue;
            }
            let actor = (link.actor().kind().to_owned(), link.actor().name().to_owned());
            if !actors.contains(&actor) {
                actors.push(actor);
            }
            links.extend(link.above());
        }
        Callers { length: chain.length, actors }
    }

    /// The chain as the handler's node sees it. Names are those of one cluster, wherever they are served.
    pub(crate) fn into_chain(self, engine: &Weak<EngineInner>, namespace: &Arc<str>) -> Option<Arc<Chain>> {
        let name = |(kind, name): (String, String)| ActorName::new(namespace.clone(), kind, name).ok();
        // Another node says so: one too long is refused like one that is exactly so long.
        let length = self.length.min(CALL_CHAIN_MAX);
        let links = self.actors.into_iter().take(CALLERS_MAX).filter_map(name);
        links.fold(None, |above: Option<Arc<Chain>>, actor| {
            Some(Chain::new(engine.clone(), actor, length, above.into_iter().collect()))
        })
    }
}
