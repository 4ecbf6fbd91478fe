//! Registers on the shards that a node owns, on an engine for each id that the node has. An engine goes on until the next
//! one begins, as in a process that stood still and has not noticed that it is deposed.

use std::sync::Mutex;

use dna::CallError;
use dna_cluster::{Host, Incarnation, LeaseHandle, Loss, Placement};
use dna_core::{
    Actors, AttachError, Engine, Settings, Shard, StartError,
    testing::history::{Action, Ended},
};
use futures_util::future::BoxFuture;

use crate::register::{Register, apply, ended};

/// The actor type, and how its names are placed.
pub(crate) const TYPE: (&str, Placement) = ("Register", Placement::Hash);

/// Serves the registers of this node.
#[derive(Default)]
pub(crate) struct Registers {
    running: Mutex<Option<Running>>,
    /// What ran before. Its journals still store what they have taken: the database alone keeps them from taking more.
    former: Mutex<Vec<Incarnation>>,
    ignores_lease: bool,
}

/// What runs under one id.
struct Running {
    incarnation: Incarnation,
    engine: Option<Engine>,
    owns: bool,
}

impl Registers {
    /// As the default, but wrong: it answers without a lease.
    pub(crate) fn without_lease() -> Self {
        Registers { ignores_lease: true, ..Registers::default() }
    }

    pub(crate) async fn apply(&self, register: &str, action: Action) -> Ended {
        let (client, incarnation) = match &*self.running.lock().unwrap() {
            None => return Ended::NotApplied,
            Some(Running { owns: false, .. }) => return Ended::NotApplied,
            Some(Running { engine: None, .. }) => return Ended::NotApplied,
            Some(Running { engine: Some(engine), incarnation, .. }) => {
                (engine.client::<Register>(register), incarnation.clone())
            }
        };
        let answer = apply(&client, action).await;
        if let Err(CallError::Lost { .. }) = answer {
            incarnation.report_fenced();
        }
        if answer.is_ok() && !self.may_answer(&incarnation.lease) { Ended::Unknown } else { ended(&answer) }
    }

    fn bury(&self, running: Option<Running>) {
        self.former.lock().unwrap().extend(running.map(|running| running.incarnation));
    }

    fn may_answer(&self, lease: &LeaseHandle) -> bool {
        self.ignores_lease || lease.holds()
    }
}

impl Host for Registers {
    fn begin(&self, incarnation: Incarnation) -> BoxFuture<'_, Result<(), AttachError>> {
        Box::pin(async move {
            let actors = Actors::new().with::<Register>();
            let store = incarnation.journals.stores()[0].clone();
            let engine = Engine::start(store, actors, Settings::default()).await.map_err(|error| match error {
                StartError::Store(error) => error,
                error => panic!("{error}"),
            })?;
            let running = Running { incarnation, engine: Some(engine), owns: false };
            let former = self.running.lock().unwrap().replace(running);
            self.bury(former);
            Ok(())
        })
    }

    fn own(&self, shards: &[(Shard, u64)]) {
        if let Some(running) = &mut *self.running.lock().unwrap() {
            running.owns |= !shards.is_empty();
        }
    }

    fn release<'a>(&'a self, _: &'a [Shard]) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let engine = self.running.lock().unwrap().as_mut().and_then(|running| running.engine.take());
            if let Some(engine) = engine {
                // What it could not do, it has said to who asked for it.
                let _ = engine.shutdown().await;
            }
        })
    }

    fn drop_all(&self, _: Loss) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }
}
