//! The life of one incarnation: it ends once, for one reason, and everybody who works for it notices.

use dna_core::NodeId;
use tokio::sync::watch;

use crate::{host::Loss, lease::LeaseHandle};

/// The life of one incarnation. Its clones are one.
#[derive(Debug, Clone)]
pub(crate) struct Life {
    pub(crate) node: NodeId,
    pub(crate) lease: LeaseHandle,
    end: watch::Sender<Option<Loss>>,
}

impl Life {
    pub(crate) fn new(node: NodeId, lease: LeaseHandle) -> Self {
        let (end, _) = watch::channel(None);
        Life { node, lease, end }
    }

    /// Ends it, unless it has ended. Its lease holds no more.
    pub(crate) fn end(&self, why: Loss) {
        self.lease.give_up();
        self.end.send_if_modified(|end| end.is_none() && end.replace(why).is_none());
    }

    /// Waits for its end.
    pub(crate) async fn ended(&self) -> Loss {
        let mut end = self.end.subscribe();
        let why = end.wait_for(Option::is_some).await.ok().and_then(|end| *end);
        why.unwrap_or(Loss::Left) // The sender lives as long as this.
    }
}
