//! Where the view comes from, for those who work with a membership.

use std::{net::SocketAddr, sync::Arc};

use tokio::sync::watch as channel;

use super::{Status, asked::Asked, driver::either};
use crate::members::Members;

/// Where the view comes from. Cheap to clone; it keeps no membership going.
#[derive(Debug, Clone)]
pub(crate) struct ViewSource {
    asked: Arc<Asked>,
    status: channel::Receiver<Status>,
    address: SocketAddr,
}

impl ViewSource {
    pub(super) fn new(asked: Arc<Asked>, status: channel::Receiver<Status>, address: SocketAddr) -> Self {
        ViewSource { asked, status, address }
    }

    /// What the process is at present, and every change of it.
    pub(crate) fn status(&self) -> channel::Receiver<Status> {
        self.status.clone()
    }

    /// Where the process listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// As [`Membership::refresh`](super::Membership::refresh).
    pub(crate) async fn refresh(&self, version: u64) -> Members {
        let mut status = self.status.clone();
        let is_known = |status: &Status| match status {
            Status::Member { seen, .. } => seen.version >= version,
            _ => true,
        };
        if !is_known(&status.borrow_and_update()) {
            let number = self.asked.want_read();
            either(self.asked.read(number), status.wait_for(is_known)).await;
        }
        Members::of(&status.borrow())
    }
}
