//! Watches how far rows are behind, beside a load.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use dna_storage::ScyllaJournals;
use tokio::task::JoinHandle;

use super::watched;
use crate::measure::Lag;

/// How often it is looked.
const EVERY: Duration = Duration::from_millis(5);

/// A look every few milliseconds, for as long as this lives.
#[derive(Debug)]
pub(super) struct LagWatch {
    most: Arc<Mutex<Lag>>,
    task: JoinHandle<()>,
}

impl LagWatch {
    pub(super) fn start(journals: Arc<ScyllaJournals>) -> Self {
        let most = Arc::new(Mutex::new(Lag::default()));
        let seen = most.clone();
        let task = tokio::spawn(async move {
            loop {
                let (lag, _) = watched::read(&journals);
                {
                    let mut most = seen.lock().unwrap_or_else(PoisonError::into_inner);
                    *most = most.most(lag);
                }
                tokio::time::sleep(EVERY).await;
            }
        });
        LagWatch { most, task }
    }

    /// The most since the last time that this was asked.
    pub(super) fn take(&self) -> Lag {
        std::mem::take(&mut *self.most.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for LagWatch {
    fn drop(&mut self) {
        self.task.abort();
    }
}
