//! Placing: from a name whose shard is not known yet to the shard. Names of types that are placed `local` are looked up in
//! a [`Directory`], by heart where they have been met before; what is sent to one meanwhile waits in its order.
//!
//! It knows nothing of how a shard is served, nor of what the directory asks.

mod known;
mod sought;

use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio::sync::watch;

use crate::{call_error::CallError, cluster::Shard, engine::End, name::ActorName, outcome::Outcome};

use self::known::Known;
pub(crate) use self::sought::Sought;
use super::placement::Placement;

/// Where the names of a cluster are placed.
pub trait Directory: Send + Sync + 'static {
    /// How the names of an actor type find their shards, as far as is known here at once.
    fn placement(&self, kind: &str) -> Option<Placement>;

    /// The shard of a name, which is called in this version of its type. One of a type that is placed `local`, and that has
    /// none yet, gets one.
    ///
    /// To be correct:
    /// - Every `Ok` for one name, on any node and at any time, is the same shard.
    /// - It may wait for as long as it takes: who asks stops to poll it.
    ///
    /// # Errors
    /// Those that tell a caller why his message is not sent. All have the outcome `NotApplied`.
    ///
    /// # Cancel safety
    /// Dropped, the name may have got its shard, or get it later; asking again is safe.
    fn place(&self, actor: ActorName, version: u32) -> BoxFuture<'static, Result<Shard, CallError>>;
}

/// What a member knows of where names are placed, over all its incarnations.
pub(crate) struct Places {
    directory: watch::Sender<Option<Arc<dyn Directory>>>,
    pub(crate) known: Known,
}

impl Places {
    pub(crate) fn new() -> Self {
        Places { directory: watch::Sender::new(None), known: Known::default() }
    }

    /// Sets where names are looked up; with `None` they are looked up no more.
    pub(crate) fn look_up_in(&self, directory: Option<Arc<dyn Directory>>) {
        self.directory.send_replace(directory);
    }

    /// Where names are looked up, if there is such a thing yet.
    pub(crate) fn directory(&self) -> Option<Arc<dyn Directory>> {
        self.directory.borrow().clone()
    }

    /// Looks a name up, as soon as there is a directory. Many who look the same name up at once ask once.
    async fn look_up(self: Arc<Self>, actor: ActorName, version: u32) -> Result<Shard, CallError> {
        let mut directory = self.directory.subscribe();
        let found = async move {
            let directory = directory.wait_for(Option::is_some).await.ok()?.clone()?;
            Some(directory.place(actor, version))
        };
        match found.await {
            Some(placed) => placed.await,
            None => Err(End::Stopped.error(Outcome::NotApplied)),
        }
    }
}
